# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One run of a training: what the run configuration says, made terms of the kit, which does the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp import Grid

from fedops_kit import dtypes
from fedops_kit.errors import RunFailedError
from fedops_kit.keeping import KeptStrategy
from fedops_kit.knowledge._base.home import DATA, HOME, below
from fedops_kit.knowledge._checkpoint import side_files
from fedops_kit.knowledge._config.knobs import TABLE_OF_KNOBS, knobs_in_run
from fedops_kit.knowledge._config.privacy import LOCAL_NOISE, PRIVACY
from fedops_kit.knowledge._config.sizing import Room
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.table import BY_NAME, LOCAL, VARIABLES
from fedops_kit.knowledge._config.training import Training, check
from fedops_kit.knowledge._config.variable import EXTRA
from fedops_kit.one_round import Guard
from fedops_kit.publish import logger
from fedops_kit.resume import Identity
from fedops_kit.state import KeptState
from fedops_kit.terms import Terms, publisher

from . import strategies, task
from .asking import MOST_EXAMPLES, call
from .metrics import record_of_metrics

_OF_SITES_NOISE = tuple(
    BY_NAME[name] for name in (PRIVACY, *(f"{PRIVACY}_{of}" for of in ("clipping_norm", "noise_multiplier", "seed")))
)
DATA_DIRECTORY = below(HOME, DATA)  # unless the host says otherwise


def run_training(grid: Grid, context: Context) -> None:
    """Run the training that the run configuration describes, or raise with the reason why it cannot be."""
    # What was given, beside what the app declares: Flower has joined the two.
    given = grid.run.override_config
    knobs = knobs_in_run(getattr(task, TABLE_OF_KNOBS, {}), context.run_config)
    training = Training.from_run_config(context.run_config, knobs, given)
    for problem in training.problems:
        logger.warning("%s", problem.message)
    agreed, values = terms(training, context.run_id), training.values
    with agreed.told_by.failures_told():
        untrained = call(
            task.initial_arrays, int(values["seed"]), extra=training.extra, data_directory=_data_directory()
        )
        told = replace(agreed, side_files=_side_files(training))
        KeptStrategy(KeptState(strategies.build(training)), lambda run: told).start(
            grid=grid,
            initial_arrays=_record(untrained),
            num_rounds=int(values["num_rounds"]),
            timeout=float(values["round_timeout"]),
            train_config=_train_config(training),
            evaluate_config=_evaluate_config(training),
            evaluate_fn=partial(_evaluate_centrally, training),
        )


def terms(training: Training, run_id: int) -> Terms:
    """Return what the kit is to hold a training to."""
    values = training.values
    code = str(values["code_sha256"]), str(values["code_change"])
    identity = Identity(str(values["training_name"]), training.configuration_hash, training.identity, *code)
    arguments = training.strategy_parameters
    minimum = max(int(values["min_fit_clients"]), STRATEGIES[str(values["strategy"])].minimum_replies(values))
    return Terms(
        values=values,
        identity=identity,
        strategy=str(values["strategy"]),
        guard=Guard(
            minimum_replies=minimum,
            trim_beta=float(arguments.get("beta", 0.0)),
            on_shortfall=str(values["on_shortfall"]),
            round_timeout=float(values["round_timeout"]),
            max_update_norm=float(values["max_update_norm"]),
        ),
        nodes_needed=max(
            minimum,
            *(int(arguments[name]) for name in ("min_available_nodes", "min_train_nodes", "min_evaluate_nodes")),
        ),
        run_config=training.run_config,
        describe=partial(strategies.describe, training=training),
        check=partial(_check, training),
        told_by=publisher(identity, run_id, values["purpose"]),
        buffers=call(getattr(task, "buffers", tuple), extra=training.extra),
    )


def _side_files(training: Training) -> Mapping[str, str]:
    """Return what the task says goes with its model."""
    function = getattr(task, "side_files", None)
    if function is None:
        return {}
    files = call(function, data_directory=_data_directory(), extra=training.extra)
    if not isinstance(files, Mapping):
        raise RunFailedError(f"side_files() in task.py has returned {type(files).__name__}, and no dictionary.")
    try:
        return side_files.encoded(files)
    except ValueError as error:
        raise RunFailedError(f"side_files() in task.py has returned what cannot go with a model: {error}.") from None


def _check(training: Training, online: int, found: Room) -> None:
    """Hold the variables against the nodes and the room that there really are."""
    variables = {BY_NAME[name].ansible: value for name, value in training.values.items()}
    problems = check(variables, nodes_online=online, room=found)
    errors = [problem.message for problem in problems if problem.severity == "error"]
    if errors:
        raise RunFailedError("\n".join(errors))


def _train_config(training: Training) -> ConfigRecord:
    """What the ServerApp decides for the clients; ``server-round`` and ``proximal-mu`` are Flower's to add."""
    rows = (BY_NAME["seed"], *(row for row in VARIABLES if row.group == LOCAL), BY_NAME["demo_attacks"])
    noise = _OF_SITES_NOISE if training.values[PRIVACY] == LOCAL_NOISE else ()
    return ConfigRecord({**{row.key: training.values[row.name] for row in (*rows, *noise)}, **_knobs(training)})


def _evaluate_config(training: Training) -> ConfigRecord:
    """What the ServerApp decides for an evaluation; nothing is told of a limit that there is not."""
    most = _most_examples(training)
    return ConfigRecord({**({MOST_EXAMPLES: most} if most else {}), **_knobs(training)})


def _most_examples(training: Training) -> int | None:
    """Of how many examples an evaluation takes at most; None where it takes all."""
    return int(training.values["max_eval_batches"]) * int(training.values["batch_size"]) or None


def _knobs(training: Training) -> dict[str, Any]:
    """What the task alone knows, as messages carry it."""
    return {EXTRA + key: value for key, value in training.extra.items()}


def _data_directory() -> Path:
    return Path(os.environ.get("FEDOPS_DATA_DIR", DATA_DIRECTORY))


def _evaluate_centrally(training: Training, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
    """Evaluate on the server's own test set, where it has one."""
    model = {name: dtypes.numbers(array) for name, array in arrays.items()}
    offered = {"extra": training.extra, "most_examples": _most_examples(training)}
    metrics = call(task.evaluate_centrally, model, _data_directory(), **offered)
    return record_of_metrics(metrics, "evaluate_centrally") if metrics else None


def _record(arrays: task.Arrays) -> ArrayRecord:
    if not isinstance(arrays, Mapping):
        raise RunFailedError(f"initial_arrays() in task.py has returned {type(arrays).__name__}, and no dictionary.")
    record = ArrayRecord()
    for name, array in arrays.items():
        try:
            record[name] = dtypes.array(np.asarray(array))
        except TypeError as error:
            raise RunFailedError(
                f"initial_arrays() in task.py has returned {name!r}, which cannot be sent: {error}."
            ) from None
    return record
