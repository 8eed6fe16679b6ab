# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX is told to ask. Its rules are those that its API has: see docs/awx.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import STRATEGIES
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_ANSIBLE
from ansible_collections.fedops.flower.plugins.module_utils._console.survey import survey_spec

ROOT = Path(__file__).resolve().parents[5]
ASKED = ("text", "multiplechoice", "integer", "float")  # of the types that AWX has
surveys = pytest.mark.parametrize("strategy", ["", *STRATEGIES])


def variables(survey: dict) -> list[str]:
    return [question["variable"] for question in survey["spec"]]


@surveys
@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_awx_takes_every_question(strategy: str, every: bool, simulated: bool) -> None:
    survey = survey_spec(strategy, every, simulated)
    assert survey.keys() == {"name", "description", "spec"}
    assert len(set(variables(survey))) == len(survey["spec"])
    for question in survey["spec"]:
        assert {"question_name", "question_description", "required", "variable", "type"} <= question.keys()
        assert (question["required"], question["type"] in ASKED) == (False, True)
        if question["type"] == "multiplechoice":
            assert all(isinstance(choice, str) for choice in question["choices"])
        else:
            assert (type(question["min"]), type(question["max"])) == (int, int)
            assert question["min"] <= question["max"]


@surveys
@pytest.mark.parametrize("every", [False, True])
def test_no_question_answers_itself_and_none_allows_attacks(strategy: str, every: bool) -> None:
    survey = survey_spec(strategy, every)
    assert [question["variable"] for question in survey["spec"] if "default" in question] == []
    assert "fl_demo_attacks" not in variables(survey)


@surveys
def test_a_person_answers_the_common_ones(strategy: str) -> None:
    common, every = variables(survey_spec(strategy)), variables(survey_spec(strategy, every=True))
    assert every[: len(common)] == common
    assert common[0] == "fl_training_name"
    assert len(common) <= 15


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_survey_of_a_strategy_asks_for_what_it_reads(strategy: str) -> None:
    read = {name for name, row in BY_ANSIBLE.items() if strategy in row.strategies}
    others = {name for name, row in BY_ANSIBLE.items() if not row.applies_to(strategy)}
    assert read <= set(variables(survey_spec(strategy)))
    assert not others & set(variables(survey_spec(strategy, every=True)))
    assert "fl_strategy" not in variables(survey_spec(strategy, every=True))


@pytest.mark.parametrize("name", sorted(BY_ANSIBLE.keys() - {"fl_demo_attacks", "fl_purpose"}))
def test_its_bounds_refuse_nothing_that_the_table_allows(name: str) -> None:
    row = BY_ANSIBLE[name]
    (question,) = (each for each in survey_spec("", every=True)["spec"] if each["variable"] == name)
    if row.type in ("int", "float"):
        assert question["min"] <= (row.minimum or 0)
        assert question["max"] >= (row.maximum or 2**31 - 1)


def test_who_simulates_is_asked_who_the_sites_are_and_then_what_to_train() -> None:
    asked, simulated = survey_spec("", every=True), survey_spec("", every=True, simulated=True)
    first = len(simulated["spec"]) - len(asked["spec"])
    assert simulated["spec"][first:] == asked["spec"]
    of_role = set(yaml.safe_load((ROOT / "roles/simulation/defaults/main.yml").read_text("utf-8")))
    assert set(variables(simulated)[:first]) - of_role == {"simulate_host"}
    assert [simulated["name"], asked["name"]] == ["Simulation", "Training"]


def test_a_strategy_that_there_is_not_is_refused_in_words() -> None:
    with pytest.raises(FedopsError, match="^The strategy is 'Krumm' but must be one of FedAvg, "):
        survey_spec("Krumm")
