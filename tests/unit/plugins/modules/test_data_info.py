# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ClientApps can read their data is tried as one of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode import data as _data

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
GROUP = 49999
HELP = (
    "ClientApps read data as members of the group flower, which may have no user on this host yet. Let it read:"
    " 'chgrp -R flower {0}' and 'chmod -R g+rX {0}', and 'chmod o+x' for the directories above."
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize(
    ("mode", "group", "readable"),
    [(0o750, GROUP, True), (0o755, 0, True), (0o750, 0, False), (0o710, GROUP, False), (0o740, GROUP, False)],
)
def test_what_counts_is_whether_a_member_gets_in(run_module, place, mode, group, readable) -> None:
    data = place / "data"
    data.mkdir()
    os.chown(data, 0, group)
    data.chmod(mode)
    problem = f"{data} cannot be read by ClientApps. {HELP.format(data)}"
    assert run_module("data_info", directories=[str(data)])["problems"] == ([] if readable else [problem])


def test_groups_of_whoever_asks_open_nothing(run_module, place, in_groups) -> None:
    data = place / "data"
    data.mkdir(mode=0o750)
    os.chown(data, 0, in_groups[0])
    assert len(run_module("data_info", directories=[str(data)])["problems"]) == 1


def test_what_lies_behind_a_closed_directory_is_not_readable(run_module, place) -> None:
    (place / "closed" / "data").mkdir(parents=True)
    (place / "closed").chmod(0o700)
    assert len(run_module("data_info", directories=[str(place / "closed" / "data")])["problems"]) == 1


def test_of_homes_units_have_others_where_only_the_directory_itself_counts(run_module, place, monkeypatch) -> None:
    (place / "closed" / "data").mkdir(parents=True)
    (place / "closed" / "shut").mkdir(mode=0o700)
    (place / "closed").chmod(0o700)
    paths = [str(place / "closed" / name) for name in ("data", "shut")]
    monkeypatch.setattr(_data, "HOMES", f"{place}/")
    assert [problem.split()[0] for problem in run_module("data_info", directories=paths)["problems"]] == [paths[1]]


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ("home/images", "Set supernode_data_directory to {place}/home/images."),
        ("tmp/images", "Put the data elsewhere, as below /srv, and name that in supernode_data_directory."),
        ("flower/state", "Put the data elsewhere, as below /srv, and name that in supernode_data_directory."),
        ("flower/data/images", ""),
        ("mnt/images", ""),
    ],
)
def test_a_link_to_where_the_units_see_nothing_is_told(place, monkeypatch, behind: str, told: str) -> None:
    homes = (f"{place}/home/",)
    monkeypatch.setattr(_data, "HOMES", homes)
    monkeypatch.setattr(_data, "_UNSEEN", (*homes, f"{place}/tmp/"))
    (place / behind).mkdir(parents=True)
    for linked in ("images", "above"):  # the directory itself, or one above it
        (place / linked).symlink_to(place / (behind if linked == "images" else behind.rpartition("/")[0]))
    for path in (f"{place}/images", f"{place}/above/{behind.rpartition('/')[2]}"):
        found = _data.problems([path], f"{place}/flower", [GROUP], "flower")
        leads = f"{path} leads to {place}/{behind}, which the units of ClientApps do not see through a link. {told}"
        assert found == ([leads.format(place=place)] if told else [])
    assert _data.problems([f"{place}/{behind}"], "/opt/flower", [GROUP], "flower") == []


def test_what_is_missing_is_told_unless_it_will_be_made(run_module, home, place) -> None:
    (place / "file").write_text("")
    paths = [str(home.path / "data"), str(home.path / "data" / "a"), str(place / "none"), str(place / "file")]
    assert run_module("data_info", directories=paths)["problems"] == [
        f"{place}/none does not exist. Put the data there, readable for the group flower, or name another one in"
        " supernode_data_directory.",
        f"{place}/file is no directory. {HELP.format(place / 'file')}",
    ]


def test_a_directory_that_gives_no_answer_is_not_waited_for(place, monkeypatch) -> None:
    monkeypatch.setattr(_data, "NFS_PATIENCE", 1)
    monkeypatch.setattr(_data.os, "stat", lambda _path: __import__("time").sleep(60))
    assert _data.problems([str(place)], "/opt/flower", [GROUP], "flower")[0].startswith(f"{place} has not answered for")


def test_an_empty_directory_is_filled_later_and_nothing_is_looked_into_without_a_use_case(run_module, place) -> None:
    (place / "data").mkdir()
    asked = {"directories": [str(place / "data")]}
    assert run_module("data_info", use_case="digits", **asked)["problems"] == []
    (place / "data/train.npz").write_text("text")
    assert run_module("data_info", **asked)["problems"] == []
    assert run_module("data_info", use_case="digits", **asked)["problems"] == [
        f"{place}/data holds train.npz, which is no archive of NumPy. Write it with numpy.savez (docs/use-cases.md,"
        " digits)."
    ]


def test_what_a_member_cannot_read_is_not_read_for_it(run_module, place) -> None:
    (place / "data").mkdir()
    (place / "data/train.csv").symlink_to(place / "closed")
    for content in (None, "root:secret\n"):
        if content:
            (place / "closed").write_text(content)
            (place / "closed").chmod(0o600)
        (problem,) = run_module("data_info", directories=[str(place / "data")], use_case="anomaly-detection")[
            "problems"
        ]
        assert problem.startswith(f"{place}/data holds train.csv, which cannot be read by ClientApps. Let their group")


def test_a_use_case_that_there_is_not_is_told(run_module, place) -> None:
    answer = run_module("data_info", directories=[str(place)], use_case="radiology")
    assert "app_use_case is 'radiology' but must be one of digits" in answer["msg"]
