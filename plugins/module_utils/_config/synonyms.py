# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which keys other Flower apps know what our variables say.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from .variable import Variable

# By variable, most usual first. The keys of a variable come before these, and each may have underscores.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "strategy": ("strategy-name",),
    "num_rounds": ("server-rounds", "n-rounds", "rounds"),
    "min_fit_clients": ("min-train-nodes", "min-train-clients"),
    "min_evaluate_clients": ("min-evaluate-nodes", "min-eval-clients"),
    "min_available_clients": ("min-available-nodes", "min-num-clients", "min-clients"),
    "fraction_train": ("fraction-fit", "fraction-sample"),
    "fraction_evaluate": ("fraction-eval",),
    "proximal_mu": ("mu",),
    "server_lr": ("server-learning-rate",),
    "num_malicious": ("num-malicious-nodes", "num-malicious-clients"),
    "client_lr": ("learning-rate", "lr"),
    "local_epochs": ("epochs", "num-epochs", "max-epochs", "num-train-epochs"),
    "batch_size": ("per-device-train-batch-size",),
    "early_stopping_patience": ("early-stop-patience",),
    "seed": ("random-seed",),
    "checkpoint_enabled": ("checkpoint", "save-checkpoints"),
    "checkpoint_interval": ("checkpoint-every", "save-every", "save-every-round"),
    "checkpoint_path": ("checkpoint-dir", "save-path"),
}


def spellings(row: Variable) -> list[str]:
    """Every key that means a variable, best first."""
    keys = (*row.keys, *SYNONYMS.get(row.name, ()))
    return list(dict.fromkeys(spelling for key in keys for spelling in (key, key.replace("-", "_"))))


def keys_of(row: Variable, declared: Collection[str]) -> list[str]:
    """The declared keys that mean a variable, best first.

    One in a table counts when no other table has its like, or when it is one with the name of its table:
    C(early_stopping.patience), C(client.lr). So does one that is written with capital letters.
    """
    found = []
    for name in spellings(row):
        nested = [key for key in declared if key.rpartition(".")[2] == name and key != name]
        found += [name] if name in declared else nested if len(nested) == 1 else []
    names = dict.fromkeys(spellings(row))
    alike = [key for key in declared if key not in found and _with_hyphens(key) in names]
    return found + sorted(alike, key=lambda key: list(names).index(_with_hyphens(key)))


def _with_hyphens(key: str) -> str:
    """A key as ours are written: C(numServerRounds), C(NUM_SERVER_ROUNDS) and C(num.server.rounds) are the same."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[._]", "-", key).lower()
