# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What room the SuperLink host has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def look(run_module, tmp_path: Path):
    return lambda path="", **options: run_module("room_info", path=str(tmp_path / path), training="t", **options)


def free(path: Path) -> int:
    there = os.statvfs(path)
    return there.f_bavail * there.f_frsize


def test_a_model_that_was_never_saved_is_as_large_as_one_says(look, tmp_path) -> None:
    found = look("not/there/yet", model_megabytes=1.5)
    assert found["model"] == 1_500_000
    assert found["memory"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert abs(found["storage"] - free(tmp_path)) < 10**8  # others write there too
    assert look()["model"] is None


def test_the_newest_checkpoint_tells_the_size_and_what_the_training_holds_is_room(look, tmp_path, save) -> None:
    held = sum(save(number, "t")["bytes"] for number in (1, 2))
    save(3, "other")
    found = look(model_megabytes=9)
    assert found["model"] == 8  # two of float32
    assert held > 0
    assert (found["storage"] - held) % os.statvfs(tmp_path).f_frsize == 0


def test_what_root_may_list_and_not_open_is_measured_by_the_account(look, save, squashed) -> None:
    save(1, "t")
    assert (look()["model"], squashed) == (8, [True])


@pytest.mark.parametrize("size", [-1, "nan", "inf"])
def test_a_size_that_cannot_be_is_refused(look, size) -> None:
    assert "model_megabytes is" in look(model_megabytes=size)["msg"]


def test_what_a_training_has_in_its_folder_tells_its_size(look, save) -> None:
    save(3, "t", "t")
    assert look()["model"] == 8
