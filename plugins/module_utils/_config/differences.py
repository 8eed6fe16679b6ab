# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does otherwise than asked, by the configuration that it reports.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._base.jsonable import CLAIM, harmless_value
from .._base.notation import show
from .._checkpoint.checkpoint import EARLY_STOPPING
from .code import OF_CODE
from .continuity import defaults, first_default, later_rows, renamed
from .kit import identity_of, kit_key
from .stopping import Stopping
from .strategies import STRATEGIES
from .table import BY_KEY, BY_NAME
from .training import Training
from .variable import EXTRA


def differences(training: Training, effective: Mapping[str, object], model_only: bool = False) -> list[str]:
    """What a run that reports this effective configuration does otherwise than asked, one sentence each.

    With ``model_only`` it is held only to what decides the model's bytes: a training that was finished earlier is the
    one that is asked for, whatever its timeouts were.
    """
    parameters, run_config = training.strategy_parameters, training.run_config
    asked_name = str(training.values["strategy"])
    variables = STRATEGIES[asked_name].variables
    untold = _untold(training)
    if model_only:
        parameters = {name: value for name, value in parameters.items() if variables[name] in training.identity}
        run_config = {
            key: value
            for key, value in run_config.items()
            if (BY_KEY[key].name if key in BY_KEY else EXTRA + key) in training.identity
        }
    strategy = effective.get("strategy")
    strategy = strategy if isinstance(strategy, Mapping) else {}
    pairs = [
        ("The training", training.values["training_name"], effective.get("training")),
        ("The configuration hash", training.configuration_hash, effective.get("configuration_hash")),
        ("The strategy", asked_name, strategy.get("name")),
        ("The class of the strategy", asked_name, str(strategy.get("class")).rpartition(".")[2]),
    ]
    implied = {name: untold[row] for name, row in variables.items() if row in untold}
    pairs += _each("Parameter {} of the strategy", parameters, strategy.get("parameters"), implied)
    implied = {BY_NAME[row].key: value for row, value in untold.items()}
    found = effective.get("run_config")
    found = renamed(found) if isinstance(found, Mapping) else None
    told = {key: value for key, value in run_config.items() if not _has_moved(key, value, found or {}, asked_name)}
    pairs += _each("Run configuration key {}", told, found, implied)
    pairs += [] if model_only else [_stopping(training.run_config, effective)]
    return _sentences(pairs)


def kit_differences(
    run_config: Mapping[str, object], effective: Mapping[str, object], model_only: bool = False
) -> list[str]:
    """The same of an app that has the kit, by the keys that it was given: its strategy is its own."""
    decisive = identity_of("", run_config)
    asked = {key: value for key, value in run_config.items() if key in decisive or not model_only}
    of_code = [kit_key(BY_NAME[name]) for name in OF_CODE]
    implied = {key: run_config[key] for key in of_code if key in run_config}
    pairs = [("The training", run_config[kit_key(BY_NAME["training_name"])], effective.get("training"))]
    pairs += _each("Run configuration key {}", asked, effective.get("run_config"), implied)
    pairs += [] if model_only else [_stopping(run_config, effective)]
    return _sentences(pairs)


def _stopping(run_config: Mapping[str, object], effective: Mapping[str, object]) -> tuple[str, object, object]:
    """What the run says that it counts with, which is more than what it was given."""
    asked = Stopping.in_run_config(run_config)
    return "Early stopping", asked.told if asked else None, effective.get(EARLY_STOPPING)


def _has_moved(key: str, value: object, found: Mapping[str, object], strategy: str) -> bool:
    """Whether a value differs for one reason: a default, which the strategy does not take, was another one before."""
    row = BY_KEY.get(key)
    return (
        row is not None
        and not row.applies_to(strategy)
        and value == row.default_for(strategy)
        and found.get(key) in defaults(row, strategy)
    )


def _sentences(pairs: list[tuple[str, object, object]]) -> list[str]:
    return [
        f"{what} was to be {show(asked)} and is {'missing' if found is None else show(found)}."
        for what, asked, found in pairs
        if not _same(asked, found)
    ]


def _untold(training: Training) -> dict[str, object]:
    """What a run does about the rows that its app does not know yet."""
    strategy = str(training.values["strategy"])
    return {
        **{
            row.name: first_default(row, strategy) if row.identity else training.default_of(row) for row in later_rows()
        },
        # A run that was submitted before there were such hashes takes over what it finds.
        **{name: training.values[name] for name in OF_CODE},
    }


def _each(
    what: str, asked: Mapping[str, object], found: object, implied: Mapping[str, object]
) -> list[tuple[str, object, object]]:
    found = {**implied, **found} if isinstance(found, Mapping) else {}
    return [(what.format(name), value, found.get(name)) for name, value in asked.items()]


def _same(asked: object, found: object) -> bool:
    """Equal, where true is not 1; 1 is 1.0, because JSON and YAML do not keep them apart.

    What a run reports has gone through C(harmless_value), which may have written what is asked another way.
    """
    return isinstance(asked, bool) == isinstance(found, bool) and found in (asked, harmless_value(asked, CLAIM))
