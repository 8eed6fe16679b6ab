# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of a role's variables, checked before the role runs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.arguments import argument_problems


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("checkpoints_mirror_keep", "ten", "of the type int"),
        ("checkpoints_mirror_interval", "", "of the type int"),
        ("checkpoints_mirror_interval", [60], "of the type int"),
        ("checkpoints_disk_adopt", "perhaps", "of the type bool"),
        ("checkpoints_packages", {"rclone": True}, "of the type list of str"),
        ("checkpoints_backend", "tape", "one of local, disk, nfs"),
        ("checkpoints_existing", True, "one of stop, move"),
        ("checkpoints_disk_filesystem", "btrfs", "one of ext4, xfs"),
    ],
)
def test_what_the_role_would_refuse_is_told(name: str, value: object, rule: str) -> None:
    (told,) = argument_problems({name: value}, "checkpoints")
    assert told.startswith(f"{name} is ")
    assert told.endswith(f" but must be {rule}.")


def test_what_the_role_takes_is_no_problem() -> None:
    given = {
        "checkpoints_mirror_keep": "3",
        "checkpoints_disk_adopt": "yes",
        "checkpoints_packages": "rclone,nfs-common",
        "checkpoints_backend": "nfs",
        "checkpoints_directory": None,
        "checkpoints_mirror_secret_access_key": 7,
        "fl_num_rounds": "many",
    }
    assert argument_problems(given, "checkpoints") == []


def test_all_of_them_are_told_and_no_secret_is() -> None:
    given = {"checkpoints_mirror_seal_secret": ["hidden"], "checkpoints_mirror": "maybe", "checkpoints_backend": 5}
    told = argument_problems(given, "checkpoints")
    assert [each.split()[0] for each in told] == ["checkpoints_backend", "checkpoints_mirror"]
    assert "hidden" not in str(told)


def test_what_only_a_host_knows_is_left_to_the_role() -> None:
    class Late(dict):
        def __getitem__(self, name: str) -> object:
            raise AnsibleError("ansible_facts is undefined")

    assert argument_problems(Late(checkpoints_mirror_keep="ten"), "checkpoints") == []


def test_what_several_roles_take_is_told_once() -> None:
    told = argument_problems(
        {"training_attempts": "", "checkpoints_backend": "tape"}, "training", "checkpoints", "training"
    )
    assert told == [
        "training_attempts is empty but must be of the type int.",
        "checkpoints_backend is 'tape' but must be one of local, disk, nfs.",
    ]


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="no role nonsense"):
        argument_problems({}, "nonsense")
