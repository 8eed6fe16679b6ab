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
        ("client_lr", ["lr", "client.lr"], ["lr", "client.lr"]),
        ("client_lr", ["client.lr"], ["client.lr"]),
        ("client_lr", ["client.lr", "server.lr"], ["client.lr"]),
        ("server_lr", ["client.lr", "server.lr"], ["server.lr"]),
        ("client_lr", ["a.lr", "b.lr"], []),  # which of them is anybody's guess
        ("client_lr", ["a.lr", "b.lr", "client.learning_rate"], ["client.learning_rate"]),
        ("early_stopping_patience", ["early_stopping.patience", "patience"], ["early_stopping.patience"]),
        ("checkpoint_interval", ["checkpoint.interval", "eval.interval"], ["checkpoint.interval"]),
        ("strategy", ["strategy.name", "model.name"], ["strategy.name"]),
        ("num_rounds", ["numServerRounds", "NUM_ROUNDS"], ["numServerRounds", "NUM_ROUNDS"]),
        ("num_rounds", ["NUM_ROUNDS", "numServerRounds", "rounds"], ["rounds", "numServerRounds", "NUM_ROUNDS"]),
        ("batch_size", ["batchSize", "valBatchSize"], ["batchSize"]),
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
