# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of the kit: a strategy that saves checkpoints, resumes exactly, guards its rounds and tells what it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from flwr.supercore.run import Run

from . import resume
from .checkpoints import CheckpointDirectory
from .errors import RunFailedError
from .exact import ExactStrategy, Guard
from .grid import SteadyGrid
from .knowledge._checkpoint.trainings import directory_of
from .knowledge._config.sizing import Room
from .publish import Publisher, logger
from .resume import Beginning, Identity
from .room import room
from .rounds import Evaluate, RoundKeeper, known_figures, known_line
from .saving import Saver
from .state import capture, check_state, restore


@dataclass(frozen=True)
class Terms:
    """What a training is held to."""

    values: Mapping[str, Any]  # of the variables that the kit heeds, by their names in the table
    identity: Identity
    strategy: str  # its name, for manifests
    guard: Guard
    nodes_needed: int  # online before a round can begin
    run_config: Mapping[str, Any]
    describe: Callable[[Strategy], Mapping[str, object]]  # says what the live object is
    check: Callable[[int, Room], None]  # raises where the nodes online, or the room of the host, do not suffice


def publisher(identity: Identity, run_id: int) -> Publisher:
    """Return what tells of a training, where the host of the ServerApp says that it is to be told."""
    common = {
        "training": identity.training,
        "run_id": str(run_id),
        "configuration_hash": identity.configuration_hash,
    }
    return Publisher(
        os.environ.get("FEDOPS_TRAININGS_DIR"), identity.training, common, os.environ.get("FEDOPS_ORDERS_DIR")
    )


class KeptStrategy(Strategy):
    """A strategy whose ``start`` begins where its checkpoints say, and keeps what each round made."""

    def __init__(self, strategy: Strategy, terms: Terms, told_by: Publisher) -> None:
        self.strategy = strategy
        self._terms = terms
        self._publisher = told_by

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Evaluate | None = None,
    ) -> Result:
        """Train the rounds that remain of ``num_rounds``; what each argument means, and the result, is Flower's."""
        with self._publisher.failures_told(), ExitStack() as stack:
            directory = self._directory(stack)
            beginning = begin(self._terms, directory, self.strategy, initial_arrays)
            restore(self.strategy, dict(beginning.state))
            self._publisher.effective(known_line(beginning.checkpoint), self._effective(beginning, grid.run))
            rounds = _Rounds(self._terms, self.strategy, beginning, directory, self._publisher, grid, num_rounds)
            del initial_arrays  # a resumed training has no use for them, and models are large
            return rounds.train(timeout, train_config, evaluate_config, evaluate_fn)

    def summary(self) -> None:
        """Let the strategy describe itself."""
        self.strategy.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Refuse: a kept strategy is started, and nothing else."""
        _refuse()

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Refuse: a kept strategy is started, and nothing else."""
        _refuse()

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Refuse: a kept strategy is started, and nothing else."""
        _refuse()

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Refuse: a kept strategy is started, and nothing else."""
        _refuse()

    def _directory(self, stack: ExitStack) -> CheckpointDirectory | None:
        values = self._terms.values
        if not values["checkpoint_enabled"]:
            return None
        path = str(values["checkpoint_path"])
        own = directory_of(path, self._terms.identity.training, strict=True)
        directory = CheckpointDirectory(
            own, int(values["checkpoint_keep_last"]), bool(values["checkpoint_keep_best"]), path
        )
        stack.enter_context(directory.locked())
        return directory

    def _effective(self, beginning: Beginning, run: Run) -> dict[str, object]:
        checkpoint = beginning.checkpoint
        return {
            "strategy": self._terms.describe(self.strategy),
            "run_config": self._terms.run_config,
            "resumed_from": checkpoint
            and {"round": checkpoint.round, "file": checkpoint.file, "sha256": checkpoint.sha256},
            "flwr_version": version("flwr"),
            "app": _app(run),
        }


def begin(terms: Terms, directory: CheckpointDirectory | None, strategy: Strategy, untrained: ArrayRecord) -> Beginning:
    """Return what the training begins with; without a directory, the untrained model."""
    if directory is None:
        return Beginning(untrained)
    check = partial(check_state, strategy, untrained)
    return resume.begin(directory, terms.identity, untrained, str(terms.values["resume"]), check)


class _Rounds:
    """The rounds of one run."""

    def __init__(
        self,
        terms: Terms,
        strategy: Strategy,
        beginning: Beginning,
        directory: CheckpointDirectory | None,
        told_by: Publisher,
        grid: Grid,
        num_rounds: int,
    ) -> None:
        self._terms = terms
        self._strategy = strategy
        self._beginning = beginning
        self._directory = directory
        self._publisher = told_by
        self._grid = grid
        self._num_rounds = num_rounds
        required = bool(terms.values["checkpoint_required"])
        self._saver = Saver(directory, required, beginning.checkpoint) if directory else None

    def train(
        self,
        timeout: float,
        train_config: ConfigRecord | None,
        evaluate_config: ConfigRecord | None,
        evaluate_fn: Evaluate | None,
    ) -> Result:
        """Train the rounds that remain, and publish the result."""
        values, done = self._terms.values, self._beginning.rounds_done
        exact = ExactStrategy(self._strategy, self._terms.guard, int(values["seed"]), done)
        keeper = RoundKeeper(
            strategy=exact,
            publisher=self._publisher,
            saver=self._saver,
            interval=int(values["checkpoint_interval"]),
            num_rounds=self._num_rounds,
            about=self._about(),
            evaluate=evaluate_fn,
            capture=partial(capture, self._strategy),
            last=known_figures(self._beginning.checkpoint),
        )
        if self._num_rounds > done:
            steady = SteadyGrid(self._grid, float(values["node_wait_timeout"]), keeper.heed_quiesce)
            self._check_nodes(steady)
            found = exact.start(
                grid=steady,
                initial_arrays=self._beginning.arrays,
                num_rounds=self._num_rounds - done,
                timeout=timeout,
                train_config=train_config,
                evaluate_config=evaluate_config,
                evaluate_fn=keeper,
            )
            keeper.finish()
            self._tell_skipped(exact.last_aggregated)
        else:
            found = Result(self._beginning.arrays)
            self._tell_trained_already()
        checkpoint = self._saver.checkpoint if self._saver else None
        self._publisher.result(
            {
                "rounds": exact.last_aggregated or done,
                **keeper.last,
                "checkpoint": checkpoint.file if checkpoint else None,
                "sha256": checkpoint.sha256 if checkpoint else None,
            }
        )
        return _numbered(found, done)

    def _check_nodes(self, grid: SteadyGrid) -> None:
        """Wait until a round could begin, then hold the training against the nodes and the room that there are."""
        needed = self._terms.nodes_needed
        online = grid.wait_for_nodes(needed)
        self._terms.check(online, room(self._beginning, self._directory))
        logger.info("%d SuperNodes are online, %d needed", online, needed)

    def _tell_skipped(self, last_aggregated: int) -> None:
        if not last_aggregated:
            raise RunFailedError("No round of this run aggregated anything: the model is the one it began with.")
        if last_aggregated < self._num_rounds:
            logger.warning(
                "The rounds after %d of %d were skipped, which is no progress: the same training, asked for again,"
                " trains them.",
                last_aggregated,
                self._num_rounds,
            )

    def _tell_trained_already(self) -> None:
        done = self._beginning.rounds_done
        logger.info("All %d rounds are trained already", self._num_rounds)
        if done > self._num_rounds:
            logger.warning(
                "fl_num_rounds is %d but %d rounds are trained already: the model keeps them all",
                self._num_rounds,
                done,
            )

    def _about(self) -> dict[str, object]:
        return {
            "num_rounds": self._num_rounds,
            **vars(self._terms.identity),
            "strategy": self._terms.strategy,
            "run_id": str(self._grid.run.run_id),
            "app": _app(self._grid.run),
        }


def _numbered(result: Result, rounds_done: int) -> Result:
    """Return a result with the true numbers of rounds: Flower counts those of one run."""
    return Result(
        result.arrays,
        *(
            {number + rounds_done: record for number, record in found.items()}
            for found in (
                result.train_metrics_clientapp,
                result.evaluate_metrics_clientapp,
                result.evaluate_metrics_serverapp,
            )
        ),
    )


def _app(run: Run) -> str:
    return f"{run.fab_id} {run.fab_version} {run.fab_hash[:8]}"


def _refuse() -> NoReturn:
    raise RunFailedError(
        "What keep() returns cannot be wrapped. Wrap the strategy that it is given: keep(Wrapper(...))."
    )
