# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the kit in another app's run configuration, and what tells the trainings of such an app apart."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import canonical_hash
from ansible_collections.fedops.flower.plugins.module_utils._config.kit import (
    APPS_OWN,
    KIT_KEYS,
    KIT_ROWS,
    apps_keys,
    has_kit,
    identity_of,
    kit_default,
    kit_key,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME

DECLARED = {kit_key(row): kit_default(row) for row in KIT_ROWS}
APP = {"num-server-rounds": 3, "lr": 0.1, "model.width": 8, "save-path": "/here"}


def hashed(**changes: object) -> str:
    names = {name.replace("__", ".").replace("_", "-"): value for name, value in changes.items()}
    return canonical_hash(identity_of("somebody/app", {**APP, **DECLARED, **names}))


def test_the_table_is_what_tells_that_an_app_has_the_kit() -> None:
    assert has_kit({**APP, **DECLARED})
    assert not has_kit(APP)
    assert apps_keys({**APP, **DECLARED}) == list(APP)


def test_every_key_has_the_type_of_its_variable_and_flower_takes_no_other() -> None:
    assert {key: type(DECLARED[key]) for key in KIT_KEYS} == {key: type(row.default) for key, row in KIT_KEYS.items()}


def test_what_the_app_says_itself_is_empty_and_the_rest_has_its_default() -> None:
    assert [kit_default(BY_NAME[name]) for name in APPS_OWN] == [0, 0, 0]
    assert kit_default(BY_NAME["checkpoint_interval"]) == 5
    assert kit_default(BY_NAME["resume"]) == "auto"


@pytest.mark.parametrize(
    "changes",
    [
        {"num_server_rounds": 9},
        {"save_path": "/there"},
        {"fedops__num_server_rounds": 9},
        {"fedops__checkpoint_enabled": True},
        {"fedops__checkpoint_path": "/somewhere"},
        {"fedops__training_name": "other"},  # compared by itself
        {"fedops__resume": "never"},
        {"fedops__a_key_of_a_later_release": 1},
    ],
)
def test_how_long_and_where_to_leaves_a_training_the_same(changes: dict[str, object]) -> None:
    assert hashed(**changes) == hashed()


@pytest.mark.parametrize(
    "changes",
    [{"lr": 0.2}, {"model__width": 9}, {"fedops__seed": 1}, {"fedops__max_update_norm": 1.0}, {"another": 1}],
)
def test_what_may_decide_the_bytes_makes_another(changes: dict[str, object]) -> None:
    assert hashed(**changes) != hashed()


def test_another_app_trains_another_model() -> None:
    assert identity_of("a/app", APP) != identity_of("another/app", APP)
    assert identity_of("a/app", APP) == {"app": "a/app", "lr": 0.1, "model.width": 8}
