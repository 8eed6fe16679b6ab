# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its action together: a host that saves and removes meanwhile, and a controller."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import checkpoint_backup as action_backup
from ansible_collections.fedops.flower.plugins.module_utils._backup import checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import directory as _checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import verify
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_guard import guard, release

OTHER = 54321


@pytest.fixture
def backup(tmp_path_factory):
    return tmp_path_factory.mktemp("backup") / "checkpoints"


@pytest.fixture
def play(run_module, tmp_path, backup, tmp_path_factory, monkeypatch):
    """Run the action against the module; C(meanwhile) hears of each call before it is executed."""
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    monkeypatch.setattr(checkpoints, "PIECE", 100)

    def run(check_mode=False, meanwhile=lambda arguments: None, **given):
        def execute(module_name, module_args, task_vars):
            meanwhile(module_args)
            return run_module("checkpoint_backup", check_mode=check_mode, **module_args)

        action = object.__new__(action_backup.ActionModule)
        arguments = {"path": str(tmp_path), "backup": str(backup), **given}
        action._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        staged = str(tmp_path_factory.mktemp("staged"))
        action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=staged, join_path=os.path.join))
        action._execute_module = execute
        action._transfer_file = shutil.copyfile
        result = action.run(task_vars={})
        assert os.listdir(staged) == []
        return result

    return run


def remove(directory, number: int) -> None:
    for suffix in ("json", "npz"):
        (directory / f"checkpoint_round_{number}.{suffix}").unlink()


def test_what_is_whole_travels_once_newest_first(play, save, tmp_path, backup) -> None:
    saved = [save(number) for number in (9, 10)]
    first, second = play(), play()
    assert (first["changed"], first["checkpoints"]) == (True, ["checkpoint_round_10.npz", "checkpoint_round_9.npz"])
    assert (second["changed"], second["checkpoints"]) == (False, first["checkpoints"])
    kept = _checkpoints.list_checkpoints(str(backup))
    assert [one.sha256 for one in kept] == [one["sha256"] for one in saved]
    assert len(os.listdir(backup)) == 4  # and nothing else
    assert (first["problems"], second["problems"]) == ([], [])


def test_a_rehearsal_tells_what_would_travel(play, save, backup) -> None:
    save(5)
    assert play(check_mode=True)["checkpoints"] == ["checkpoint_round_5.npz"]
    assert not backup.exists()


def test_what_retention_removes_meanwhile_is_left_out_whole(play, save, tmp_path, backup) -> None:
    for number in (1, 2, 3):
        save(number)

    def meanwhile(arguments) -> None:
        if arguments.get("file") == "checkpoint_round_2.npz" and arguments["offset"]:
            remove(tmp_path, 2)
            save(4)

    result = play(meanwhile=meanwhile)
    assert result["checkpoints"] == ["checkpoint_round_3.npz", "checkpoint_round_1.npz"]
    assert _checkpoints.inspect(str(backup)).checkpoints[-1].round == 3
    assert sorted(os.listdir(backup)) == [
        f"checkpoint_round_{n}.{suffix}" for n in (1, 3) for suffix in ("json", "npz")
    ]


@pytest.fixture
def no_links(monkeypatch) -> None:
    """Storage that takes no hard links."""

    def refuse(*dummy: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def test_the_newest_arrives_however_fast_the_training_is(play, save, tmp_path, backup) -> None:
    """With fl_checkpoint_keep_last of 1 each save takes away what was just found."""
    saved = [save(1)]

    def meanwhile(arguments) -> None:
        if "file" in arguments:
            remove(tmp_path, len(saved))
            saved.append(save(len(saved) + 1))

    assert play(meanwhile=meanwhile)["checkpoints"] == ["checkpoint_round_1.npz"]
    assert verify(str(backup / "checkpoint_round_1.npz")).sha256 == saved[0]["sha256"]
    assert len(saved) > 3
    assert not (tmp_path / checkpoints.HELD).exists()


def test_what_a_killed_backup_has_held_is_given_up_by_the_next_one(play, save, tmp_path) -> None:
    save(1)
    held = tmp_path / checkpoints.HELD

    def dies(arguments) -> None:
        if "file" in arguments or arguments.get("release"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(meanwhile=dies)
    assert sorted(os.listdir(held)) == ["checkpoint_round_1.json", "checkpoint_round_1.npz"]
    remove(tmp_path, 1)
    save(2)
    assert _checkpoints.inspect(str(tmp_path)).problems == ()
    assert play()["checkpoints"] == ["checkpoint_round_2.npz"]
    assert not held.exists()


def test_a_rehearsal_holds_nothing(play, save, tmp_path) -> None:
    save(1)
    play(check_mode=True)
    assert not (tmp_path / checkpoints.HELD).exists()


@pytest.mark.usefixtures("no_links")
def test_the_newest_is_looked_for_again_until_it_has_arrived(play, save, tmp_path, backup) -> None:
    """With fl_checkpoint_keep_last of 1 a save takes away what was just found."""
    save(1)
    left = [1, 2]

    def meanwhile(arguments) -> None:
        if arguments.get("file", "").endswith(".npz") and left:
            number = left.pop(0)
            remove(tmp_path, number)
            save(number + 1)

    assert play(meanwhile=meanwhile)["checkpoints"] == ["checkpoint_round_3.npz"]
    assert left == []


@pytest.mark.usefixtures("no_links")
def test_a_training_that_is_always_faster_is_told(play, save, tmp_path) -> None:
    save(1)
    rounds = iter(range(1, 100))

    def meanwhile(arguments) -> None:
        if arguments.get("file", "").endswith(".npz"):
            number = next(rounds)
            remove(tmp_path, number)
            save(number + 1)

    with pytest.raises(AnsibleActionFail, match=r"round_5.npz was removed while it was being read.*keep_last"):
        play(meanwhile=meanwhile)


@pytest.mark.usefixtures("no_links")
def test_another_that_takes_its_place_while_it_travels_is_not_mixed_with_it(play, save, tmp_path, backup) -> None:
    save(1, "one")
    changed = []

    def meanwhile(arguments) -> None:
        if arguments.get("file", "").endswith(".npz") and arguments["offset"] == 100 and not changed:
            changed.append(save(1, "another-training"))
            (tmp_path / "checkpoint_round_1.npz").write_bytes((tmp_path / "checkpoint_round_1.npz").read_bytes()[::-1])
            changed.append(save(1, "another-training"))

    play(meanwhile=meanwhile)
    (kept,) = _checkpoints.inspect(str(backup)).checkpoints
    assert kept.sha256 == verify(str(tmp_path / "checkpoint_round_1.npz")).sha256


def test_a_half_of_a_backup_that_was_cut_short_is_fetched_anew(play, save, backup) -> None:
    save(1)
    backup.mkdir()
    (backup / "checkpoint_round_1.npz").write_bytes(b"half")
    (backup / "checkpoint_round_7.npz").write_bytes(b"half")
    assert play()["checkpoints"] == ["checkpoint_round_1.npz"]
    assert sorted(os.listdir(backup)) == ["checkpoint_round_1.json", "checkpoint_round_1.npz"]


def test_damage_on_the_host_is_told_and_what_was_half_there_is_not(play, save, tmp_path) -> None:
    for number in (1, 2):
        save(number)
    (tmp_path / "checkpoint_round_1.npz").write_bytes(b"damaged")
    (tmp_path / "checkpoint_round_3.npz").write_bytes(b"just being saved")

    def meanwhile(arguments) -> None:
        if arguments.get("file"):
            save(3)

    result = play(meanwhile=meanwhile)
    assert result["checkpoints"][0] == "checkpoint_round_3.npz"
    (problem,) = result["problems"]
    assert problem.startswith(f"{tmp_path}/checkpoint_round_1.npz is damaged")


def test_a_training_that_saves_elsewhere_is_told(play, save, home, tmp_path, monkeypatch) -> None:
    """The account of the checkpoints cannot read what is asked of trainings."""

    @contextmanager
    def account() -> Iterator[None]:
        (home.path / "trainings").rename(tmp_path / "unseen")
        yield
        (tmp_path / "unseen").rename(home.path / "trainings")

    monkeypatch.setattr(checkpoints, "as_checkpoint_owner", account)
    save(1)
    for name, config in {
        "here": {"checkpoint-enabled": True, "checkpoint-path": f"{tmp_path}/../{tmp_path.name}"},
        "below": {"checkpoint-enabled": True, "checkpoint-path": str(tmp_path), "training-name": "below"},
        "other": {"checkpoint-enabled": True, "checkpoint-path": "/srv/other"},
        "none": {"checkpoint-enabled": False, "checkpoint-path": "/srv/none"},
        "odd": "what is this",
    }.items():
        home.ledger(("1", "h", 3), name=name)
        home.training(name, effective={"run_id": "1", "run_config": config})
    result = play()
    assert result["problems"] == [
        "The training other saves to /srv/other. Make a backup with fl_checkpoint_path=/srv/other and a"
        " backup_directory of its own."
    ]
    assert result["checkpoints"] == ["checkpoint_round_1.npz"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mount points")
def test_storage_that_is_not_mounted_is_told(play, tmp_path) -> None:
    guard(str(tmp_path))
    try:
        (problem,) = play()["problems"]
    finally:
        release(str(tmp_path))
    assert "nothing is mounted there" in problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has an account to become")
def test_all_is_done_as_the_account(play, save, tmp_path, backup, monkeypatch) -> None:
    """As on an export that squashes root: each call that touches the directory must come from the account."""
    save(1)
    for path in (tmp_path, *tmp_path.glob("checkpoint_*")):
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
    account = pwd.struct_passwd(("flower", "x", OTHER, OTHER, "", "/", "/bin/false"))
    monkeypatch.setattr(identity, "account_of", lambda name: account)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group])
    opened, by_root = os.open, []

    def squashing(path, *arguments, **more):
        if str(path).startswith(f"{tmp_path}/") and os.geteuid() == 0:
            by_root.append(path)
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", squashing)
    assert play()["checkpoints"] == ["checkpoint_round_1.npz"]
    for path in tmp_path.glob("checkpoint_*"):
        path.unlink()
    assert play(state="restored")["changed"]
    assert by_root == []
    found = list(tmp_path.glob("checkpoint_*"))
    assert {(path.stat().st_uid, oct(path.stat().st_mode & 0o777)) for path in found} == {(OTHER, "0o640")}


def test_what_the_account_may_not_read_fails_the_task(play, save, monkeypatch) -> None:
    save(1)

    def refused(directory, name, offset):
        raise checkpoints.UnreadableError(f"{directory}/{name} cannot be read: Permission denied.")

    monkeypatch.setattr(checkpoints, "read", refused)
    result = play()
    assert result["failed"]
    assert "Permission denied" in result["msg"]


def test_a_fresh_host_gets_all_and_one_with_newer_ones_nothing(play, save, tmp_path, backup) -> None:
    saved = [save(number) for number in (1, 2)]
    play()
    for path in tmp_path.glob("checkpoint_*"):
        path.unlink()
    first, second = (play(state="restored") for dummy in range(2))
    assert (first["changed"], first["checkpoints"]) == (True, ["checkpoint_round_2.npz", "checkpoint_round_1.npz"])
    assert second["changed"] is False
    assert [one.sha256 for one in _checkpoints.inspect(str(tmp_path)).checkpoints] == [one["sha256"] for one in saved]
    remove(tmp_path, 1)
    save(3)
    assert play(state="restored")["changed"] is False
    assert [one.round for one in _checkpoints.list_checkpoints(str(tmp_path))] == [2, 3]


def test_a_restore_that_was_cut_short_brings_the_rest(play, save, tmp_path) -> None:
    for number in (1, 2):
        save(number)
    play()
    remove(tmp_path, 1)
    assert play(state="restored")["checkpoints"] == ["checkpoint_round_2.npz", "checkpoint_round_1.npz"]


def test_a_directory_that_does_not_take_them_is_told(play, save, tmp_path, monkeypatch) -> None:
    save(1)
    play()
    remove(tmp_path, 1)
    target = tmp_path / "a-file"
    target.write_text("")
    result = play(state="restored", path=str(target))
    assert result["failed"]
    assert str(target) in result["msg"]


@pytest.mark.parametrize(
    "lie",
    [
        {"folder": "", "round": "../../../../tmp/evil", "sha256": "0" * 64, "file": "x"},
        {"folder": "", "round": True, "sha256": "0" * 64},
        {"folder": "", "round": -1, "sha256": "0" * 64},
        {"folder": "", "sha256": "0" * 64},
        {"round": 1, "sha256": "0" * 64},
        "checkpoint",
        *({"folder": name, "round": 1, "sha256": "0"} for name in ("..", "/etc", "previous", "default", "a/b", "A")),
    ],
)
def test_a_host_that_lies_names_no_file_on_the_controller(lie) -> None:
    with pytest.raises(AnsibleActionFail, match="tells of a checkpoint without a folder, a round or a hash"):
        action_backup._sound(lie)


def test_the_name_of_a_file_follows_from_its_folder_and_round() -> None:
    told = {"folder": "second", "round": 5, "sha256": "h", "file": "/etc/passwd"}
    assert action_backup._path(action_backup._sound(told)) == "second/checkpoint_round_5.npz"


def test_a_host_that_sends_without_end_is_stopped(play, save, tmp_path, monkeypatch) -> None:
    save(1)
    read = checkpoints.read
    pieces = []

    def endless(directory, name, offset):
        pieces.append(name)
        return read(directory, name, offset) if name.endswith("json") else b"x" * 100

    monkeypatch.setattr(checkpoints, "read", endless)
    with pytest.raises(AnsibleActionFail, match="has more than the [0-9]+ bytes that it can have"):
        play()
    assert len(pieces) < 200


def test_every_training_travels_in_its_folder_and_comes_back_to_it(play, save, tmp_path, backup) -> None:
    save(3)
    for number in (1, 2):
        save(number, "second", "second")
    save(9, "default", "previous")
    # The same bytes as one of another training.
    shutil.copytree(tmp_path / "second", tmp_path / "third")
    names = ["checkpoint_round_3.npz"]
    names += [f"{name}/checkpoint_round_{number}.npz" for name in ("second", "third") for number in (2, 1)]
    first, second = play(), play()
    assert (first["checkpoints"], first["problems"], second["changed"]) == (names, [], False)
    assert sorted(os.listdir(backup)) == ["checkpoint_round_3.json", "checkpoint_round_3.npz", "second", "third"]
    remove(tmp_path, 3)
    shutil.rmtree(tmp_path / "third")
    save(5, "second", "second")  # is newer than the backup
    remove(tmp_path / "second", 1)
    foreseen, brought = (play(state="restored", check_mode=rehearsed)["diff"] for rehearsed in (True, False))
    assert sorted(foreseen["after"].split()) == sorted(brought["after"].split()) == sorted([names[0], *names[3:]])
    assert [one.round for one in _checkpoints.list_checkpoints(str(tmp_path / "second"))] == [2, 5]
    assert [one.round for one in _checkpoints.inspect(str(tmp_path / "third")).checkpoints] == [1, 2]
