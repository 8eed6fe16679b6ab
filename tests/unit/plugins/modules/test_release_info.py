# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._release import running
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import RELEASE_MARKER, Releases


@pytest.fixture(autouse=True)
def systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "control", lambda *_arguments: "flower-superlink.service loaded active running x\n")
    monkeypatch.setattr(
        running, "show_units", lambda *names: [Unit(name, "loaded", "failed", restarts=3) for name in names]
    )


def test_a_host_tells_its_releases_and_what_they_need(tmp_path: Path, run_module: Any) -> None:
    home = tmp_path / "host"
    releases = Releases(str(home / "venv"))
    for name in ("a", "b", "half"):
        Path(releases.make_room(name)).mkdir()
    for name in ("a", "b"):
        (home / "releases" / name / RELEASE_MARKER).write_text(name * 10)
    releases.switch("b")
    (home / "state").mkdir()
    (home / "state" / "state.db").write_text("123")
    (home / "state" / "state.db-wal").write_text("4567")
    result = run_module("release_info", home=str(home), points=str(tmp_path / "none" / "yet"))
    rooms = result.pop("rooms")
    assert result == {
        "changed": False,
        "release": "b",
        "releases": ["a", "b"],
        "services": [
            {"unit": "flower-superlink.service", "state": "failed", "restarts": 3, "seconds": 0.0, "releases": []}
        ],
        "point": None,
        "sizes": {"release": 10, "state": 7},
    }
    assert [(room["what"], room["free"] > 0) for room in rooms] == [
        ("releases", True),
        ("points", True),
        ("temporary files", True),
    ]
    assert rooms[1]["path"] == str(tmp_path)


def test_a_bare_host_tells_that_there_is_nothing(tmp_path: Path, run_module: Any) -> None:
    result = run_module("release_info", home=str(tmp_path / "none"), points=str(tmp_path))
    assert (result["release"], result["releases"], result["sizes"]) == (None, [], {"release": 0, "state": 0})
