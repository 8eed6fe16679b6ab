# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment on the controller, from a lock and a directory of wheels, without any network."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import zipfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._publish.environment import python_with
from ansible_collections.fedops.flower.plugins.module_utils._publish.gate import PublishError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ensurepip") is None, reason="this Python has no ensurepip")


def wheel(folder: Path) -> str:
    """Make a wheel, and return its line in a lock."""
    folder.mkdir()
    path = folder / "toldabout-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toldabout.py", "WORD = 'here'\n")
        archive.writestr("toldabout-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toldabout\nVersion: 1.0\n")
        archive.writestr(
            "toldabout-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("toldabout-1.0.dist-info/RECORD", "")
    return f"toldabout==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_an_environment_is_made_once_from_its_lock_without_a_network(tmp_path) -> None:
    lock, place = tmp_path / "lock.txt", tmp_path / "environments"
    lock.write_text(wheel(tmp_path / "wheels"))
    python = python_with(str(lock), str(place), str(tmp_path / "wheels"))
    said = subprocess.run(
        [python, "-I", "-c", "import toldabout; print(toldabout.WORD)"], capture_output=True, text=True, check=True
    )
    assert said.stdout == "here\n"
    before = Path(python).parent.parent.stat().st_mtime_ns
    assert python_with(str(lock), str(place)) == python
    assert Path(python).parent.parent.stat().st_mtime_ns == before
    assert [path.name for path in place.iterdir()] == [Path(python).parents[1].name]


def test_a_wheel_of_another_hash_is_refused_and_leaves_nothing(tmp_path) -> None:
    lock, place = tmp_path / "lock.txt", tmp_path / "environments"
    wheel(tmp_path / "wheels")
    lock.write_text(f"toldabout==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PublishError, match="cannot be installed on the controller"):
        python_with(str(lock), str(place), str(tmp_path / "wheels"))
    assert list(place.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_told(tmp_path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("")
    with pytest.raises(PublishError, match="publish_environments is .*lock.txt, which cannot be written"):
        python_with(str(lock), str(lock))
