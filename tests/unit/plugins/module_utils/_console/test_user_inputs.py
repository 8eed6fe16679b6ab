# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenNebula is told to ask."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_CONTEXT, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context
from ansible_collections.fedops.flower.plugins.module_utils._console.user_inputs import rendered, user_inputs

ROOT = Path(__file__).resolve().parents[5]
# As the requirement has them.
NINE = """\
FL_STRATEGY = "O|list|Aggregation strategy|FedAvg,FedProx,FedAdam,Krum,Bulyan,FedTrimmedAvg|FedAvg"
FL_PROXIMAL_MU = "O|number-float|FedProx proximal term (mu)||1.0"
FL_SERVER_LR = "O|number-float|Server-side learning rate||0.1"
FL_CLIENT_LR = "O|number-float|Client-side learning rate||0.1"
FL_NUM_MALICIOUS = "O|number|Expected malicious clients (Krum/Bulyan)||0"
FL_TRIM_BETA = "O|number-float|Trim fraction per tail (FedTrimmedAvg)||0.2"
FL_CHECKPOINT_ENABLED = "O|boolean|Enable model checkpointing||NO"
FL_CHECKPOINT_INTERVAL = "O|number|Save checkpoint every N rounds||5"
FL_CHECKPOINT_PATH = "O|text|Checkpoint directory (container path)||/app/checkpoints"
"""


def test_the_nine_definitions_are_those_of_the_requirement() -> None:
    assert "".join(f'{name} = "{text}"\n' for name, text in user_inputs("required").items()) == NINE


def test_the_documents_have_them_ready_to_paste() -> None:
    page = (ROOT / "docs/opennebula.md").read_text("utf-8")
    assert [line for line in NINE.splitlines() if f"  {line},\n" not in page] == []
    assert f"```text\n{rendered('appliance', 'template')}```\n" in page


def test_the_appliance_asks_for_rounds_and_clients_as_well() -> None:
    added = list(user_inputs("appliance"))[9:]
    assert added == ["FL_NUM_ROUNDS", "FL_MIN_FIT_CLIENTS", "FL_MIN_EVALUATE_CLIENTS", "FL_MIN_AVAILABLE_CLIENTS"]
    assert user_inputs("appliance")["FL_NUM_ROUNDS"] == "O|number|Number of rounds||3"


def test_all_has_every_variable_and_further_strategies_behind_the_six() -> None:
    everything, required = user_inputs("all"), user_inputs("required")
    assert everything.keys() == {"FL_USE_CASE", *BY_CONTEXT} - {"FL_DEMO_ATTACKS", "FL_PURPOSE"}
    assert {name: everything[name] for name in list(required)[1:]} == dict(list(required.items())[1:])
    six, offered = (text["FL_STRATEGY"].split("|")[3].split(",") for text in (required, everything))
    assert offered[:6] == six
    assert len(offered) > 6


@pytest.mark.parametrize(("name", "text"), user_inputs("all").items())
def test_opennebula_takes_the_input(name: str, text: str) -> None:
    mandatory, kind, title, options, default = text.split("|")
    assert (mandatory, bool(title)) == ("O", True)
    assert kind in {"text", "number", "number-float", "boolean", "list"}
    assert (default in options.split(",")) if kind == "list" else options == ""
    assert kind != "boolean" or default in {"YES", "NO"}


@pytest.mark.parametrize("strategy", BY_CONTEXT["FL_STRATEGY"].choices)
def test_what_is_filled_in_means_the_same_as_unset(strategy: str) -> None:
    filled = {name: text.rpartition("|")[2] for name, text in user_inputs("all").items()}
    left = Training.from_variables({"fl_strategy": strategy})
    assert Training.from_variables(from_context({**filled, "FL_STRATEGY": strategy})).toml == left.toml


def test_a_service_asks_once_and_hands_the_answers_to_the_superlink_alone() -> None:
    service = rendered("all", "service")
    assert json.loads(json.dumps(service)) == service
    superlink, supernode = service["roles"]
    handed_on = re.findall(r'^(\w+) = "\$(\w+)"$', superlink["vm_template_contents"], re.M)
    assert handed_on == [(name, name) for name in service["custom_attrs"]]
    assert service["custom_attrs"] == user_inputs("all")
    assert (superlink["cardinality"], supernode["parents"]) == (1, ["superlink"])
    assert "vm_template_contents" not in supernode


@pytest.mark.parametrize(("selection", "form"), [("few", "dict"), ("all", "xml"), (None, "dict")])
def test_what_there_is_not_is_refused_in_words(selection: str, form: str) -> None:
    with pytest.raises(FedopsError, match="must be one of "):
        rendered(selection, form)


def test_no_title_holds_what_has_no_escape() -> None:
    assert [row.name for row in VARIABLES if set(row.title) & set('|,"')] == []
