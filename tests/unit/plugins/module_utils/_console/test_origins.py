# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same answer trains the same, wherever it was given, and the origin decides which of several counts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.fedops.flower.plugins.module_utils._config.table import VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._config.variable import Variable
from ansible_collections.fedops.flower.plugins.module_utils._console.context import merged
from ansible_collections.fedops.flower.plugins.module_utils._console.user_inputs import prefilled
from ansible_collections.fedops.flower.plugins.plugin_utils._origin import Values

rows = pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
TEXTS = {
    "training_name": ("mine", "yours"),
    "code_sha256": ("a" * 64, "b" * 64),
    "checkpoint_path": ("/srv/mine", "/srv/yours"),
    "early_stopping_metric": ("accuracy", "auc"),
    "initial_checkpoint": ("/srv/mine.npz", "controller:yours.pt"),
    "initial_sha256": ("c" * 64, "d" * 64),
    "lr_schedule": ("cosine T_max=50", "linear_warmup then step step_size=7"),
    "server_lr_schedule": ("exponential gamma=0.5", "reduce_on_plateau"),
    "mu_schedule": ("cosine_warm_restarts T_0=5", "step step_size=2"),
}
# Without these a value of the others would be refused, or read by no strategy.
BESIDE = {"fl_checkpoint_enabled": True, "fl_min_available_clients": 9, "fl_weighting": "uniform"}
STRATEGY = {"fl_strategy": "FedYogi"}


def two_values(row: Variable) -> tuple[object, object]:
    """Two good values of which neither is the default."""
    if row.choices:
        first, second = (*(choice for choice in row.choices if choice != row.default), row.default)[:2]
        return first, second
    if row.type == "bool":
        return not row.default, row.default
    if row.type == "int":
        return row.default + 1, row.default + 2
    if row.type == "float":
        fits = row.default and row.default / 4 > (row.minimum or 0)
        return (row.default / 2, row.default / 4) if fits else (1.5, 1.25)
    return TEXTS[row.name]


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def answered(name: str, value: object) -> str:
    """An answer of a survey, as AWX writes it."""
    return f"!unsafe '{name}': !unsafe '{text(value)}'\n"


def in_context(row: Variable, value: object) -> dict[str, str]:
    return {row.context: ("YES" if value else "NO") if row.type == "bool" else str(value)}


def toml(folder, context: Mapping[str, object], inventory: Mapping[str, object], extra: str) -> str:
    """The run configuration of a host, through Ansible's own variables."""
    loader = DataLoader()
    hosts = folder / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"all": {"hosts": {"superlink": {**BESIDE, **inventory}}}}))
    inventories = InventoryManager(loader, sources=[str(hosts)])
    manager = VariableManager(loader, inventories)
    manager._extra_vars = loader.load(extra) or {}
    HostVars(inventories, manager, loader)  # which the manager hands on from now
    variables = manager.get_vars(host=inventories.get_host("superlink"))
    values = Values(Templar(loader, variables), variables)
    given = {name: values.of(name) for name in variables if name.startswith("fl_")}
    return Training.from_variables(merged(context, given)).toml


def expected(row: Variable, value: object) -> str:
    return Training.from_variables({**BESIDE, row.ansible: value}).toml


@rows
def test_an_answer_a_line_of_a_context_and_an_extra_variable_give_the_same_bytes(tmp_path, row) -> None:
    value, _other = two_values(row)
    beside = {name: given for name, given in BESIDE.items() if name != row.ansible}
    typed = yaml.safe_dump({row.ansible: value})
    given = {
        "survey": toml(tmp_path, {}, {row.ansible: None}, answered(row.ansible, value)),
        "context": toml(tmp_path, in_context(row, value), {row.ansible: None}, ""),
        "extra": toml(tmp_path, {}, {row.ansible: None}, typed),
        "inventory": toml(tmp_path, {}, {row.ansible: value}, ""),
    }
    assert set(given.values()) == {Training.from_variables({**beside, row.ansible: value}).toml}


@rows
def test_the_origin_decides_which_value_counts(tmp_path, row) -> None:
    low, high = two_values(row)
    name, context, empty = row.ansible, in_context(row, low), answered(row.ansible, "")
    assert toml(tmp_path, context, {name: high}, "") == expected(row, high), "inventory above context"
    assert toml(tmp_path, context, {name: None}, answered(name, high)) == expected(row, high), "survey above context"
    assert toml(tmp_path, context, {name: low}, yaml.safe_dump({name: high})) == expected(row, high), "extra above all"
    assert toml(tmp_path, context, {name: high}, empty) == expected(row, high), "an empty answer hides no inventory"
    assert toml(tmp_path, context, {name: " "}, empty) == expected(row, low), "and no context"


@rows
def test_a_default_counts_as_set_unless_a_console_filled_it_in(tmp_path, row) -> None:
    low, _high = two_values(row)
    filled, name = {row.context: prefilled(row)}, row.ansible
    beside = {**BESIDE, **STRATEGY, name: None}
    unset = Training.from_variables({**beside, **({name: "FedYogi"} if row.name == "strategy" else {})}).toml
    inventory = {**STRATEGY, **({} if row.name == "strategy" else {name: None})}
    assert toml(tmp_path, filled, inventory, "") == unset
    if row.default not in ("", None):
        typed = yaml.safe_dump({name: row.default})
        asked = {**BESIDE, **STRATEGY, name: row.default}
        assert toml(tmp_path, in_context(row, low), inventory, typed) == Training.from_variables(asked).toml
