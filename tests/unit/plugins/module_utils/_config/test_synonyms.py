# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of other apps that mean a variable."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.synonyms import SYNONYMS, keys_of, spellings
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("num_rounds", ["num_rounds", "num-rounds", "num-server-rounds"],
         ["num-server-rounds", "num-rounds", "num_rounds"]),
        ("min_evaluate_clients", ["min_eval_clients"], ["min_eval_clients"]),
        ("seed", ["data.random_seed"], ["data.random_seed"]),
        ("client_lr", ["lr", "client.lr"], ["lr"]),
        ("client_lr", ["client.lr"], ["client.lr"]),
        ("client_lr", ["client.lr", "server.lr"], []),  # which of them is anybody's guess
        ("client_lr", ["lr-schedule"], []),
        ("seed", [], []),
    ],
)  # fmt: skip
def test_the_best_key_comes_first(name: str, declared: list[str], expected: list[str]) -> None:
    assert keys_of(BY_NAME[name], declared) == expected


def test_no_key_means_two_variables() -> None:
    keys = [key for row in BY_NAME.values() for key in spellings(row)]
    assert len(keys) == len(set(keys))
    assert set(SYNONYMS) <= set(BY_NAME)
