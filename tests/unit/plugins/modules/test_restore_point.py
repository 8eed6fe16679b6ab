# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._release import restore_point
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import RELEASE_MARKER, Releases


@pytest.fixture
def ask(tmp_path: Path, home: Any, run_module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask the module about a host with two releases, the second of them in use after the first."""
    monkeypatch.setattr(restore_point, "services", list)
    monkeypatch.setattr(restore_point, "show_units", lambda *_names: [])
    monkeypatch.setattr(restore_point, "control", lambda *_arguments: "")
    monkeypatch.setattr(restore_point, "POINT_FILES", ("supernode.toml",))
    releases = Releases(str(home.path / "link" / "venv"))
    for name in ("old", "new"):
        path = Path(releases.make_room(name))
        path.mkdir()
        (path / RELEASE_MARKER).touch()
    releases.switch("old")

    def call(state: str, **more: Any) -> dict[str, Any]:
        return run_module("restore_point", path=str(tmp_path / "p"), home=str(home.path / "link"), state=state, **more)

    call.releases = releases
    return call


def test_a_point_is_saved_gone_back_to_and_closed_once(ask: Any) -> None:
    outcomes = []
    for state in ("saved", "saved", "restored", "closed", "closed"):
        more = {"token": "t"} if state == "saved" else {}
        rehearsed = ask(state, check_mode=True, **more)["changed"]
        outcome = ask(state, **more)
        assert rehearsed == outcome["changed"]
        outcomes.append((state, outcome["changed"], outcome["release"]))
        ask.releases.switch("new")
    assert outcomes == [
        ("saved", True, "old"),
        ("saved", False, "old"),
        ("restored", True, "old"),
        ("closed", True, "old"),
        ("closed", False, None),
    ]


def test_what_is_asked_wrongly_is_said(ask: Any) -> None:
    assert "missing: token" in ask("saved")["msg"]
    assert ask("closed", kept=0)["msg"] == "kept is 0 but must be at least 1: the point that is closed stays."
    assert "has no open point" in ask("restored")["msg"]
