# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One run of a training: check, resume, train the remaining rounds, and end as what it was."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run

from fedops_kit import resume
from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import RunFailedError
from fedops_kit.exact import ExactStrategy, Guard
from fedops_kit.grid import SteadyGrid
from fedops_kit.knowledge._base.home import DATA, HOME, below
from fedops_kit.knowledge._config.sizing import Room
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.table import BY_NAME
from fedops_kit.knowledge._config.training import Training, check
from fedops_kit.publish import Publisher, logger
from fedops_kit.resume import Beginning, Identity
from fedops_kit.room import room
from fedops_kit.rounds import RoundKeeper, known_figures, known_line
from fedops_kit.saving import Saver
from fedops_kit.state import capture, check_state, restore

from . import strategies, task

DATA_DIRECTORY = below(HOME, DATA)  # unless the host says otherwise


def run_training(grid: Grid, context: Context) -> None:
    """Run the training that the run configuration describes, or raise with the reason why it cannot be."""
    training = Training.from_run_config(context.run_config)
    for problem in training.problems:
        logger.warning("%s", problem.message)
    publisher = Publisher(
        os.environ.get("FEDOPS_TRAININGS_DIR"),
        str(training.values["training_name"]),
        {
            "training": training.values["training_name"],
            "run_id": str(context.run_id),
            "configuration_hash": training.configuration_hash,
        },
        os.environ.get("FEDOPS_ORDERS_DIR"),
    )
    try:
        with ExitStack() as stack:
            _begin_and_train(training, _checkpoint_directory(training, stack), publisher, grid)
    except Exception as error:
        publisher.failed(error)
        raise


def _begin_and_train(
    training: Training, directory: CheckpointDirectory | None, publisher: Publisher, grid: Grid
) -> None:
    """Begin where the checkpoints say, tell what runs, and train."""
    strategy = strategies.build(training)
    beginning = begin(training, directory, strategy, _record(task.initial_arrays(int(training.values["seed"]))))
    restore(strategy, dict(beginning.state))
    publisher.effective(known_line(beginning.checkpoint), _effective(training, strategy, beginning, grid.run))
    _train(training, beginning, strategy, directory, publisher, grid)


def begin(
    training: Training, directory: CheckpointDirectory | None, strategy: Strategy, untrained: ArrayRecord
) -> Beginning:
    """Return what the training begins with; without a directory, the untrained model."""
    if directory is None:
        return Beginning(untrained)
    check = partial(check_state, strategy, untrained)
    return resume.begin(directory, _identity(training), untrained, str(training.values["resume"]), check)


def _train(
    training: Training,
    beginning: Beginning,
    strategy: Strategy,
    directory: CheckpointDirectory | None,
    publisher: Publisher,
    grid: Grid,
) -> None:
    """Train the rounds that remain, and publish the result."""
    values = training.values
    num_rounds = int(values["num_rounds"])
    saver = Saver(directory, bool(values["checkpoint_required"]), beginning.checkpoint) if directory else None
    exact = ExactStrategy(strategy, _guard(training), int(values["seed"]), beginning.rounds_done)
    keeper = RoundKeeper(
        strategy=exact,
        publisher=publisher,
        saver=saver,
        interval=int(values["checkpoint_interval"]),
        num_rounds=num_rounds,
        about=_about(training, grid.run),
        evaluate_centrally=_evaluate_centrally,
        capture=partial(capture, strategy),
        last=known_figures(beginning.checkpoint),
    )
    remaining = num_rounds - beginning.rounds_done
    if remaining > 0:
        steady = SteadyGrid(grid, float(values["node_wait_timeout"]), keeper.heed_quiesce)
        _check_nodes(training, steady, room(beginning, directory))
        exact.start(
            grid=steady,
            initial_arrays=beginning.arrays,
            num_rounds=remaining,
            timeout=float(values["round_timeout"]),
            train_config=_train_config(training),
            evaluate_fn=keeper,
        )
        keeper.finish()
        if not exact.last_aggregated:
            raise RunFailedError("No round of this run aggregated anything: the model is the one it began with.")
        if exact.last_aggregated < num_rounds:
            logger.warning(
                "The rounds after %d of %d were skipped, which is no progress: the same training, asked for again,"
                " trains them.",
                exact.last_aggregated,
                num_rounds,
            )
    else:
        logger.info("All %d rounds are trained already", num_rounds)
        if remaining < 0:
            logger.warning(
                "fl_num_rounds is %d but %d rounds are trained already: the model keeps them all",
                num_rounds,
                beginning.rounds_done,
            )
    checkpoint = saver.checkpoint if saver else None
    publisher.result(
        {
            "rounds": exact.last_aggregated or beginning.rounds_done,
            **keeper.last,
            "checkpoint": checkpoint.file if checkpoint else None,
            "sha256": checkpoint.sha256 if checkpoint else None,
        }
    )


def _checkpoint_directory(training: Training, stack: ExitStack) -> CheckpointDirectory | None:
    values = training.values
    if not values["checkpoint_enabled"]:
        return None
    directory = CheckpointDirectory(
        str(values["checkpoint_path"]), int(values["checkpoint_keep_last"]), bool(values["checkpoint_keep_best"])
    )
    stack.enter_context(directory.locked())
    return directory


def _check_nodes(training: Training, grid: SteadyGrid, found: Room) -> None:
    """Wait until a round could begin, then hold the variables against the nodes and the room that there really are."""
    values = training.values
    arguments = training.strategy_parameters
    needed = max(
        _minimum_replies(training),
        *(int(arguments[name]) for name in ("min_available_nodes", "min_train_nodes", "min_evaluate_nodes")),
    )
    online = grid.wait_for_nodes(needed)
    problems = check({BY_NAME[name].ansible: value for name, value in values.items()}, nodes_online=online, room=found)
    errors = [problem.message for problem in problems if problem.severity == "error"]
    if errors:
        raise RunFailedError("\n".join(errors))
    logger.info("%d SuperNodes are online, %d needed", online, needed)


def _minimum_replies(training: Training) -> int:
    values = training.values
    return max(int(values["min_fit_clients"]), STRATEGIES[str(values["strategy"])].minimum_replies(values))


def _guard(training: Training) -> Guard:
    values = training.values
    return Guard(
        minimum_replies=_minimum_replies(training),
        trim_beta=float(training.strategy_parameters.get("beta", 0.0)),
        on_shortfall=str(values["on_shortfall"]),
        round_timeout=float(values["round_timeout"]),
        max_update_norm=float(values["max_update_norm"]),
    )


def _train_config(training: Training) -> ConfigRecord:
    """What the ServerApp decides for the clients; ``server-round`` and ``proximal-mu`` are Flower's to add."""
    names = ("seed", "client_lr", "local_epochs", "batch_size", "demo_attacks")
    return ConfigRecord({BY_NAME[name].key: training.values[name] for name in names})


def _evaluate_centrally(arrays: ArrayRecord) -> task.Metrics | None:
    directory = Path(os.environ.get("FEDOPS_DATA_DIR", DATA_DIRECTORY))
    return task.evaluate_centrally({name: array.numpy() for name, array in arrays.items()}, directory)


def _record(arrays: task.Arrays) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


def _app(run: Run) -> str:
    return f"{run.fab_id} {run.fab_version} {run.fab_hash[:8]}"


def _identity(training: Training) -> Identity:
    return Identity(str(training.values["training_name"]), training.configuration_hash, training.identity)


def _about(training: Training, run: Run) -> dict[str, object]:
    return {
        "num_rounds": training.values["num_rounds"],
        **vars(_identity(training)),
        "strategy": training.values["strategy"],
        "run_id": str(run.run_id),
        "app": _app(run),
    }


def _effective(training: Training, strategy: Strategy, beginning: Beginning, run: Run) -> dict[str, object]:
    checkpoint = beginning.checkpoint
    return {
        "strategy": strategies.describe(strategy, training),
        "run_config": training.run_config,
        "resumed_from": checkpoint
        and {"round": checkpoint.round, "file": checkpoint.file, "sha256": checkpoint.sha256},
        "flwr_version": version("flwr"),
        "app": _app(run),
    }
