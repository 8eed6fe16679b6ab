# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator may ask of the alerts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.alerts import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._alerts.rules import (
    UNSEEN,
    alert_file_problems,
    alert_problems,
)

PROGRAM = {"item": "/usr/local/bin/alert", "stat": {"isreg": True, "uid": 0, "mode": "0755"}}
SECRET = {"item": "/etc/alert.token", "stat": {"isreg": True, "uid": 0, "mode": "0600"}}
FILTERS = FilterModule().filters()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("/usr/local/bin/alert", ["/usr/local/bin/alert"]),
        ("/usr/local/bin/alert --to 'night shift'", ["/usr/local/bin/alert", "--to", "night shift"]),
        (["/usr/local/bin/alert", "--port", 25], ["/usr/local/bin/alert", "--port", "25"]),
    ],
)
def test_a_command_is_a_list_or_a_text_as_a_survey_has_it(value, expected) -> None:
    assert FILTERS["alert_command"](value) == expected
    assert alert_problems({"alert_command": value}) == []


@pytest.mark.parametrize("value", [{"a": 1}, [["x"]], 1, "/bin/alert 'open"])
def test_what_is_no_command_is_refused(value) -> None:
    with pytest.raises(AnsibleFilterError, match="This is no command"):
        FILTERS["alert_command"](value)
    (problem,) = FILTERS["alert_problems"]({"alert_command": value})
    assert problem.startswith("training_alert_command is ")


@pytest.mark.parametrize("place", [*UNSEEN, "/opt/flower", "/srv/flower"])
def test_a_program_that_its_unit_would_not_see_is_refused(place) -> None:
    (problem,) = alert_problems({"alert_command": [f"{place}/alert"]}, "" if place == "/opt/flower" else "/srv/flower")
    assert f"must not lie below {place}" in problem


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alert_command": "alert"}, "training_alert_command cannot be called. A path is 'alert'"),
        ({"alert_command": ["/bin/alert", "\x00"]}, "training_alert_command cannot be called. An argument is"),
        ({"alert_credentials": ["/etc/token"]}, "training_alert_credentials is "),
        ({"alert_credentials": {"to ken": "/etc/token"}}, "training_alert_credentials has the name 'to ken'"),
        ({"alert_credentials": {"token": "token"}}, "training_alert_credentials has no file for 'token'."),
        ({"alert_waiting": -1}, "training_alert_waiting is -1 but must be a number, at least 0."),
        ({"alert_interval": 0}, "training_alert_interval is 0 but must be a number, at least 1."),
        ({"alert_attempts": "many"}, "training_alert_attempts is many but must be a number, at least 1."),
        ({"alert_free_percent": 100}, "training_alert_free_percent is 100 but must be at most 99."),
        ({"alert_memory_max": "much"}, "training_alert_memory_max is much but must be a number of bytes"),
        ({"alert_names": "none"}, "training_alert_names is 'none' but must be real or pseudonyms."),
    ],
)
def test_bad_input_is_told_with_its_variable_and_the_rule(given, words) -> None:
    (problem,) = alert_problems(given)
    assert problem.startswith(words)


def test_all_problems_are_told_at_once() -> None:
    assert len(alert_problems({"alert_command": "alert", "alert_timeout": 0, "alert_names": ""})) == 3


def test_defaults_are_no_problem() -> None:
    given = {"alert_command": [], "alert_credentials": {}, "alert_names": "real", "alert_memory_max": "256M"}
    assert FILTERS["alert_problems"]({**given, "alert_waiting": "600", "alert_free_percent": 0}) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"stat": {"exists": False}}, "there is no such program on aggregator"),
        ({"stat": {"isreg": True, "uid": 1000, "mode": "0755"}}, "others than root may write it"),
        ({"stat": {"isreg": True, "uid": 0, "mode": "0775"}}, "others than root may write it"),
        ({"stat": {"isreg": True, "uid": 0, "mode": "0750"}}, "not everybody may run it"),
        ({}, ""),
    ],
)
def test_the_program_is_roots_and_everybody_may_run_it(found, words) -> None:
    problems = FILTERS["alert_file_problems"]({**PROGRAM, **found}, [], "aggregator")
    assert [words in problem for problem in problems] == [True] * bool(words)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"stat": {"exists": False}}, "there is no such file on aggregator"),
        ({"stat": {"isreg": True, "uid": 0, "mode": "0640"}}, "others than root may use it"),
        ({"stat": {"isreg": True, "uid": 7, "mode": "0600"}}, "others than root may use it"),
        ({}, ""),
    ],
)
def test_a_credential_is_for_root_alone(found, words) -> None:
    problems: list[Any] = alert_file_problems(PROGRAM, [{**SECRET, **found}], "aggregator")
    assert [words in problem for problem in problems] == [True] * bool(words)


def test_a_pass_has_an_end_after_all_its_calls() -> None:
    assert FILTERS["alert_pass_seconds"]("30") == 680
    with pytest.raises(AnsibleFilterError):
        FILTERS["alert_pass_seconds"]("soon")
