# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs, told by the processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._release import running as _running
from ansible_collections.fedops.flower.plugins.module_utils._release.running import loaded, running, services

LIST = """flower-superexec.service    loaded active running Flower SuperExec
flower-clientapps@a.service loaded active running ClientApps of the Flower SuperNode a
flower-supernode@b.service  loaded active running Flower SuperNode b
flower-supernode@a.service  loaded failed failed  Flower SuperNode a
flower-superlink.service    loaded active running Flower SuperLink
"""
MAPS = """7f00-7f01 r-xp 00000000 00:2d 1  /usr/lib/x86_64-linux-gnu/libc.so.6
7f02-7f03 r-xp 00000000 00:2d 2  {home}/releases/flwr-1.41.0-aaaaaaaa/lib/python3.11/site-packages/a.so
7f04-7f05 r-xp 00000000 00:2d 3  {home}/releases/flwr-1.41.0-aaaaaaaa/lib/python3.11/site-packages/b.so (deleted)
7f06-7f07 rw-p 00000000 00:00 0  [stack]
"""


def test_services_come_in_the_order_in_which_they_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_running, "control", lambda *_arguments: LIST)
    assert services() == [
        "flower-superlink.service",
        "flower-superexec.service",
        "flower-supernode@a.service",
        "flower-supernode@b.service",
        "flower-clientapps@a.service",
    ]


@pytest.mark.parametrize(
    ("maps", "found"),
    [
        (MAPS, {"flwr-1.41.0-aaaaaaaa"}),
        (MAPS + MAPS.replace("aaaaaaaa", "bbbbbbbb"), {"flwr-1.41.0-aaaaaaaa", "flwr-1.41.0-bbbbbbbb"}),
        (MAPS.replace("releases/flwr-1.41.0-aaaaaaaa", "venv"), {"venv"}),
        (MAPS.replace("{home}", "/elsewhere"), set()),
        (MAPS.replace("{home}", "/before{home}"), set()),
        (None, set()),
    ],
)
def test_a_process_has_loaded_what_the_kernel_says(tmp_path: Path, maps: str | None, found: set[str]) -> None:
    (tmp_path / "7").mkdir()
    if maps is not None:
        (tmp_path / "7" / "maps").write_text(maps.replace("{home}", str(tmp_path / "home")))
    # The home may be reached through a link; what is loaded lies behind it.
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert loaded(str(tmp_path / "link"), 7, str(tmp_path)) == found


@pytest.mark.parametrize("hierarchy", ["", "systemd/"])
def test_all_processes_of_a_service_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hierarchy: str) -> None:
    units = [
        Unit(
            "flower-superlink.service", "loaded", "active", pid=7, restarts=2, cgroup="/s", since=time.monotonic() - 60
        ),
        Unit("flower-superexec.service", "loaded", "failed", since=1.0),
        Unit("flower-supernode.service", "not-found", "inactive"),
    ]
    monkeypatch.setattr(_running, "services", lambda: [unit.name for unit in units])
    monkeypatch.setattr(_running, "show_units", lambda *_names: units)
    group = tmp_path / f"{hierarchy}s"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("7\n8\n")
    for pid, release in (("7", "a"), ("8", "b")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "maps").write_text(f"0-1 r-xp 0 00:2d 1  {tmp_path}/releases/{release}/x.so\n")
    first, second = running(str(tmp_path), str(tmp_path), str(tmp_path))
    assert 59 < first.pop("seconds") < 70
    assert first == {"unit": "flower-superlink.service", "state": "active", "restarts": 2, "releases": ["a", "b"]}
    assert second == {
        "unit": "flower-superexec.service", "state": "failed", "restarts": 0, "releases": [], "seconds": 0.0,
    }  # fmt: skip


def test_a_process_that_is_alone_is_known_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_running, "services", lambda: ["x"])
    monkeypatch.setattr(_running, "show_units", lambda *_names: [Unit("x", "loaded", "active", pid=9, cgroup="/gone")])
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "maps").write_text(f"0-1 r-xp 0 00:2d 1  {tmp_path}/releases/a/x.so\n")
    assert running(str(tmp_path), str(tmp_path), str(tmp_path))[0]["releases"] == ["a"]
