# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory is whose."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import UnreadableError
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.trainings import (
    DEFAULT_TRAINING,
    RESERVED,
    directories,
    directory_of,
    has_folder,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, TrainingError
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue, parse


@pytest.mark.parametrize(
    ("path", "training", "own"),
    [
        ("/srv/c", DEFAULT_TRAINING, "/srv/c"),
        ("/srv/c", "second", "/srv/c/second"),
        ("/srv/c/", "second", "/srv/c/second"),
        # Whoever gave each training a path of its own has said where already.
        ("/srv/c/second", "second", "/srv/c/second"),
        ("/srv/c/second/", "second", "/srv/c/second/"),
        ("/srv/c/first", "second", "/srv/c/first/second"),
    ],
)
def test_the_default_training_has_the_path_itself_and_every_other_one_a_folder(path, training, own) -> None:
    assert directory_of(path, training) == own


def test_one_that_has_begun_in_the_path_itself_stays_until_its_newest_is_elsewhere(tmp_path, save) -> None:
    path = str(tmp_path)
    save(4, "second")
    save(9)  # of the default one
    assert directory_of(path, "second") == path
    assert directory_of(path, "third") == f"{path}/third"
    save(4, "second", "second")  # on the way
    assert directory_of(path, "second") == path
    save(5, "second", "second")
    assert directory_of(path, "second") == f"{path}/second"
    save(9, "third", "second")  # what is another's says nothing
    save(6, "second")
    assert directory_of(path, "second") == path


def test_storage_that_does_not_answer_is_no_empty_directory_for_one_that_saves(tmp_path, save, monkeypatch) -> None:
    save(4, "second")

    def fails(path: str) -> list[str]:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "listdir", fails)
    assert directory_of(str(tmp_path), "second") == f"{tmp_path}/second"
    with pytest.raises(UnreadableError):
        directory_of(str(tmp_path), "second", strict=True)
    with pytest.raises(UnreadableError):
        directories(str(tmp_path))


def test_the_directories_are_those_with_checkpoints_and_no_link_and_none_of_ours(tmp_path, save) -> None:
    path = str(tmp_path)
    assert directories(f"{path}/nothing") == {"": f"{path}/nothing"}
    for folder in ("second", "previous", "Third", "default", "0"):
        save(1, folder, folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "second")
    assert directories(path) == {"": path, "0": f"{path}/0", "second": f"{path}/second"}


def test_no_training_has_the_name_of_a_folder_of_ours() -> None:
    assert "previous" in RESERVED
    for name in RESERVED:
        with pytest.raises(BadValue, match=f"the first not a hyphen, and not {name}"):
            parse(BY_NAME["training_name"], name)
        with pytest.raises(TrainingError, match=f"fl_training_name is '?{name}'? but must be"):
            Training.from_variables({"fl_training_name": name})
        assert parse(BY_NAME["training_name"], f"{name}-1") == f"{name}-1"
    assert [name for name in ("a", "previous", "default", "", "..", "a/b", "Ab", "a\n") if has_folder(name)] == ["a"]
