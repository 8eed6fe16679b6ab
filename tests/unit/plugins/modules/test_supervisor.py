# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the program that supervises trainings."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import control

PROGRAM = b"program"


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(control, "UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(control, "control", lambda *arguments: "")
    name = tmp_path / Path(control.PROGRAM).name
    name.write_bytes(PROGRAM)
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        archive.add(name, arcname=name.name)
    return {"unit": "[Unit]\n", "program": hashlib.sha256(PROGRAM).hexdigest()}


def test_a_host_with_another_program_asks_for_it_and_then_has_it(arguments, home, run_module, tmp_path: Path) -> None:
    assert run_module("supervisor", **arguments) == {"changed": False, "needs_archive": True}
    sent = {**arguments, "archive": str(tmp_path / "files.tar")}
    assert run_module("supervisor", **sent) == {"changed": True, "installed": ["program", "unit"]}
    assert (home.path / control.PROGRAM).read_bytes() == PROGRAM
    assert (tmp_path / control.TEMPLATE).read_text() == "[Unit]\n"
    assert run_module("supervisor", **arguments) == {"changed": False, "installed": []}


def test_a_rehearsal_installs_nothing(arguments, home, run_module) -> None:
    assert run_module("supervisor", check_mode=True, **arguments) == {"changed": True, "installed": ["program", "unit"]}
    assert not (home.path / control.PROGRAM).exists()
