# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that is given GPUs, and has them taken away again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._gpus import access
from ansible_collections.fedops.flower.plugins.module_utils._gpus.gpu import FoundGpus, Gpu

UNIT = "flower-superexec.service"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What systemctl was told, on a host with a GPU that works and one that does not."""
    told: list[str] = []
    gpu = Gpu("NVIDIA", "0", "GPU-0", "H200", "0000:00:00.0", ("nvidia0",), ("nvidiactl",))
    found = FoundGpus([gpu, Gpu(**{**vars(gpu), "index": "1", "uuid": "GPU-1", "problem": "GPU 1 is lost."})])
    monkeypatch.setattr(access, "found_gpus", lambda: found)
    monkeypatch.setattr(access, "load_drivers", lambda: None)
    monkeypatch.setattr(access, "make_links", lambda gpus: None)
    monkeypatch.setattr(access.give_access, "__defaults__", (str(tmp_path), False))
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, words, check_rc: told.append(" ".join(words)))
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: told.append(text))
    return told


def test_a_service_is_given_a_gpu_and_restarted_once(run_module, said: list[str], tmp_path: Path) -> None:
    settings = tmp_path / f"{UNIT}.d" / "gpus.conf"
    rehearsed = run_module("gpu_access", check_mode=True, service=UNIT, gpus=["0"])
    assert (rehearsed["changed"], settings.exists(), said) == (True, False, [])
    assert run_module("gpu_access", service=UNIT, gpus=["0"])["gpus"] == ["0 (H200, GPU-0)"]
    assert "DeviceAllow=/dev/flower/GPU-0 rw\n" in settings.read_text()
    assert said == ["systemctl daemon-reload", f"systemctl try-restart {UNIT}"]
    assert run_module("gpu_access", service=UNIT, gpus=["0"])["changed"] is False
    assert len(said) == 2
    assert run_module("gpu_access", service=UNIT, gpus=["none"])["changed"] is True
    assert not settings.exists()


def test_a_gpu_that_does_not_work_is_left_out_or_refused(run_module, said: list[str], tmp_path: Path) -> None:
    assert run_module("gpu_access", service=UNIT, gpus=["auto"])["gpus"] == ["0 (H200, GPU-0)"]
    assert said[0] == "GPU 1 is lost."
    told = run_module("gpu_access", service=UNIT, gpus=["1"])
    assert told["msg"] == f"{UNIT} is to use GPU '1': GPU 1 is lost."


def test_what_is_no_gpu_is_refused(run_module, said: list[str]) -> None:
    told = run_module("gpu_access", service=UNIT, gpus=["all"])
    assert told["msg"].startswith("gpus is ['all'] but must be auto, none, or a list of the indexes or UUIDs")
