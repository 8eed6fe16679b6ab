# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from contextlib import nullcontext

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import manifest
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_guard import guard, release


def without_age(result: dict) -> dict:
    """Take the ages out, which are of the moment, and make sure that they are ages."""
    for checkpoint in filter(None, [*result["checkpoints"], *result["trainings"], result["latest"]]):
        assert checkpoint.pop("age") > 0 or checkpoint["timestamp"]
    return result


@pytest.mark.parametrize("path", ["", "nothing-here"])
def test_a_directory_without_checkpoints_holds_none(run_module, tmp_path, path) -> None:
    expected = {"changed": False, "checkpoints": [], "latest": None, "trainings": [], "problems": []}
    assert run_module("checkpoint_info", path=str(tmp_path / path)) == expected


def test_checkpoints_come_oldest_first_and_the_latest_once_more(run_module, tmp_path, save) -> None:
    saved = [save(number) for number in (5, 10)]
    assert without_age(run_module("checkpoint_info", path=str(tmp_path))) == {
        "changed": False,
        "checkpoints": saved,
        "latest": saved[-1],
        "trainings": saved[-1:],
        "problems": [],
    }


def test_a_damaged_checkpoint_is_a_problem_and_not_the_latest(run_module, tmp_path, save) -> None:
    good, damaged = save(5), save(10)
    path = tmp_path / damaged["file"]
    path.write_bytes(path.read_bytes()[:-1])
    result = without_age(run_module("checkpoint_info", path=str(tmp_path)))
    assert (result["checkpoints"], result["latest"]) == ([good], good)
    assert result["problems"] == [
        f"{path} is damaged: it has {damaged['bytes'] - 1} bytes, its manifest says {damaged['bytes']}.",
        f"{tmp_path}/checkpoint_latest.npz points to {damaged['file']}; the newest good checkpoint is {good['file']}.",
    ]


def test_a_checkpoint_is_found_by_its_hash_also_when_it_was_put_aside(run_module, tmp_path, save) -> None:
    saved = save(5)
    aside = tmp_path / "previous" / "default-12345678-20261123T062212Z"
    aside.mkdir(parents=True)
    (tmp_path / "previous" / "a-file").write_text("")

    def match() -> dict:
        return run_module("checkpoint_info", path=str(tmp_path), sha256=saved["sha256"])["match"]

    assert match()["path"] == saved["path"]
    for path in tmp_path.glob("checkpoint_*"):
        path.rename(aside / path.name)
    assert match()["path"] == str(aside / saved["file"])
    (aside / saved["file"]).write_bytes(b"damaged")
    assert match() is None


def test_what_root_may_not_list_is_read_as_the_account(run_module, tmp_path, save, monkeypatch) -> None:
    """An export that squashes root lets the owner of a directory list it, and nobody else."""
    save(5)
    listdir, refused = os.listdir, []

    def squashed(path: str = ".") -> list[str]:
        if path == str(tmp_path) and not refused:
            refused.append(path)
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", squashed)
    assert run_module("checkpoint_info", path=str(tmp_path))["latest"]["round"] == 5
    assert refused == [str(tmp_path)]


def test_what_root_may_list_and_not_open_is_read_as_the_account(run_module, tmp_path, save, squashed) -> None:
    saved = save(5)
    result = run_module("checkpoint_info", path=str(tmp_path), sha256=saved["sha256"])
    assert (result["latest"]["round"], result["match"]["round"], result["problems"], squashed) == (5, 5, [], [True])


def test_a_disk_that_fails_for_one_file_is_a_problem_and_not_the_end(run_module, tmp_path, save, monkeypatch) -> None:
    save(5)
    save(10)
    opened = manifest.opened

    def failing(path: str) -> object:
        if path.endswith("round_5.json"):
            raise OSError(5, "Input/output error", path)
        return opened(path)

    monkeypatch.setattr(manifest, "opened", failing)
    monkeypatch.setattr(identity, "as_checkpoint_owner", nullcontext)
    result = run_module("checkpoint_info", path=str(tmp_path))
    assert result["latest"]["round"] == 10
    assert result["problems"] == [f"{tmp_path}/checkpoint_round_5.json cannot be read: Input/output error."]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mount points")
def test_storage_that_is_not_mounted_is_a_problem(run_module, tmp_path) -> None:
    guard(str(tmp_path))
    try:
        (problem,) = run_module("checkpoint_info", path=str(tmp_path))["problems"]
    finally:
        release(str(tmp_path))
    assert problem.startswith(f"{tmp_path} is a mount point, but nothing is mounted there")


def test_the_checkpoints_of_every_training_are_found_in_its_folder(run_module, tmp_path, save) -> None:
    own, others = [save(number) for number in (9, 10)], [save(number, "second", "second") for number in (1, 2)]
    save(7, "default", "previous")  # no training, and not to be taken for one
    (tmp_path / "link").symlink_to(tmp_path / "second")
    both = without_age(run_module("checkpoint_info", path=str(tmp_path)))
    assert both["checkpoints"] == own + others
    assert [(one["training"], one["round"]) for one in both["trainings"]] == [("default", 10), ("second", 2)]
    one = without_age(run_module("checkpoint_info", path=str(tmp_path), training="second", sha256=own[0]["sha256"]))
    assert (one["checkpoints"], one["latest"]) == (others, others[-1])
    assert one["match"]["path"] == own[0]["path"]
    assert without_age(run_module("checkpoint_info", path=str(tmp_path), training="third"))["checkpoints"] == []


def test_the_latest_of_several_trainings_is_the_one_that_was_saved_last(run_module, tmp_path, save) -> None:
    save(10)
    later = save(1, "second", "second")
    manifest_file = tmp_path / "second" / "checkpoint_round_1.json"
    values = json.loads(manifest_file.read_text())
    manifest_file.write_text(json.dumps(manifest.sealed({**values, "timestamp": "2026-11-23T06:22:13Z"})))
    found = run_module("checkpoint_info", path=str(tmp_path))
    assert found["latest"]["sha256"] == later["sha256"]


def test_a_training_that_has_begun_in_the_path_itself_is_found_there(run_module, tmp_path, save) -> None:
    saved = save(3, "second")
    assert run_module("checkpoint_info", path=str(tmp_path), training="second")["latest"]["path"] == saved["path"]


def test_only_the_newest_good_ones_are_read_where_that_is_asked_for(run_module, tmp_path, save) -> None:
    for number in (1, 2, 3):
        save(number)
    save(4, "second", "second")
    for name in ("checkpoint_round_1.npz", "checkpoint_round_3.npz"):
        (tmp_path / name).write_bytes(b"damaged")
    found = run_module("checkpoint_info", path=str(tmp_path), verify="newest")
    assert [one["round"] for one in found["checkpoints"]] == [2, 4]
    assert [problem.partition(" ")[0] for problem in found["problems"]] == [
        f"{tmp_path}/checkpoint_round_3.npz",
        f"{tmp_path}/checkpoint_latest.npz",
    ]
