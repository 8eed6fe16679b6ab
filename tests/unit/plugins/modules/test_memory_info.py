# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.fedops.flower.plugins.module_utils._base import memory, systemd
from ansible_collections.fedops.flower.plugins.module_utils._supernode import place


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
