# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters, through Ansible's own templating."""

from __future__ import annotations

import tomllib

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.fedops.flower.plugins.filter import (
    from_context,
    run_config,
    survey_spec,
    training_problems,
    user_inputs,
)


@pytest.mark.parametrize("plugin", [training_problems, run_config, from_context, survey_spec, user_inputs])
def test_a_file_has_one_filter_which_bears_its_name_and_is_documented(plugin):
    (name,) = plugin.FilterModule().filters()
    assert plugin.__name__.rpartition(".")[2] == name == yaml.safe_load(plugin.DOCUMENTATION)["name"]


def rendered(template, **variables):
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))


def test_training_problems_is_a_list_of_plain_dictionaries():
    assert rendered("{{ given | fedops.flower.training_problems }}", given={"fl_client_lr": 0}) == [
        {
            "severity": "error",
            "variable": "fl_client_lr",
            "value": 0,
            "rule": "must be above 0",
            "hint": "Correct it, or leave it unset for 0.1.",
            "message": "fl_client_lr is 0 but must be above 0. Correct it, or leave it unset for 0.1.",
        }
    ]


@pytest.mark.parametrize(("online", "severities"), [("none", []), ("3", []), ("'2'", ["error"]), ("2", ["error"])])
def test_training_problems_counts_the_nodes_online(online, severities):
    found = rendered(
        "{{ given | fedops.flower.training_problems(nodes_online=" + online + ") | map(attribute='severity') }}",
        given={"fl_min_available_clients": 3},
    )
    assert list(found) == severities


def test_run_config_is_toml_with_every_value_of_its_type():
    text = rendered(
        "{{ given | fedops.flower.run_config('container') }}",
        given={"fl_strategy": "FedProx", "fl_num_rounds": "10", "fl_proximal_mu": 1, "fl_seed": None},
    )
    read = tomllib.loads(text)
    keys = ("strategy", "num-server-rounds", "proximal-mu", "seed", "checkpoint-path", "checkpoint-enabled")
    assert [repr(read[key]) for key in keys] == ["'FedProx'", "10", "1.0", "42", "'/app/checkpoints'", "False"]


def test_run_config_refuses_with_every_error():
    with pytest.raises(AnsibleError) as caught:
        rendered("{{ given | fedops.flower.run_config }}", given={"fl_num_rounds": 0, "fl_strtegy": "Krum"})
    assert "fl_num_rounds is 0 but must be at least 1." in str(caught.value)
    assert "fl_strtegy is 'Krum' but no training variable has this name. Did you mean fl_strategy?" in str(caught.value)


def test_from_context_gives_variables_that_run_config_takes():
    text = rendered(
        "{{ given | fedops.flower.from_context | fedops.flower.run_config }}",
        given={"FL_CHECKPOINT_ENABLED": "YES", "FL_NUM_ROUNDS": "", "ETH0_IP": "192.0.2.1"},
    )
    read = tomllib.loads(text)
    assert (read["checkpoint-enabled"], read["num-server-rounds"]) == (True, 3)


@pytest.mark.parametrize("name", ["training_problems", "run_config", "from_context"])
@pytest.mark.parametrize("given", [["fl_seed"], "fl_seed", None, 5])
def test_what_is_not_a_dictionary_is_refused_in_words(name, given):
    with pytest.raises(AnsibleError, match="A dictionary of variables is needed, but .* was given"):
        rendered("{{ given | fedops.flower." + name + " }}", given=given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nodes_online='many'", "nodes_online is 'many' but must be a whole number, at least 0"),
        ("runtime='vm'", "runtime is 'vm' but must be one of venv, "),
    ],
)
def test_a_bad_argument_is_refused_in_words(arguments, message):
    with pytest.raises(AnsibleError, match=message):
        rendered("{{ {} | fedops.flower.training_problems(" + arguments + ") }}")


def test_forms_are_written_and_a_wrong_one_is_refused_in_words():
    assert "FL_STRATEGY" in rendered("{{ 'required' | fedops.flower.user_inputs }}")
    assert rendered("{{ 'FedProx' | fedops.flower.survey_spec }}")["name"] == "Training"
    for wrong in ("'few' | fedops.flower.user_inputs", "'Krumm' | fedops.flower.survey_spec"):
        with pytest.raises(AnsibleError, match="must be one of "):
            rendered("{{ " + wrong + " }}")
