# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.instances import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._supernode.external import external_problems, left_text

from .test_public_keys import KEY

admitted = FilterModule().filters()["external_supernodes"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ward-a", "must be a list of mappings"),
        ([{"public_key": KEY}], "must be a list of mappings"),
        ([{"name": "ward-a"}], "superlink_external_supernodes: "),
        ([{"name": "ward-a", "public_key": "ssh-ed25519 AAAA"}], "superlink_external_supernodes: "),
        ([{"name": "ward-a", "public_key": KEY}] * 2, "name ward-a is given 2 times"),
        ([{"name": "../x", "public_key": KEY}], "has the name '../x', but it must be printable, without"),
        ([{"name": "a\nb", "public_key": KEY}], "has the name 'a\\nb', but it must be printable, without"),
        ([{"name": "-x", "public_key": KEY}], "not begin with '-'"),
        ([{"name": "ward-a", "public_key": f"{KEY}\n{KEY}"}], "the public_key of 'ward-a' has more than one line."),
        (
            [{"name": "ward-a", "public_key": KEY}, {"name": "ward-b", "public_key": f"{KEY} other"}],
            "gives ward-a, ward-b the same public_key.",
        ),
        ([{"name": "own", "public_key": KEY}], "has own, which a host of the group supernodes has as well"),
    ],
)
def test_what_cannot_be_admitted_is_refused(given: object, said: str) -> None:
    assert any(said in problem for problem in external_problems(given, ["own"]))
    with pytest.raises(AnsibleFilterError):
        admitted(given, ["own"])


@pytest.mark.parametrize("leaving", ["gone, lost", ["gone", "lost"]])
def test_who_is_to_be_admitted_and_who_is_to_leave_are_told_apart(leaving: object) -> None:
    assert admitted([{"name": "ward-a", "public_key": KEY}], ["own"], leaving) == [
        {"name": "ward-a", "public_key": KEY, "site": "ward-a"},
        {"name": "gone", "state": "absent"},
        {"name": "lost", "state": "absent"},
    ]
    assert admitted([], [], None) == admitted([], [], "") == []


@pytest.mark.parametrize("name", ["own", "ward-a"])
def test_nobody_leaves_who_is_still_in_the_inventory(name: str) -> None:
    (problem,) = external_problems([{"name": "ward-a", "public_key": KEY}], ["own"], [name])
    assert problem.startswith(f"admit_unregister has {name}, which the inventory still has.")


def test_the_warning_is_a_command_to_copy() -> None:
    assert left_text(["a", "b"]).endswith("with the playbook fedops.flower.admit: -e admit_unregister=a,b")
