# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mirror is asked for, and what of it is missing, overtaken or too much."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.filter.checkpoints_problems import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._mirror import rules

ROOT = Path(__file__).resolve().parents[5]
PLACE = {"backend": "local", "directory": "/opt/flower/checkpoints", "device": "", "export": "", "nfs_options": ""}
WANTED = {
    "bucket": "models",
    "prefix": "hospitals/flower",
    "endpoint": "https://s3.example.org",
    "ca_file": "",
    "provider": "Other",
    "region": "",
    "access_key_id": "AKID",
    "secret_access_key": "never told",
    "keep": 10,
    "interval": "60",
}
FOLDER = "demo-aaaaaaaa"


def problems(**changes: object) -> list[str]:
    wanted = {**WANTED, "secret_access_key": "never-told", **changes}
    return FilterModule().filters()["checkpoints_problems"]({**PLACE, "mirror": wanted})


def checkpoint(number: int, training: str = "demo", seal: str = "") -> Checkpoint:
    manifest = {"round": number, "training": training, "configuration_hash": "a" * 64, "bytes": 10}
    return Checkpoint(f"/c/checkpoint_round_{number}.npz", {**manifest, "manifest_sha256": seal or f"seal {number}"})


def remote(*numbers: int, size: int = 10) -> dict[str, dict[str, int]]:
    files = {}
    for number in numbers:
        files[f"checkpoint_round_{number}.npz"] = size
        files[f"checkpoint_round_{number}.json"] = 500
        files[f"checkpoint_round_{number}.seal"] = 64
    return {FOLDER: files}


def seal(found: Checkpoint) -> str:
    return str(found.manifest["manifest_sha256"])


def copied(*numbers: int) -> dict[str, dict[str, str]]:
    return {FOLDER: {str(number): f"seal {number}" for number in numbers}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"endpoint": "", "provider": "AWS", "region": "eu-central-1"},
        {"endpoint": "http://127.0.0.1:9000", "prefix": ""},
        {"endpoint": "http://[::1]:9000", "keep": "0"},
        {"ca_file": "/etc/ssl/ours.pem"},
        {"seal_secret": "s" * 32},
    ],
)
def test_a_mirror_that_can_be_reached_is_no_problem(changes: dict[str, object]) -> None:
    assert problems(**changes) == []


def test_without_a_mirror_nothing_is_asked_of_it() -> None:
    assert FilterModule().filters()["checkpoints_problems"]({**PLACE, "mirror": None}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": ""}, ["which needs checkpoints_mirror_bucket"]),
        ({"bucket": "models/flower"}, ["A folder in it belongs to checkpoints_mirror_prefix"]),
        ({"prefix": "../other"}, ["checkpoints_mirror_prefix is '../other'"]),
        ({"prefix": "/a"}, ["checkpoints_mirror_prefix is '/a'"]),
        ({"prefix": "a\nsecret"}, ["must be a folder in the bucket"]),
        ({"endpoint": "http://s3.example.org"}, ["must begin with https: models would travel in clear"]),
        ({"endpoint": "s3.example.org"}, ["must be a URL such as"]),
        ({"endpoint": "https://[broken"}, ["must be a URL such as"]),
        ({"endpoint": "https://key:word@s3.example.org"}, ["must be a URL such as"]),
        ({"region": "a\nenv_auth = true"}, ["checkpoints_mirror_region is"]),
        ({"secret_access_key": "it's"}, ["without blanks, quotes and backslashes"]),
        ({"ca_file": "ours.pem"}, ["must be the absolute path of a file on the SuperLink host"]),
        ({"keep": -1, "interval": True}, ["checkpoints_mirror_keep is -1", "checkpoints_mirror_interval is True"]),
        ({"interval": 1}, ["at least 5"]),
        ({"seal_secret": "short"}, ["checkpoints_mirror_seal_secret must be one word of at least 32 letters"]),
        ({"seal_secret": "two words " * 9}, ["checkpoints_mirror_seal_secret must be one word"]),
        (
            {"access_key_id": "", "secret_access_key": "two words"},
            ["checkpoints_mirror_access_key_id must be", "checkpoints_mirror_secret_access_key must be"],
        ),
    ],
)
def test_all_problems_are_told_at_once_and_no_key(changes: dict[str, object], said: list[str]) -> None:
    found = problems(**changes)
    assert [part in problem for part, problem in zip(said, found, strict=True)] == [True] * len(said)
    assert "two words" not in str(found)


def test_the_newest_that_is_missing_comes_first() -> None:
    local = [checkpoint(number) for number in (1, 2, 3, 4)]
    assert [entry.round for entry in rules.missing(local, remote(2, 4), copied(1, 2, 4), seal)] == [3, 1]


@pytest.mark.parametrize(
    ("there", "known"),
    [
        (remote(1), {}),  # nobody knows whether it is the same
        (remote(1, size=9), copied(1)),  # another size
        ({FOLDER: {"checkpoint_round_1.npz": 10, "checkpoint_round_1.seal": 64}}, copied(1)),  # no manifest
        ({FOLDER: {"checkpoint_round_1.npz": 10, "checkpoint_round_1.json": 500}}, copied(1)),  # no seal
        ({}, copied(1)),  # somebody has removed it
        (remote(1), {FOLDER: {"1": "that of an older training"}}),
    ],
)
def test_what_did_not_arrive_as_it_is_here_is_missing(there: dict, known: dict) -> None:
    assert [entry.round for entry in rules.missing([checkpoint(1)], there, known, seal)] == [1]


def test_newer_rounds_than_the_host_has_are_overtaken_and_only_of_its_trainings() -> None:
    there = {**remote(1, 2, 8, 9), "other-aaaaaaaa": remote(9)[FOLDER]}
    assert rules.overtaken([checkpoint(1), checkpoint(2)], there) == {FOLDER: [8, 9]}
    assert rules.overtaken([], there) == {}


def test_a_round_whose_manifest_is_damaged_here_is_not_overtaken_nor_are_those_before_it() -> None:
    there = remote(7, 8, 9, 10, 11)
    assert rules.overtaken([checkpoint(8)], there) == {FOLDER: [9, 10, 11]}
    assert rules.overtaken([checkpoint(8)], there, doubtful={10}) == {FOLDER: [11]}
    assert rules.overtaken([checkpoint(8)], there, doubtful={2}) == {FOLDER: [9, 10, 11]}


def test_retention_keeps_what_is_damaged_here() -> None:
    there = {FOLDER: {**remote(1, 2, 3, 4, 5)[FOLDER], "checkpoint_round_6.npz": 5}}
    assert rules.superfluous([checkpoint(5)], there, keep=2, doubtful={2, 6}) == {FOLDER: [1, 3]}


def test_retention_keeps_the_newest_and_what_the_host_keeps() -> None:
    there = {**remote(1, 2, 3, 4, 5), "other-aaaaaaaa": remote(1, 2, 3, 4, 5)[FOLDER]}
    local = [checkpoint(2), checkpoint(5)]
    assert rules.superfluous(local, there, keep=2) == {FOLDER: [1, 3]}
    assert rules.superfluous(local, there, keep=0) == {}
    assert rules.superfluous([], there, keep=1) == {}


def test_arrays_that_never_got_their_manifest_are_given_up_unless_the_host_has_them() -> None:
    there = {FOLDER: {**remote(3)[FOLDER], "checkpoint_round_1.npz": 5, "checkpoint_round_2.npz": 5}}
    assert rules.superfluous([checkpoint(2), checkpoint(3)], there, keep=0) == {FOLDER: [1]}


def test_a_listing_is_sorted_by_folders_and_not_deeper() -> None:
    entries = [
        {"Path": "demo-aaaaaaaa/checkpoint_round_10.npz", "Size": 7, "IsDir": False},
        {"Path": "demo-aaaaaaaa", "Size": -1, "IsDir": True},
        {"Path": "previous/demo-aaaaaaaa-T", "Size": -1, "IsDir": True},
        {"Path": "previous/demo-aaaaaaaa-T/checkpoint_round_9.npz", "Size": 7, "IsDir": False},
        {"Path": "stray", "Size": 1, "IsDir": False},
    ]
    assert rules.listing(entries) == {FOLDER: {"checkpoint_round_10.npz": 7}}
    assert rules.rounds({**remote(2, 10)[FOLDER], "checkpoint_round_11.json": 5}) == [2, 10]
