# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a training the same training when the table gets a new row, or a row a new default.

A run configuration that leaves a key out means the row's first default, in every release. So a row that is new, at its
first default, is no part of the configuration hash, and a training that began before it goes on.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping

from .table import VARIABLES
from .variable import Variable

# The rows of the first release that the hash of every training holds, whatever their values. This list is closed.
HASHED = frozenset({
    "strategy", "min_fit_clients", "fraction_train", "proximal_mu", "server_lr", "server_momentum", "beta_1", "beta_2",
    "tau", "qfedavg_q", "num_malicious", "num_nodes_to_select", "trim_beta", "client_lr", "local_epochs", "batch_size",
    "seed", "max_update_norm",
})  # fmt: skip

# All rows of the first release: an app that declares these takes every variable. This list is closed, too.
FIRST = HASHED | {
    "training_name", "num_rounds", "min_evaluate_clients", "min_available_clients", "fraction_evaluate",
    "round_timeout", "node_wait_timeout", "on_shortfall", "checkpoint_enabled", "checkpoint_interval",
    "checkpoint_path", "checkpoint_keep_last", "checkpoint_keep_best", "checkpoint_required", "resume", "demo_attacks",
}  # fmt: skip

# Every default that a row of the identity has had, oldest first, by strategy ("": all others). tools/generate.py adds
# to it and takes nothing away. Before a row is released, its entry may be corrected by hand: the first default is to
# say what the app did when there was no such row.
DEFAULTS: Mapping[str, tuple[Mapping[str, object], ...]] = {
    # --- begin: generated ---
    "strategy": ({"": "FedAvg"},),
    "min_fit_clients": ({"": 2},),
    "fraction_train": ({"": 1.0},),
    "proximal_mu": ({"": 1.0},),
    "server_lr": ({"": 0.1, "FedYogi": 0.01, "FedAvgM": 1.0},),
    "server_momentum": ({"": 0.9},),
    "beta_1": ({"": 0.9},),
    "beta_2": ({"": 0.99},),
    "tau": ({"": 0.001},),
    "qfedavg_q": (
        {"": 0.1},
        {"": 0.01},
        {"": 0.001},
    ),
    "num_malicious": ({"": 0},),
    "num_nodes_to_select": ({"": 1},),
    "trim_beta": ({"": 0.2},),
    "client_lr": ({"": 0.1, "FedYogi": 0.0316},),
    "local_epochs": ({"": 1},),
    "batch_size": ({"": 32},),
    "seed": ({"": 42},),
    "max_update_norm": ({"": 0.0},),
    "demo_attacks": ({"": False},),
    "initial_sha256": ({"": ""},),
    "weighting": ({"": "examples"},),
    "max_examples": ({"": 0},),
    "max_weight_share": ({"": 0.0},),
    "variant": ({"": "flower"},),
    "nnm_malicious": ({"": 0},),
    "server_lr_schedule": ({"": "constant"},),
    "mu_schedule": ({"": "constant"},),
    "mu_drift": ({"": 0.0},),
    "lr_schedule": ({"": "constant"},),
    "spike_factor": ({"": 0.0},),
    "spike_window": ({"": 5},),
    "spike_action": ({"": "lower"},),
    "site_boost": ({"": 1.0},),
    "max_batches": ({"": 0},),
    "purpose": ({"": "training"},),
    "privacy": ({"": "none"},),
    "privacy_clipping_norm": ({"": 1.0},),
    "privacy_noise_multiplier": ({"": 1.0},),
    "privacy_target_quantile": ({"": 0.5},),
    "privacy_clip_lr": ({"": 0.2},),
    "privacy_count_stddev": ({"": 0.0},),
    "privacy_seed": ({"": 0},),
    # --- end: generated ---
}


def renamed(run_config: Mapping[str, object]) -> dict[str, object]:
    """A run configuration with the present keys.

    The app declares an earlier key with an empty default, so that one with a value was given, and wins.
    """
    values = dict(run_config)
    for row in VARIABLES:
        for key in row.keys[1:]:
            if value := values.pop(key, None):
                values[row.key] = value
    return values


def present_default(row: Variable) -> dict[str, object]:
    """The default of a row by strategy, as it is recorded."""
    return {"": row.default, **row.strategy_defaults}


def defaults(row: Variable, strategy: str) -> list[object]:
    """Every default that the row has had with a strategy, oldest first; of one outside the identity, the present."""
    recorded = (row.identity and DEFAULTS.get(row.name)) or (present_default(row),)
    return [default.get(strategy, default[""]) for default in recorded]


def first_default(row: Variable, strategy: str) -> object:
    """What a run configuration means that leaves the row out."""
    return defaults(row, strategy)[0]


def is_hashed(row: Variable, value: object, strategy: str) -> bool:
    """Whether the value is part of the configuration hash."""
    if not row.identity or not row.applies_to(strategy):
        return False
    return row.name in HASHED or value != first_default(row, strategy)


def later_rows() -> list[Variable]:
    """The rows that came after the first release."""
    return [row for row in VARIABLES if row.name not in FIRST]


def moved(before: Mapping[str, object], now: Mapping[str, object]) -> list[tuple[Variable, object, object]]:
    """The rows whose default alone has made another training of the same one: each with its value then and now.

    Both are run configurations. Nothing, where anything else tells them apart: then somebody has chosen another one.
    """
    before, now = renamed(before), renamed(now)
    then_strategy, now_strategy = (str(values.get("strategy", "")) for values in (before, now))
    changed = []
    for row in VARIABLES:
        if not row.identity or not (row.applies_to(then_strategy) or row.applies_to(now_strategy)):
            continue
        then = before.get(row.key, first_default(row, then_strategy))
        value = now.get(row.key, first_default(row, now_strategy))
        if then == value:
            continue
        if value != row.default_for(now_strategy) or then not in defaults(row, then_strategy):
            return []
        changed.append((row, then, value))
    return changed
