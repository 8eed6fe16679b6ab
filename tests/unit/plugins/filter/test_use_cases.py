# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.use_cases import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import OWN_APP

filters = FilterModule().filters()


def test_they_say_what_the_library_says() -> None:
    assert filters["use_case_overlay"]("anomaly-detection", OWN_APP).keys() == {"fedops_app/task.py", "pyproject.toml"}
    assert len(filters["use_case_problems"]("llm-fine-tuning", {"client_lr": 1})) == 1


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        ([{}, {}], ""),
        ([{}, {"app_use_case": "digits"}], "digits"),
        ([{"fl_use_case": "anomaly-detection"}, {"app_use_case": "digits"}], "anomaly-detection"),
        ([{"fl_use_case": "anomaly-detection", "app_use_case": "digits"}], "digits"),
        ([{"fl_use_case": ""}, {"fl_use_case": "digits"}], "digits"),
        ([{"app_use_case": "digits"}, {"app_path": "/mine"}], ""),
        ([{"app_use_case": "digits", "app_overlay": {"fedops_app/task.py": "mine.py"}}], ""),
        ([{"app_use_case": "digits", "app_overlay": {}}], "digits"),
        ([{}, {"training_context": {"FL_USE_CASE": "anomaly-detection", "FL_STRATEGY": "Krum"}}], "anomaly-detection"),
        ([{"training_context": {"FL_USE_CASE": "anomaly-detection"}}, {"fl_use_case": "digits"}], "digits"),
        ([{"training_context": {"FL_USE_CASE": ""}}, {"training_context": None}], ""),
        ([{"training_context": {"FL_USE_CASE": " ", "ONEAPP_FL_USE_CASE": "anomaly-detection"}}], "anomaly-detection"),
        ([{"training_context": {"FL_USE_CASE": "digits", "ONEAPP_FL_USE_CASE": "anomaly-detection"}}], "digits"),
        ([{"opennebula_context_found": {"FL_USE_CASE": "anomaly-detection"}}], "anomaly-detection"),
        ([{"training_context": {"FL_USE_CASE": "none"}}], ""),
    ],
)
def test_the_data_of_a_site_are_for_what_is_asked_for(hosts: list, found: str) -> None:
    assert filters["use_case_of_site"](hosts) == found


@pytest.mark.parametrize("name", ["nothing", ["digits"], {"a": 1}])
def test_a_task_that_there_is_not_is_an_error_of_the_filter(name: object) -> None:
    with pytest.raises(AnsibleFilterError, match="app_use_case is"):
        filters["use_case_overlay"](name, OWN_APP)


@pytest.mark.parametrize(
    ("filter_name", "arguments", "said"),
    [
        ("use_case_overlay", ("digits", OWN_APP, 5), "This is no overlay of an app"),
        ("use_case_overlay", ("anomaly-detection", None), "This is no overlay of an app"),
        ("use_case_of_site", ([5],), "These are not the variables of hosts"),
        ("use_case_problems", ("llm-fine-tuning", None), "These are no values of training variables"),
        ("use_case_problems", ("llm-fine-tuning", {"client_lr": "fast"}), "These are no values of training variables"),
    ],
)
def test_other_data_is_refused_in_words(filter_name: str, arguments: tuple, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        filters[filter_name](*arguments)
