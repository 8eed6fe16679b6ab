# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which keys other Flower apps know what our variables say.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .variable import Variable

# By variable, most usual first. The keys of a variable, and its name with underscores, come before these.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "strategy": ("strategy-name", "strategy_name"),
    "num_rounds": ("num_server_rounds", "num_rounds", "server-rounds", "server_rounds", "n-rounds", "rounds"),
    "min_fit_clients": ("min-train-nodes", "min_train_nodes", "min-train-clients"),
    "min_evaluate_clients": ("min-evaluate-nodes", "min_evaluate_nodes", "min-eval-clients"),
    "min_available_clients": ("min-available-nodes", "min_available_nodes"),
    "fraction_train": ("fraction-fit", "fraction_fit"),
    "fraction_evaluate": ("fraction-eval", "fraction_eval"),
    "proximal_mu": ("mu",),
    "server_lr": ("server-learning-rate", "server_learning_rate"),
    "num_malicious": ("num-malicious-nodes", "num_malicious_nodes", "num-malicious-clients"),
    "client_lr": ("learning-rate", "learning_rate", "lr"),
    "local_epochs": ("epochs", "num-epochs", "num_epochs", "num-train-epochs", "num_train_epochs"),
    "batch_size": ("per-device-train-batch-size", "per_device_train_batch_size"),
    "early_stopping_patience": ("early-stop-patience", "early_stop_patience"),
    "seed": ("random-seed", "random_seed"),
    "checkpoint_enabled": ("checkpoint", "save-checkpoints", "save_checkpoints"),
    "checkpoint_interval": ("checkpoint-every", "checkpoint_every", "save-every", "save_every", "save-every-round"),
    "checkpoint_path": ("checkpoint-dir", "checkpoint_dir", "save-path", "save_path"),
}


def keys_of(row: Variable, declared: Collection[str]) -> list[str]:
    """The declared keys that mean a variable, best first; one in a table counts when no other table has its like."""
    found = []
    for name in dict.fromkeys((*row.keys, row.name, *SYNONYMS.get(row.name, ()))):
        nested = [key for key in declared if key.rpartition(".")[2] == name and key != name]
        found += [name] if name in declared else nested if len(nested) == 1 else []
    return found
