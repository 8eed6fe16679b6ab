# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage import mount_guard

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give directories away")


@pytest.fixture
def path(anchored):
    (anchored[0] / "srv").mkdir()
    return anchored[0] / "srv/checkpoints"


def facts(path) -> tuple[int, int, str]:
    found = path.stat()
    return found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)


def test_the_directory_is_made_once_and_proven_each_time(run_module, path) -> None:
    first, second = (run_module("checkpoint_directory", path=str(path)) for dummy in range(2))
    assert (first["changed"], first["diff"]["after"]) == (True, f"directory {path}\n")
    assert facts(path) == (49999, 49999, "0o750")
    assert (second["changed"], second["steps"]) == (False, first["steps"])
    assert "rename a file" in second["steps"]
    assert list(path.iterdir()) == []


def test_a_rehearsal_makes_nothing_and_proves_nothing(run_module, path) -> None:
    result = run_module("checkpoint_directory", path=str(path), check_mode=True)
    assert (result["changed"], "steps" in result, path.exists()) == (True, False, False)


def test_another_owner_is_put_right(run_module, path) -> None:
    path.mkdir(0o700)
    assert run_module("checkpoint_directory", path=str(path))["changed"]
    assert facts(path) == (49999, 49999, "0o750")


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_directory_with_files_of_others_is_not_touched(run_module, path, check_mode) -> None:
    (path / "dpkg").mkdir(parents=True)
    path.chmod(0o755)
    message = run_module("checkpoint_directory", path=str(path), check_mode=check_mode)["msg"]
    assert message.startswith(f"{path} does not belong to the user 49999 and holds what is no checkpoint: dpkg.")
    assert facts(path) == (0, 0, "0o755")


def test_a_disk_with_files_of_others_is_adopted_when_that_is_asked_for(run_module, path, anchored) -> None:
    (path / "photos").mkdir(parents=True)
    os.chown(path, 1000, 1000)
    for mounted in (False, True):  # what is no mount is never given away
        result = run_module("checkpoint_directory", path=str(path), adopt=True, mounted=mounted)
        assert result["failed"], result
    anchored[1](path)
    assert run_module("checkpoint_directory", path=str(path), adopt=True, mounted=True)["changed"]
    assert facts(path) == (49999, 49999, "0o750")


def test_checkpoints_of_root_and_directories_of_the_account_are_no_strangers(run_module, path) -> None:
    for name in ("lost+found", "previous", "another-training"):
        (path / name).mkdir(parents=True)
    os.chown(path / "another-training", 49999, 49999)
    (path / "checkpoint_round_5.npz").touch()
    assert run_module("checkpoint_directory", path=str(path))["changed"]
    assert facts(path) == (49999, 49999, "0o750")


def test_where_a_server_squashes_root_the_account_closes_its_directory(run_module, path, monkeypatch) -> None:
    path.mkdir()
    os.chown(path, 49999, 49999)
    path.chmod(0o755)

    def squashed(*arguments: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", squashed)
    first, second = (run_module("checkpoint_directory", path=str(path)) for dummy in range(2))
    assert (first["changed"], first["diff"]["after"]) == (True, f"owner and mode of {path}\n")
    assert facts(path) == (49999, 49999, "0o750")
    assert second["changed"] is False


def test_where_not_even_the_owner_may_nothing_is_said_to_be_changed(run_module, path, monkeypatch) -> None:
    path.mkdir()
    path.chmod(0o777)

    def squashed(*arguments: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", squashed)
    assert run_module("checkpoint_directory", path=str(path))["changed"] is False
    assert facts(path) == (0, 0, "0o777")


def test_what_was_a_mount_point_becomes_a_directory_again(run_module, path) -> None:
    mount_guard.guard(str(path))
    assert run_module("checkpoint_directory", path=str(path))["changed"]
    assert facts(path) == (49999, 49999, "0o750")


def test_a_directory_that_the_account_cannot_reach_is_explained(run_module, path) -> None:
    path.parent.chmod(0o700)  # as an operator may have it
    message = run_module("checkpoint_directory", path=str(path))["msg"]
    assert message.startswith(f"The user 49999 cannot list files in {path}: Permission denied.")


def test_files_are_brought_as_the_account_and_their_old_place_removed(run_module, path) -> None:
    aside = path.with_name("checkpoints.before-mount")
    aside.mkdir()
    (aside / "checkpoint_round_1.npz").write_bytes(b"one")
    for folder in (aside, aside / "checkpoint_round_1.npz"):
        os.chown(folder, 49999, 49999)
    result = run_module("checkpoint_directory", path=str(path), bring=str(aside))
    assert (result["changed"], result["brought"]) == (True, ["checkpoint_round_1.npz"])
    assert facts(path / "checkpoint_round_1.npz")[:2] == (49999, 49999)
    assert not aside.exists()
    assert run_module("checkpoint_directory", path=str(path), bring=str(aside))["changed"] is False


def test_a_conflict_brings_and_removes_nothing(run_module, path) -> None:
    aside = path.with_name("checkpoints.before-mount")
    for folder, content in ((aside, b"one"), (path, b"two")):
        folder.mkdir()
        (folder / "checkpoint_round_1.npz").write_bytes(content)
        folder.chmod(0o755)
    message = run_module("checkpoint_directory", path=str(path), bring=str(aside))["msg"]
    assert "has others of that name. Nothing was brought or removed." in message
    assert [(folder / "checkpoint_round_1.npz").read_bytes() for folder in (aside, path)] == [b"one", b"two"]


def test_files_of_root_in_folders_of_root_are_brought_and_become_the_accounts(run_module, path) -> None:
    aside = path.with_name("checkpoints.before-mount")
    (aside / "previous/old").mkdir(parents=True)
    for name in ("checkpoint_round_5.npz", "previous/old/checkpoint_round_1.npz"):
        (aside / name).write_bytes(name.encode())
        (aside / name).chmod(0o400)
    for folder in (aside / "previous/old", aside / "previous", aside):
        folder.chmod(0o700)
    result = run_module("checkpoint_directory", path=str(path), bring=str(aside))
    assert result["brought"] == ["checkpoint_round_5.npz", "previous/old/checkpoint_round_1.npz"]
    assert {facts(path / name) for name in result["brought"]} == {(49999, 49999, "0o600")}
    assert [(path / name).read_bytes().decode() for name in result["brought"]] == result["brought"]
    assert not aside.exists()


def test_what_cannot_be_brought_is_named_and_nothing_is_removed(run_module, path) -> None:
    aside = path.with_name("checkpoints.before-mount")
    aside.mkdir(0o700)
    (aside / "checkpoint_round_5.npz").write_bytes(b"five")
    os.mkfifo(aside / "pipe")
    message = run_module("checkpoint_directory", path=str(path), bring=str(aside))["msg"]
    assert f"{aside}/pipe: Operation not supported. Nothing was removed." in message
    assert sorted(file.name for file in aside.iterdir()) == ["checkpoint_round_5.npz", "pipe"]
