# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes of the mirror between a real directory and a bucket that is one."""

from __future__ import annotations

import json
import shutil
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.escape import environment_line
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.directory import inspect
from ansible_collections.fedops.flower.plugins.module_utils._mirror import fetch, program, rclone
from ansible_collections.fedops.flower.plugins.module_utils._mirror.rclone import Rclone, RcloneError
from ansible_collections.fedops.flower.plugins.module_utils._mirror.seal import is_sealed, read_secret, seal_of

from ... import saved

FAKE = Path(__file__).resolve().parents[2] / "rclone.py"
HASH = "a" * 64
FOLDER = "demo-aaaaaaaa"
SECRET, OTHER_SECRET = bytes(range(32)), bytes(32)


def save(directory: Path, number: int, content: str = "", training: str = "demo") -> None:
    saved.save(directory, number, {"weight.npy": content} if content else None, training=training)


def remove(directory: Path, *numbers: int) -> None:
    for number in numbers:
        for kind in ("json", "npz"):
            (directory / f"checkpoint_round_{number}.{kind}").unlink()


class World:
    """A host with a directory, and a bucket."""

    def __init__(self, path: Path) -> None:
        self.here, self.there, self.state = path / "checkpoints", path / "buckets" / "models", path / "state"
        for folder in (self.here, self.there, self.state):
            folder.mkdir(parents=True)
        self.outage = path / "buckets" / "outage"
        self.calls = path / "buckets" / "calls"
        executable = path / "rclone"
        executable.write_text(f"#!{sys.executable}\n" + FAKE.read_text())
        executable.chmod(0o755)
        self.said: list[str] = []
        self.secret: bytes | None = SECRET
        self._environment = {"RCLONE_CONFIG_MIRROR_ENDPOINT": str(path / "buckets")}
        self._executable = str(executable)

    def bucket(self, base: str = "mirror:models/flower") -> Rclone:
        return Rclone(base, self._environment, self._executable)

    def mirror(self, keep: int = 0) -> bool:
        state = program.State(str(self.state))
        return program.Mirror(str(self.here), self.bucket(), state, keep, self.secret).pass_once(self.said.append)

    def fetcher(self, base: str = "mirror:models/flower", sealed: bool = True) -> fetch.Fetcher:
        return fetch.Fetcher(str(self.here), "demo", HASH, self.bucket(base), self.secret, sealed)

    @property
    def folder(self) -> Path:
        return self.there / "flower" / FOLDER

    @property
    def known(self) -> dict:
        return json.loads((self.state / "state.json").read_text())

    def rounds(self, directory: Path | None = None) -> list[int]:
        found = inspect(str(directory or self.folder))
        return [checkpoint.round for checkpoint in found.checkpoints]


@pytest.fixture
def world(tmp_path: Path, own_account: None) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("content", ["[1]", "{", '{"copied": 3, "backlog": null, "problem": []}', "[" * 100_000])
def test_a_state_that_is_damaged_costs_time_and_nothing_else(world: World, content: str) -> None:
    save(world.here, 1)
    assert world.mirror()
    (world.state / "state.json").write_text(content)
    assert world.mirror()
    assert (world.known["backlog"], world.known["problem"]) == ([], None)


def test_every_checkpoint_is_copied_the_newest_first_and_its_manifest_last(world: World) -> None:
    for number in (1, 2):
        save(world.here, number)
    assert world.mirror()
    for number in (1, 2):
        for kind in ("json", "npz"):
            name = f"checkpoint_round_{number}.{kind}"
            assert (world.folder / name).read_bytes() == (world.here / name).read_bytes()
    assert [line for line in world.calls.read_text().splitlines() if line.startswith("copy")] == [
        f"copy {FOLDER} checkpoint_round_2.npz",
        f"copy {FOLDER} checkpoint_round_2.seal",
        f"copy {FOLDER} checkpoint_round_2.json",
        f"copy {FOLDER} checkpoint_round_1.npz",
        f"copy {FOLDER} checkpoint_round_1.seal",
        f"copy {FOLDER} checkpoint_round_1.json",
    ]
    assert (world.known["backlog"], world.known["problem"]) == ([], None)


def test_a_second_pass_copies_nothing(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    world.calls.unlink()
    assert world.mirror()
    assert "copy" not in world.calls.read_text()


def test_an_outage_is_a_backlog_and_is_caught_up(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    complete = world.known["complete"]
    world.outage.touch()
    save(world.here, 2)
    save(world.here, 3)
    assert not world.mirror()
    assert world.known["backlog"] == ["checkpoint_round_2.npz", "checkpoint_round_3.npz"]
    assert world.known["problem"] == 'Get "x": connection refused'
    assert world.known["complete"] == complete
    world.outage.unlink()
    assert world.mirror()
    assert world.rounds() == [1, 2, 3]
    assert (world.known["backlog"], world.known["problem"]) == ([], None)


def test_a_damaged_checkpoint_is_told_and_never_copied(world: World) -> None:
    save(world.here, 1)
    save(world.here, 2)
    with (world.here / "checkpoint_round_2.npz").open("r+b") as stream:
        stream.write(b"x")
    assert not world.mirror()
    assert world.rounds() == [1]
    assert sorted(path.name for path in world.folder.iterdir()) == [
        "checkpoint_round_1.json",
        "checkpoint_round_1.npz",
        "checkpoint_round_1.seal",
    ]
    assert "checkpoint_round_2.npz is damaged" in world.known["problem"]


def test_a_checkpoint_that_retention_takes_meanwhile_is_no_problem(world: World, monkeypatch) -> None:
    save(world.here, 1)
    save(world.here, 2)
    upload = Rclone.upload

    def pruned(self, directory, name, folder):
        if name == "checkpoint_round_1.npz":
            remove(world.here, 1)
        upload(self, directory, name, folder)

    monkeypatch.setattr(Rclone, "upload", pruned)
    assert world.mirror()
    assert world.rounds() == [2]


def test_what_changed_under_the_same_name_is_copied_again(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    save(world.here, 1, "another")
    assert world.mirror()
    name = "checkpoint_round_1.npz"
    assert (world.folder / name).read_bytes() == (world.here / name).read_bytes()


def test_what_somebody_took_from_the_bucket_is_copied_again(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    (world.folder / "checkpoint_round_1.npz").unlink()
    assert world.mirror()
    assert world.rounds() == [1]


def test_the_mirror_keeps_its_own_number_of_rounds(world: World) -> None:
    for number in range(1, 6):
        save(world.here, number)
        assert world.mirror(keep=3)
        if number > 1:
            remove(world.here, number - 1)
    assert world.rounds() == [3, 4, 5]
    assert world.rounds(world.here) == [5]


def test_rounds_before_which_the_training_began_again_are_put_aside(world: World) -> None:
    for number in (1, 2, 3):
        save(world.here, number)
    assert world.mirror()
    remove(world.here, 1, 2, 3)
    save(world.here, 1, "anew")
    assert world.mirror()
    assert world.rounds() == [1]
    (aside,) = (world.there / "flower" / "previous").iterdir()
    assert world.rounds(aside) == [2, 3]


def test_the_good_copy_of_a_round_that_is_damaged_here_stays(world: World) -> None:
    for number in (9, 10):
        save(world.here, number)
    assert world.mirror()
    before = sorted(path.name for path in world.folder.iterdir())
    (world.here / "checkpoint_round_10.json").write_text("{")
    assert world.mirror(keep=1)
    (world.here / "checkpoint_round_10.json").unlink()
    assert world.mirror(keep=1)
    assert sorted(path.name for path in world.folder.iterdir()) == before
    assert "checkpoint_round_10.json" in before


def test_an_empty_directory_takes_nothing_away(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    remove(world.here, 1)
    assert world.mirror(keep=1)
    assert world.rounds() == [1]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_host_with_nothing_fetches_the_best_beside_the_newest(world: World, damaged: bool) -> None:
    for number in (1, 2, 3, 4):
        saved.save(world.here, number, early_stopping={"best_round": min(number, 2)})
    assert world.mirror()
    remove(world.here, 1, 2, 3, 4)
    if damaged:
        (world.folder / "checkpoint_round_2.npz").write_bytes(
            b"x" * (world.folder / "checkpoint_round_2.npz").stat().st_size
        )
    fetcher = world.fetcher()
    found = fetcher.fetch()
    assert found is not None
    assert found.round == 4  # without which nothing goes on; the best is a gift
    assert world.rounds(world.here) == ([4] if damaged else [2, 4])
    assert bool(fetcher.problems) is damaged


def test_a_host_with_nothing_fetches_the_newest(world: World) -> None:
    for number in (9, 10):
        save(world.here, number)
    assert world.mirror()
    content = (world.here / "checkpoint_round_10.npz").read_bytes()
    shutil.rmtree(world.here)
    world.here.mkdir()
    fetched = world.fetcher().fetch()
    assert (fetched.round, Path(fetched.path).read_bytes()) == (10, content)
    assert sorted(path.name for path in world.here.iterdir()) == [
        ".lock",
        "checkpoint_round_10.json",
        "checkpoint_round_10.npz",
    ]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no manifest", "manifest cut", "of another training"])
def test_what_is_not_whole_in_the_mirror_is_stepped_over(world: World, damage: str) -> None:
    for number in (1, 2):
        save(world.here, number)
    assert world.mirror()
    remove(world.here, 1, 2)
    arrays, manifest = (world.folder / f"checkpoint_round_2.{kind}" for kind in ("npz", "json"))
    if damage == "truncated":
        arrays.write_bytes(arrays.read_bytes()[:-1])
    elif damage == "flipped":
        content = bytearray(arrays.read_bytes())
        content[50] ^= 1
        arrays.write_bytes(content)
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "manifest cut":
        manifest.write_text(manifest.read_text()[:-5])
    else:
        save(world.folder, 2, training="other")
    fetcher = world.fetcher()
    assert fetcher.fetch().round == 1
    assert len(fetcher.problems) == (0 if damage == "no manifest" else 1)
    assert world.rounds(world.here) == [1]


def test_a_mirror_without_this_training_has_nothing(world: World) -> None:
    assert world.fetcher().fetch() is None
    save(world.here, 1, training="other")
    assert world.mirror()
    assert world.fetcher().fetch() is None


def forge(world: World, number: int, how: str) -> None:
    """Be somebody who can write the bucket, and nothing else."""
    folder, seal = world.folder, world.folder / f"checkpoint_round_{number}.seal"
    folder.mkdir(parents=True, exist_ok=True)
    if how == "swapped":
        for kind in ("npz", "json", "seal"):
            shutil.copy(folder / f"checkpoint_round_1.{kind}", folder / f"checkpoint_round_{number}.{kind}")
        return
    save(folder, number, "NaN")  # consistent in itself
    if how == "no seal":
        seal.unlink(missing_ok=True)
    elif how == "seal of another round":
        seal.write_text((folder / "checkpoint_round_1.seal").read_text())
    elif how == "seal of another secret":
        seal.write_text(seal_of(inspect(str(folder)).checkpoints[-1], OTHER_SECRET))
    elif how == "empty seal":
        seal.write_text("")
    elif how == "endless seal":
        seal.write_bytes(b"a" * 100000)
    elif how == "no text":
        seal.write_bytes(b"\xff" * 64)
    else:
        assert how == "seal of before"


FORGERIES = (
    *("swapped", "no seal", "seal of another round", "seal of another secret", "empty seal", "endless seal"),
    *("no text", "seal of before"),
)


@pytest.mark.parametrize("how", FORGERIES)
def test_what_somebody_else_has_put_into_the_bucket_is_stepped_over(world: World, how: str) -> None:
    for number in (1, 2):
        save(world.here, number)
    assert world.mirror()
    forge(world, 2, how)
    remove(world.here, 1, 2)
    fetcher = world.fetcher()
    assert fetcher.fetch().round == 1
    (problem,) = fetcher.problems
    assert "checkpoint_round_2" in problem
    assert world.rounds(world.here) == [1]


@pytest.mark.parametrize("how", ["no seal", "seal of another secret"])
def test_when_nothing_is_sealed_nothing_begins_and_it_is_told_what_to_do(world: World, how: str) -> None:
    forge(world, 2, how)
    with pytest.raises(fetch.UnsealedError, match=r"the training demo \(round 2\).*checkpoints_mirror_seal_secret"):
        world.fetcher().fetch()
    assert world.rounds(world.here) == []
    assert world.fetcher(sealed=False).fetch().round == 2


def test_a_fresh_host_without_the_secret_is_told_that(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    remove(world.here, 1)
    world.secret = None
    with pytest.raises(fetch.UnsealedError, match="as this host has no secret.*Restore the backup"):
        world.fetcher().fetch()


def test_what_an_older_release_has_mirrored_is_sealed_by_the_next_pass(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    (world.folder / "checkpoint_round_1.seal").unlink()
    state = world.known
    state["copied"][FOLDER]["1"] = json.loads((world.here / "checkpoint_round_1.json").read_text())["manifest_sha256"]
    (world.state / "state.json").write_text(json.dumps(state))
    assert world.mirror()
    remove(world.here, 1)
    assert world.fetcher().fetch().round == 1


def test_another_secret_seals_all_anew(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    world.secret = OTHER_SECRET
    assert world.mirror()
    remove(world.here, 1)
    assert world.fetcher().fetch().round == 1


@pytest.mark.parametrize(("kind", "size"), [("npz", 10_000_000), ("json", 200_000_000)])
def test_more_than_can_be_is_never_brought(world: World, monkeypatch, kind: str, size: int) -> None:
    for number in (1, 2):
        save(world.here, number)
    assert world.mirror()
    remove(world.here, 1, 2)
    with (world.folder / f"checkpoint_round_2.{kind}").open("r+b") as stream:
        stream.truncate(size)
    listed = {name: path.stat().st_size for name, path in ((p.name, p) for p in world.folder.iterdir())}
    listed["checkpoint_round_2.npz"] = json.loads((world.folder / "checkpoint_round_1.json").read_text())["bytes"]
    monkeypatch.setattr(Rclone, "list", lambda self: {FOLDER: listed})
    fetcher = world.fetcher()
    assert fetcher.fetch().round == 1
    assert "has more than the" in fetcher.problems[0]


def test_a_list_without_end_is_cut(world: World, monkeypatch) -> None:
    save(world.here, 1)
    assert world.mirror()
    monkeypatch.setattr(rclone, "LISTING_LIMIT", 100)
    with pytest.raises(rclone.TooLargeError, match="has more than the 100 bytes"):
        world.fetcher().fetch()


def test_a_seal_holds_for_all_that_a_manifest_says(world: World) -> None:
    save(world.here, 1)
    (checkpoint,) = inspect(str(world.here)).checkpoints
    assert is_sealed(checkpoint, SECRET, seal_of(checkpoint, SECRET))
    for field in ("training", "configuration_hash", "round", "sha256", "bytes", "manifest_sha256"):
        other = replace(checkpoint, manifest={**checkpoint.manifest, field: "other"})
        assert not is_sealed(other, SECRET, seal_of(checkpoint, SECRET))


@pytest.mark.parametrize("size", [0, 15, 5000])
def test_what_is_no_secret_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "secret").write_bytes(bytes(size))
    with pytest.raises(FedopsError, match=f"has {min(size, 4097)} bytes but must have 16 to 4096"):
        read_secret(str(tmp_path / "secret"))


def test_a_bucket_that_does_not_exist_is_not_an_empty_one(world: World) -> None:
    with pytest.raises(RcloneError, match="the bucket moodels does not exist"):
        world.fetcher("mirror:moodels/flower").fetch()


def test_what_lies_in_the_way_is_put_aside(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    remove(world.here, 1)
    save(world.here, 1, training="other")
    assert world.fetcher().fetch().training == "demo"
    (aside,) = (world.here / "previous").iterdir()
    assert inspect(str(aside)).checkpoints[0].training == "other"


def test_a_run_that_saves_there_keeps_the_mirror_out(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    remove(world.here, 1)
    with world.fetcher()._locked(0), pytest.raises(fetch.FetchError, match="a run is saving there"):
        world.fetcher().fetch(budget=0)


SAYS_MUCH = """#!/bin/sh
head -c 30000000 /dev/zero | tr '\\0' x
head -c 30000000 /dev/zero | tr '\\0' x >&2
printf '\\ncaused by: no\\033[2J way' >&2
exit 1
"""


def test_what_rclone_says_is_bounded_and_harmless(tmp_path: Path) -> None:
    executable = tmp_path / "rclone"
    executable.write_text(SAYS_MUCH)
    executable.chmod(0o755)
    bucket = Rclone("mirror:models", {}, str(executable))
    tracemalloc.start()
    with pytest.raises(RcloneError) as error:
        bucket.move("a", "b", ["c"])
    assert str(error.value) == "no\\x1b[2J way"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert str(RcloneError("\x1b" * 10**6)).isprintable()
    assert len(str(RcloneError("\x1b" * 10**6))) <= 2000


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("", "rclone has failed without a word"),
        (
            "2026/11/25 23:53:48 Failed to copy: denied\n\tstatus code: 403, request id: 1, host id: \n",
            "Failed to copy: denied",
        ),
        (
            '2026/11/25 23:53:50 Failed\ncaused by: Get "https://b": connection refused',
            'Get "https://b": connection refused',
        ),
    ],
)
def test_rclone_is_quoted_without_times_and_ids(errors: str, said: str) -> None:
    assert rclone.reason(errors) == said


@pytest.mark.parametrize("value", ["plain", "with'quote", 'with"quote', "back\\slash", "a$b`c`", "a = b # c", ""])
def test_a_key_is_read_as_it_was_written(tmp_path: Path, value: str) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text("# made\n" + environment_line("RCLONE_KEY", value) + "\nOTHER='as before'\n")
    assert rclone.read_environment(str(path)) == {"RCLONE_KEY": value, "OTHER": "as before"}


def test_every_training_is_copied_from_its_folder_the_newest_of_each_first(world: World) -> None:
    (world.here / "second").mkdir()
    for number in (8, 9):
        save(world.here, number)
    for number in (1, 2):
        save(world.here / "second", number, training="second")
    assert world.mirror()
    copied = [line.split()[1:] for line in world.calls.read_text().splitlines() if line.startswith("copy")]
    assert [part for part in copied if part[1].endswith(".npz")] == [
        [FOLDER, "checkpoint_round_9.npz"],
        ["second-aaaaaaaa", "checkpoint_round_2.npz"],
        [FOLDER, "checkpoint_round_8.npz"],
        ["second-aaaaaaaa", "checkpoint_round_1.npz"],
    ]
    remove(world.here / "second", 1)
    save(world.here / "second", 3, training="second")
    world.outage.touch()
    assert not world.mirror(keep=1)
    assert world.known["backlog"] == ["second/checkpoint_round_3.npz"]
    world.outage.unlink()
    assert world.mirror(keep=1)
    assert world.rounds(world.there / "flower" / "second-aaaaaaaa") == [2, 3]
    assert world.rounds() == [8, 9]


def test_a_training_begins_in_its_folder_with_what_the_mirror_has(world: World) -> None:
    save(world.here, 1)
    assert world.mirror()
    fetcher = fetch.Fetcher(str(world.here / "demo"), "demo", HASH, world.bucket(), world.secret, True)
    assert fetcher.fetch().path == str(world.here / "demo" / "checkpoint_round_1.npz")


OURS, OTHER = "b" * 64, "c" * 64


@pytest.mark.parametrize(
    ("code", "change", "round_number"),
    [
        (OURS, "new", 2),
        (OTHER, "new", 9),
        ("d" * 64, "new", None),  # whose folder is not there, and what is of before has other code
        ("", "", 5),
        ("d" * 64, "continue", 5),
    ],
)
def test_what_is_fetched_has_the_code_that_the_training_has(
    world: World, tmp_path: Path, code: str, change: str, round_number: int | None
) -> None:
    """The rounds of two codes have the same numbers, and retention must not take those of the one for the other's."""
    ours, other = ({"code": code, "code_began": code} for code in (OURS, OTHER))
    taken_over = {"code": "e" * 64}
    for here, number, said in (("a", 2, ours), ("b", 9, other), ("c", 4, {}), ("c", 5, taken_over)):
        world.here = tmp_path / here
        saved.save(world.here, number, **said)
        assert world.mirror(keep=1)
    assert sorted(path.name for path in (world.there / "flower").iterdir()) == [
        FOLDER,
        f"{FOLDER}.bbbbbbbb",
        f"{FOLDER}.cccccccc",
    ]
    world.here = tmp_path / "empty"
    world.here.mkdir()
    fetcher = fetch.Fetcher(str(world.here), "demo", HASH, world.bucket(), world.secret, True, code, change)
    found = fetcher.fetch()
    assert (found.round if found else None) == round_number
    if round_number is None:
        assert all("was trained with other code" in problem for problem in fetcher.problems)


def test_what_went_on_with_other_code_is_in_the_folder_of_the_first(world: World, tmp_path: Path) -> None:
    saved.save(world.here, 3, code=OTHER, code_began=OURS)
    assert world.mirror()
    assert [path.name for path in (world.there / "flower").iterdir()] == [f"{FOLDER}.bbbbbbbb"]
    for change, found in (("new", None), ("continue", 3)):
        empty = tmp_path / change
        empty.mkdir()
        fetcher = fetch.Fetcher(str(empty), "demo", HASH, world.bucket(), world.secret, True, "d" * 64, change)
        assert (fetched.round if (fetched := fetcher.fetch()) else None) == found
    # A directory with a checkpoint of other code has none that the training would go on from.
    for change, local in (("new", None), ("continue", 3)):
        fetcher = fetch.Fetcher(str(world.here), "demo", HASH, world.bucket(), world.secret, True, OURS, change)
        assert (kept.round if (kept := fetcher.local) else None) == local
