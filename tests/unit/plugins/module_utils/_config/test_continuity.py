# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings that are out there stay the trainings that they are, whatever becomes of the table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config import continuity, table
from ansible_collections.fedops.flower.plugins.module_utils._config import differences as differences_module
from ansible_collections.fedops.flower.plugins.module_utils._config import training as training_module
from ansible_collections.fedops.flower.plugins.module_utils._config.continuity import FIRST, HASHED, moved
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._config.variable import Variable
from ansible_collections.fedops.flower.plugins.module_utils._flower import app_config
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import for_app

from ....first_hashes import HASHES, RECORDED_HASHES

RECORDED = Path(__file__).parents[3] / "recorded"
WARD = json.loads((RECORDED / "published" / "ward" / "effective.json").read_text())
NEW_ROWS = [
    ("int", 7, 8, {}),
    ("float", 0.25, 0.5, {}),
    ("bool", True, False, {}),
    ("bool", False, True, {}),
    ("str", "a", "b", {}),
    ("float", 0.0, 1.0, {"strategies": ("FedAdam", "Krum")}),
]


def new_row(kind: str, default: object, **more: object) -> Variable:
    return Variable("novelty", kind, default, "Novelty", "Is new.", "local", **more)


@pytest.fixture
def rows(monkeypatch) -> Callable[..., None]:
    """Give the table other rows, and the record what the generator would have made of them before."""

    def replace(*changed: Variable, **record: tuple) -> None:
        by_name = {**BY_NAME, **{row.name: row for row in changed}}
        tables = {
            "VARIABLES": tuple(by_name.values()),
            "BY_NAME": by_name,
            "BY_ANSIBLE": {row.ansible: row for row in by_name.values()},
            "BY_KEY": {row.key: row for row in by_name.values()},
        }
        for module in (table, continuity, differences_module, training_module, app_config):
            for name, value in tables.items():
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(continuity, "DEFAULTS", {**continuity.DEFAULTS, **record})

    return replace


def hashes() -> list[str]:
    return [Training.from_variables(entry["variables"]).configuration_hash for entry in HASHES]


def test_the_hashes_of_the_first_release_stand() -> None:
    # Another one makes every checkpoint out there the checkpoint of another training.
    assert hashes() == RECORDED_HASHES
    assert {entry["variables"]["fl_strategy"] for entry in HASHES} <= set(BY_NAME["strategy"].choices)


def test_the_rows_of_the_first_release_are_there() -> None:
    assert set(BY_NAME) >= FIRST
    assert {name for name in FIRST if BY_NAME[name].identity} == HASHED | {"demo_attacks"}


def test_every_default_of_a_row_that_decides_is_recorded() -> None:
    for row in VARIABLES:
        if row.identity:
            assert continuity.DEFAULTS[row.name][-1] == continuity.present_default(row), row.name
            follows_from_the_host = row.runtime_defaults or row.home_folder
            assert not follows_from_the_host, row.name


@pytest.mark.parametrize(("kind", "default", "other", "more"), NEW_ROWS)
def test_a_new_row_changes_no_hash(rows, kind, default, other, more) -> None:
    rows(new_row(kind, default, **more))
    assert hashes() == RECORDED_HASHES
    assert Training.from_run_config(WARD["run_config"]).configuration_hash == WARD["configuration_hash"]
    chosen = {"fl_strategy": "FedAdam", "fl_novelty": other}
    with_it, without = Training.from_variables(chosen), Training.from_variables({**chosen, "fl_novelty": None})
    assert with_it.configuration_hash != without.configuration_hash


@pytest.mark.parametrize(("kind", "default", "other", "more"), NEW_ROWS)
def test_a_run_that_began_before_a_row_does_what_is_asked_while_nobody_sets_it(
    rows, kind, default, other, more
) -> None:
    rows(new_row(kind, default, **more))
    asked = {"fl_" + key.replace("-", "_"): value for key, value in WARD["run_config"].items()}
    assert differences(Training.from_variables(asked), WARD) == []
    wrong = differences(Training.from_variables({**asked, "fl_novelty": other}), WARD)
    assert [text.partition(" was to be ")[0] for text in wrong] == [
        "The configuration hash",
        "Run configuration key novelty",
    ]


@pytest.mark.parametrize(("kind", "default", "other", "more"), NEW_ROWS)
def test_an_app_that_was_written_before_a_row_keeps_its_hash(rows, kind, default, other, more) -> None:
    asked = {"fl_strategy": "FedAdam"}
    complete = App("/ours", "us", "ours", "1", Training.from_variables(asked).run_config)
    theirs = App("/theirs", "they", "theirs", "1", {"num-rounds": 3, "novelty": default})
    before = [for_app(app, Training.from_variables(asked), {}).configuration_hash for app in (complete, theirs)]
    rows(new_row(kind, default, **more))
    after = [for_app(app, Training.from_variables(asked), {}) for app in (complete, theirs)]
    assert [given.configuration_hash for given in after] == before
    assert [given.takes_all for given in after] == [True, False]
    chosen = Training.from_variables({**asked, "fl_novelty": other})
    assert for_app(theirs, chosen, {}).configuration_hash != before[1]
    # An app without the row trains as before, and says so: its hash is that of what it does.
    assert for_app(complete, chosen, {}).configuration_hash == before[0]
    assert [problem.variable for problem in for_app(complete, chosen, {}).problems] == ["fl_novelty"]


FOUNDER = dataclasses.replace(BY_NAME["batch_size"], default=64)
LATER = new_row("int", 5)
MOVED = [
    pytest.param(FOUNDER, {"batch_size": ({"": 32}, {"": 64})}, 32, 64, id="a row of the first release"),
    pytest.param(LATER, {"novelty": ({"": 0}, {"": 5})}, 0, 5, id="a later row"),
    pytest.param(
        dataclasses.replace(BY_NAME["server_lr"], strategy_defaults={"FedAdam": 0.3}),
        {"server_lr": ({"": 0.1, "FedAvgM": 1.0}, {"": 0.1, "FedAdam": 0.3})}, 0.1, 0.3, id="of one strategy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("row", "record", "first", "present"), MOVED)
def test_a_default_that_has_moved_is_another_training_and_the_first_one_the_same(
    rows, row, record, first, present
) -> None:
    before = Training.from_variables({"fl_strategy": "FedAdam"})
    began_with, left_out = before.configuration_hash, {k: v for k, v in before.run_config.items() if k != row.key}
    rows(row, **record)
    unset, kept = (Training.from_variables({"fl_strategy": "FedAdam", row.ansible: value}) for value in (None, first))
    assert (unset.values[row.name], kept.values[row.name]) == (present, first)
    assert kept.configuration_hash == began_with != unset.configuration_hash
    assert Training.from_run_config(left_out).configuration_hash == began_with


@pytest.mark.parametrize(("row", "record", "first", "present"), MOVED)
def test_it_is_told_when_nothing_but_a_default_makes_it_another_training(rows, row, record, first, present) -> None:
    before = Training.from_variables({"fl_strategy": "FedAdam"}).run_config
    rows(row, **record)
    given = {"fl_strategy": "FedAdam", row.ansible: None}
    assert moved(before, Training.from_variables(given).run_config) == [(row, first, present)]
    assert moved(before, Training.from_variables({**given, row.ansible: first}).run_config) == []
    # Who chooses anything else has chosen another training, and is not held back.
    for chosen in ({"fl_local_epochs": 2}, {"fl_strategy": "FedMedian"}, {row.ansible: 0.75 if first == 0.1 else 9}):
        assert moved(before, Training.from_variables({**given, **chosen}).run_config) == []


def test_a_default_outside_the_identity_makes_no_other_training(rows) -> None:
    before = Training.from_variables({}).run_config
    rows(dataclasses.replace(BY_NAME["round_timeout"], default=60))
    assert moved(before, Training.from_variables({}).run_config) == []
    assert hashes() == RECORDED_HASHES
