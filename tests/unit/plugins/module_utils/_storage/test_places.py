# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints get a directory that is nobody else's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue, parse
from ansible_collections.fedops.flower.plugins.module_utils._storage import places

ROOT = Path(__file__).resolve().parents[5]


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
        ("/opt/flower/supernodes", "/opt/flower/supernodes holds something else of Flower."),
        ("/opt/flower/records/x", "/opt/flower/records holds something else of Flower."),
        ("/opt/flower/xfs", "below /opt/flower only /opt/flower/checkpoints holds checkpoints"),
        ("/opt/flower/checkpoints.before-mount", "below /opt/flower only /opt/flower/checkpoints holds checkpoints"),
        ("/opt/flower/checkpoints/", "must be the absolute path"),
        ("/opt/flower/checkpoints/../state", "must be the absolute path"),
        ("/opt/flower/checkpoints//a", "must be the absolute path"),
        ("/var/lib/cloud/scripts/per-boot", "that belongs to the system"),
        ("/var/lib/systemd/linger", "that belongs to the system"),
        ("/var/lib/flower-mirror", "that belongs to the system"),
        ("/var/backups/flower/upgrades", "that belongs to the system"),
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
        ("/etc/flower", "that belongs to the system"),
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


def test_every_folder_that_a_role_keeps_in_the_home_is_known() -> None:
    texts = [file.read_text() for file in ROOT.glob("roles/*/*/*") if file.suffix in (".yml", ".j2")]
    kept = {name for text in texts for name in re.findall(r"runtime_home *\}\}/([a-z]+)", text)}
    assert {"state", "venv"} < kept
    assert kept - {"checkpoints", *places.TAKEN_IN_HOME} == set()


def test_what_saves_and_file_systems_leave_is_not_foreign() -> None:
    ours = [
        "checkpoint_round_5.npz",
        "checkpoint_latest.json",
        "checkpoint_round_5.npz.partial",
        "previous",
        ".lock",
        "lost+found",
        ".snapshot",
    ]
    assert places.foreign([*ours, "dpkg", "photo"]) == ["dpkg", "photo"]


def test_in_a_directory_of_the_account_nothing_is_a_stranger(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    own, another = tmp_path.stat().st_uid, tmp_path.stat().st_uid + 1
    assert places.strangers(str(tmp_path), own) == []
    assert places.strangers(str(tmp_path), another) == ["photo"]


def test_strangers_are_named_with_the_way_out() -> None:
    said = places.foreign_problem("/srv/x", list("abcdefg"), 49999, 49999)
    assert said.startswith(
        "/srv/x does not belong to the user 49999 and holds what is no checkpoint: a, b, c, d, e and 2"
    )
    assert "chown 49999:49999 /srv/x" in said
