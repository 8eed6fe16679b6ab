# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.filter.layout import FilterModule

problems = FilterModule().filters()["host_problems"]


def told(superlink: str = "sl", **variables: object) -> list[str]:
    return problems({"superlink": [superlink], "supernodes": [superlink, "sn"]}, {superlink: variables, "sn": {}})


@pytest.mark.parametrize("name", ["sl", "my_superlink", "sl.example.org", "10.0.0.1", "2001:db8::1"])
def test_names_that_a_certificate_can_have_are_taken(name: str) -> None:
    assert told(name) == []


@pytest.mark.parametrize("name", ["super link", "süperlink", "-sl", "a/b", "sl:22", "x" * 254])
def test_names_that_no_certificate_can_have_are_refused(name: str) -> None:
    (problem,) = told(name)
    assert "of the group superlink cannot be called so" in problem


@pytest.mark.parametrize("user", ["learner", "_flower", "fed-1", "flower", "", None])
def test_the_account_of_the_apps_may_have_any_name_of_an_account(user: object) -> None:
    assert told(runtime_user=user) == []


@pytest.mark.parametrize("user", ["Learner", "1st", "a b", "x" * 32, "root", "flower-control", 5])
def test_what_cannot_be_that_account_is_told_once_for_each_host(user: object) -> None:
    (problem,) = told(runtime_user=user)
    assert problem.startswith("runtime_user of sl is ")
    assert problem.endswith("Choose another name.")


@pytest.mark.parametrize("name", ["directory", "certificate", "private_key"])
def test_a_certificate_authority_has_an_absolute_path_and_that_is_told_once(name: str) -> None:
    variable = f"certificates_ca_{name}"
    given = {variable: "pki/x"}
    (problem,) = problems({"superlink": ["sl"], "supernodes": ["sn"]}, {"sl": given, "sn": given})
    assert problem.startswith(f"{variable} is pki/x but must be an absolute path on the controller")
    for path in ("/srv/pki", "~/pki", "", None):
        assert told(**{variable: path}) == []


def test_groups_that_are_not_there_have_no_problems() -> None:
    assert problems({}, {}) == []
