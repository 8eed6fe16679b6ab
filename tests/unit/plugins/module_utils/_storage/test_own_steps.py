# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done below a directory of the account, as the account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage.own_steps import descend, remove


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_what_is_missing_is_made_with_its_mode_and_nothing_in_check_mode(here: int, tmp_path: Path) -> None:
    made = {"what": "directory", "problem": ""}
    assert descend(here, ["a", "b"], os.geteuid(), 0o750, check_mode=True) == made
    assert list(tmp_path.iterdir()) == []
    assert descend(here, ["a", "b"], os.geteuid(), 0o750, check_mode=False) == made
    assert [oct(path.stat().st_mode & 0o7777) for path in (tmp_path / "a", tmp_path / "a" / "b")] == ["0o750"] * 2
    assert descend(here, ["a", "b"], os.geteuid(), 0o750, check_mode=False)["what"] == ""


def test_a_link_on_the_way_is_not_followed(here: int, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a").symlink_to("elsewhere")
    said = descend(here, ["a", "b"], os.geteuid(), 0o750, check_mode=False)
    assert said["problem"].startswith("a, on the way to {}, is a link or a file.")
    with pytest.raises(OSError, match="a"):
        remove(here, ["a", "b"], check_mode=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_last_one_is_removed_with_what_is_in_it(here: int, tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert remove(here, ["a", "none"], check_mode=False) is False
    assert remove(here, ["a", "b"], check_mode=True) is True
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert remove(here, ["a", "b"], check_mode=False) is True
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
