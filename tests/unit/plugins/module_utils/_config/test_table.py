# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table is complete and agrees with itself."""

from __future__ import annotations

import re

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config import table
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import STRATEGIES
from ansible_collections.fedops.flower.plugins.module_utils._config.table import (
    BY_ANSIBLE,
    BY_CONTEXT,
    BY_KEY,
    BY_NAME,
    GROUPS,
    VARIABLES,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.values import parse
from ansible_collections.fedops.flower.plugins.module_utils._config.variable import Variable

rows = pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
SHARED = {"client_lr"}  # a parameter of some strategies, and the clients' own setting with all of them


def test_every_spelling_names_one_variable():
    assert len(VARIABLES) == len(BY_NAME) == len(BY_ANSIBLE) == len(BY_CONTEXT) == len(BY_KEY)


def test_spellings_follow_from_the_name():
    row = Variable("proximal_mu", "float", 1.0, "Proximal term", "Holds a model.", "strategy")
    assert (row.ansible, row.context, row.key) == ("fl_proximal_mu", "FL_PROXIMAL_MU", "proximal-mu")


@rows
def test_a_row_is_complete(row):
    assert row.group in GROUPS
    assert re.fullmatch(r"[A-Z].*[^.]", row.title)
    assert re.fullmatch(r"[A-Z].*\.", row.help)
    assert not set(row.title) & set('|,"'), "OpenNebula's user inputs have no escape for these"


@rows
def test_every_default_is_legal_and_of_the_type(row):
    for default in (row.default, *row.strategy_defaults.values(), *row.runtime_defaults.values()):
        parsed = parse(row, default)
        assert (type(parsed).__name__, parsed) == (row.type, default)


@rows
def test_a_variable_applies_to_the_strategies_that_take_it(row):
    takers = {
        strategy.name
        for strategy in STRATEGIES.values()
        if row.name in {*strategy.parameters.values(), *strategy.options}
    }
    assert set(row.strategies) == (set() if row.name in SHARED else takers)
    assert bool(row.strategies) == (row.group == "strategy")


def test_what_depends_on_strategies_stands_in_their_rows_alone():
    assert [row.name for row in table._ROWS if row.strategies or row.strategy_defaults] == []


@rows
def test_strategy_defaults_belong_to_strategies_that_read_the_variable(row):
    assert all(row.applies_to(name) and name in STRATEGIES for name in row.strategy_defaults)


def test_the_choices_are_the_known_strategies():
    assert tuple(STRATEGIES) == BY_NAME["strategy"].choices


REQUIRED = {
    "fl_strategy": "FedAvg",
    "fl_num_rounds": 3,
    "fl_min_fit_clients": 2,
    "fl_min_evaluate_clients": 2,
    "fl_min_available_clients": 2,
    "fl_proximal_mu": 1.0,
    "fl_server_lr": 0.1,
    "fl_client_lr": 0.1,
    "fl_num_malicious": 0,
    "fl_trim_beta": 0.2,
    "fl_checkpoint_enabled": False,
    "fl_checkpoint_interval": 5,
    "fl_checkpoint_path": "/opt/flower/checkpoints",
}


def test_the_required_defaults_hold():
    assert {name: BY_ANSIBLE[name].default for name in REQUIRED} == REQUIRED


@pytest.mark.parametrize(
    ("runtime", "home", "path"),
    [
        ("venv", "/opt/flower", "/opt/flower/checkpoints"),
        ("venv", "/srv/flower", "/srv/flower/checkpoints"),
        ("container", "/srv/flower", "/app/checkpoints"),
    ],
)
def test_the_checkpoint_path_depends_on_the_runtime_and_on_the_home(runtime, home, path):
    assert BY_NAME["checkpoint_path"].default_for("FedAvg", runtime, home) == path


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("trim_beta", "above 0 and below 0.5"),
        ("num_rounds", "at least 1"),
        ("fraction_train", "above 0 and at most 1"),
        ("fraction_evaluate", "from 0 to 1"),
        ("beta_1", "at least 0 and below 1"),
        ("server_lr", "above 0"),
        ("resume", "one of auto, never, require"),
        ("checkpoint_enabled", ""),
    ],
)
def test_bounds_are_said_in_words(name, bounds):
    assert BY_NAME[name].bounds == bounds
