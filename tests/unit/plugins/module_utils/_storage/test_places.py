# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints get a directory that is nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import FILES, FOLDERS, file, folder
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue, parse
from ansible_collections.fedops.flower.plugins.module_utils._storage import places


@pytest.mark.parametrize(
    "directory",
    [
        "/opt/flower/checkpoints",
        "/opt/flower/checkpoints/heart",
        "/opt/checkpoints",
        "/srv/checkpoints",
        "/mnt/checkpoints",
        "/data/flower/checkpoints",
        "/var/lib/flower-checkpoints",
        "/app/checkpoints",
        "/rooted/checkpoints",
    ],
)
def test_a_directory_of_its_own_is_no_problem(directory: str) -> None:
    assert places.directory_problems(directory) == []


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        ("/opt", "must be the absolute path"),
        ("/opt/flower/", "must be the absolute path"),
        ("/opt/flower", "/opt/flower, the home of the account, lies there."),
        ("/opt/flower/state", "/opt/flower/state holds something else of Flower."),
        ("/opt/flower/certificates/checkpoints", "/opt/flower/certificates holds something else of Flower."),
        ("/opt/flower/supernodes/ward-a/app", "/opt/flower/supernodes holds something else of Flower."),
        ("/opt/flower/mirror", "/opt/flower/mirror holds something else of Flower."),
        ("/opt/flower/venv", "/opt/flower/venv holds something else of Flower."),
        ("/opt/flower/supernodes", "/opt/flower/supernodes holds something else of Flower."),
        ("/opt/flower/records/x", "/opt/flower/records holds something else of Flower."),
        ("/opt/flower/xfs", "below /opt/flower only /opt/flower/checkpoints holds checkpoints"),
        ("/opt/flower/checkpoints.before-mount", "below /opt/flower only /opt/flower/checkpoints holds checkpoints"),
        ("/opt/flower/checkpoints/", "must be the absolute path"),
        ("/opt/flower/checkpoints/../state", "must be the absolute path"),
        ("/opt/flower/checkpoints//a", "must be the absolute path"),
        ("/var/lib/cloud/scripts/per-boot", "that belongs to the system"),
        ("/var/lib/systemd/linger", "that belongs to the system"),
        ("/var/lib/flower-mirror", "/var/lib/flower-mirror holds something else of Flower."),
        ("/var/backups/flower/upgrades", "/var/backups/flower holds something else of Flower."),
        ("/snap/bin", "that belongs to the system"),
        ("/opt/flower/.ssh", "/opt/flower/.ssh holds something else of Flower."),
        ("/home/checkpoints", "the units of Flower do not see"),
        ("/root/checkpoints", "the units of Flower do not see"),
        ("/run/user", "the units of Flower do not see"),
        ("/var/tmp", "the units of Flower do not see"),
        ("/tmp/checkpoints", "the units of Flower do not see"),
        ("/var/lib", "that belongs to the system"),
        ("/var/anything", "that belongs to the system"),
        ("/var/log/flower", "that belongs to the system"),
        ("/usr/local/checkpoints", "that belongs to the system"),
        ("/etc/flower", "/etc/flower holds something else of Flower."),
    ],
)
def test_a_directory_that_is_somebody_elses_is_refused_with_the_reason(directory: str, said: str) -> None:
    (problem,) = places.directory_problems(directory)
    assert problem.startswith(f"checkpoints_directory is {directory!r} but {said}")


@pytest.mark.parametrize("name", ["my models", "a%b", 'a"b', "a'b", "a\\b", "a:b", "a$b", "a;b", "a\tb", "ä"])
def test_what_systemd_would_read_its_own_way_is_refused_by_the_role_and_the_variable(name: str) -> None:
    (problem,) = places.directory_problems(f"/srv/{name}/checkpoints")
    assert "must be of letters, digits and ._+=@,- between the slashes" in problem
    with pytest.raises(BadValue):
        parse(BY_NAME["checkpoint_path"], f"/srv/{name}/checkpoints")


def test_another_home_has_other_directories() -> None:
    assert places.directory_problems("/opt/flower/state", "/srv/flower") == []
    assert places.directory_problems("/srv/flower/checkpoints", "/srv/flower") == []
    (problem,) = places.directory_problems("/srv/flower/state", "/srv/flower")
    assert "/srv/flower/state holds something else of Flower." in problem
    (problem,) = places.directory_problems("/srv/flower", "/srv/flower/home/")
    assert "/srv/flower/home, the home of the account, lies there" in problem


def test_a_mount_of_our_own_may_lie_beside_the_folders_of_flower() -> None:
    assert places.directory_problems("/opt/flower/xfs", mounted=True) == []
    (problem,) = places.directory_problems("/opt/flower/published", mounted=True)
    assert "/opt/flower/published holds something else of Flower." in problem


@pytest.mark.parametrize("home", ["/opt/flower", "/srv/flower"])
def test_nothing_that_the_layout_names_is_a_place_for_checkpoints_but_their_own(home: str) -> None:
    named = [folder(home, entry.path) for entry in FOLDERS] + [file(home, entry.name) for entry in FILES]
    accepted = [path for path in named if not places.directory_problems(path, home, mounted=True)]
    assert accepted == [f"{home}/checkpoints"]
    assert [path for path in named if not places.directory_problems(f"{path}/below", home, mounted=True)] == accepted


def test_what_saves_and_file_systems_leave_is_not_foreign() -> None:
    ours = [
        "checkpoint_round_5.npz",
        "checkpoint_latest.json",
        "checkpoint_round_5.npz.partial",
        "previous",
        ".lock",
        ".saved",
        "lost+found",
        ".snapshot",
    ]
    assert places.foreign([*ours, "dpkg", "photo"]) == ["dpkg", "photo"]


def test_in_a_directory_of_the_account_nothing_is_a_stranger(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    own, another = tmp_path.stat().st_uid, tmp_path.stat().st_uid + 1
    assert places.strangers(str(tmp_path), own) == []
    assert places.strangers(str(tmp_path), another) == ["photo"]


def test_the_folder_of_a_training_is_no_stranger_unless_it_holds_one(tmp_path: Path) -> None:
    for name in ("second/checkpoint_round_1.npz", "second/.lock", "photos/photo", "Third/checkpoint_round_1.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert places.strangers(str(tmp_path), tmp_path.stat().st_uid + 1) == ["Third", "photos"]


def test_strangers_are_named_with_the_way_out() -> None:
    said = places.foreign_problem("/srv/x", list("abcdefg"), 49999, 49999)
    assert said.startswith(
        "/srv/x does not belong to the user 49999 and holds what is no checkpoint: a, b, c, d, e and 2"
    )
    assert "chown 49999:49999 /srv/x" in said
