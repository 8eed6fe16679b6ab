# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.fedops.flower.plugins.module_utils._base import memory, systemd
from ansible_collections.fedops.flower.plugins.module_utils._gpus import devices
from ansible_collections.fedops.flower.plugins.module_utils._gpus.gpu import FoundGpus, Gpu
from ansible_collections.fedops.flower.plugins.module_utils._gpus.shares import directives
from ansible_collections.fedops.flower.plugins.module_utils._supernode import gpu_use, place


def test_the_supernodes_of_the_host_are_asked_about(run_module, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "flower-supernode.service").touch()
    (tmp_path / "flower-supernode@b.service.d").mkdir()
    (tmp_path / "flower-supernode@b.service.d" / "flower.conf").touch()
    found = place.places_found
    monkeypatch.setattr(place, "places_found", lambda home: found(home, str(tmp_path)))
    killed = systemd.Unit("flower-supernode@b.service", active="failed", result=memory.OOM_KILL, memory_max=2 << 30)
    monkeypatch.setattr(memory, "memory_kills", lambda services: {})
    monkeypatch.setattr(
        memory, "show_units", lambda *names: [killed if name == killed.name else systemd.Unit(name) for name in names]
    )
    assert run_module("memory_info")["problems"] == [
        "The SuperNode (flower-supernode@b.service) was killed for want of memory. It does not run. Its bound is"
        " 2.1 GB. Raise supernode_memory_max if the host has more."
    ]


def test_the_gpus_of_the_host_are_told_with_who_may_use_them(run_module, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "flower-supernode@b.service.d").mkdir()
    (tmp_path / "flower-supernode@b.service.d" / "flower.conf").touch()
    (tmp_path / "flower-clientapps@b.service.d").mkdir()
    gpus = [
        Gpu(
            "NVIDIA",
            str(n),
            f"GPU-{n}",
            "H200",
            "b",
            (f"nvidia{n}",),
            driver="580.1",
            memory=100,
            memory_used=7,
            busy=3,
        )
        for n in (0, 1)
    ]
    lost = Gpu(**{**vars(gpus[1]), "problem": "GPU 1 is lost."})
    (tmp_path / "flower-clientapps@b.service.d" / "gpus.conf").write_text(directives([gpus[0], gpus[1]]))
    allowed = gpu_use.gpus_allowed(str(tmp_path))
    assert allowed == {"b": ["GPU-0", "GPU-1"]}
    monkeypatch.setattr(gpu_use, "gpus_allowed", lambda: allowed)
    monkeypatch.setattr(memory, "memory_problems", lambda services: [])
    monkeypatch.setattr(devices, "found_gpus", lambda: FoundGpus([gpus[0], lost]))
    told = run_module("memory_info")
    assert told["gpus"][0] == {
        "index": "0", "name": "H200", "uuid": "GPU-0", "driver": "580.1", "supernodes": ["b"], "memory": 100,
        "memory_used": 7, "busy": 3, "problem": "",
    }  # fmt: skip
    assert told["problems"] == ["GPU 1 is lost."]
    monkeypatch.setattr(devices, "found_gpus", lambda: FoundGpus([gpus[1]]))
    assert run_module("memory_info")["problems"] == [
        "The SuperNode b is to use GPU GPU-0, which the host does not have now. Bring it back, or run"
        " fedops.flower.site for the GPUs that it has."
    ]
