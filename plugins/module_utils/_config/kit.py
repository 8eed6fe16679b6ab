# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kit in an app of one's own is told: a table of its own in the app's run configuration.

The app declares none of these keys, so that they are added when its FAB is built: Flower refuses what is not declared.
The same code runs on the Ansible controller and in the ServerApp, so that both tell trainings apart in the same way.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .code import OF_CODE
from .continuity import first_default
from .synonyms import keys_of
from .table import BY_NAME, VARIABLES
from .variable import Variable

KIT_PACKAGE = "fedops_kit"
TABLE = "fedops"  # below [tool.flwr.app.config]; Flower joins the names of tables and keys with dots

# What an app says itself, in its code or under a key of its own; empty in the table of the kit: it stands.
APPS_OWN = ("num_rounds", "min_fit_clients", "round_timeout")
KIT_ROWS: tuple[Variable, ...] = tuple(
    BY_NAME[name]
    for name in (
        "training_name",
        *APPS_OWN,
        "seed",
        "node_wait_timeout",
        "rejoin_timeout",
        "on_shortfall",
        "max_update_norm",
        "early_stopping_patience",
        "early_stopping_min_delta",
        "early_stopping_metric",
        "early_stopping_mode",
        "early_stopping_warmup_rounds",
        "checkpoint_enabled",
        "checkpoint_interval",
        "checkpoint_path",
        "checkpoint_keep_last",
        "checkpoint_keep_best",
        "checkpoint_required",
        "resume",
        "initial_checkpoint",
        "initial_sha256",
        "purpose",
        *OF_CODE,
    )
)


def kit_key(row: Variable) -> str:
    """The key of a variable in the table of the kit."""
    return f"{TABLE}.{row.key}"


def kit_default(row: Variable) -> object:
    """What the table of the kit has where nobody says anything."""
    return type(row.default)() if row.name in APPS_OWN else first_default(row, "")


KIT_KEYS: Mapping[str, Variable] = {kit_key(row): row for row in KIT_ROWS}


def has_kit(config: Collection[str]) -> bool:
    """Whether an app that declares these keys has the kit."""
    return kit_key(BY_NAME["training_name"]) in config


def told(run_config: Mapping[str, object], name: str) -> object:
    """What a run configuration says of a variable to what saves and resumes: the kit of an app, or our own app."""
    row = BY_NAME[name]
    return run_config.get(kit_key(row), run_config.get(row.key))


def apps_keys(config: Collection[str]) -> list[str]:
    """The keys that are the app's own."""
    return [key for key in config if not key.startswith(f"{TABLE}.")]


def identity_of(app_id: str, run_config: Mapping[str, object]) -> dict[str, object]:
    """What decides the bytes of an app's model, as far as its run configuration says it.

    What the kit is told counts where it is no default, so that a later release may know more. Of the app's own keys
    all count but those that say how long, where to, or how often: nobody knows what the others do.
    """
    own = apps_keys(run_config)
    aside = {key for row in VARIABLES if not row.identity for key in keys_of(row, own)}
    told = {
        key: run_config[key]
        for key, row in KIT_KEYS.items()
        if row.identity and run_config.get(key, kit_default(row)) != kit_default(row)
    }
    return {"app": app_id, **{key: run_config[key] for key in own if key not in aside}, **told}
