# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The rounds of one run of a training: those that remain, from the nodes that they need to the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result
from flwr.supercore.run import Run

from .arithmetic import FIRST, Arithmetic
from .attendance import Attendance
from .checkpoints import CheckpointDirectory
from .configs import RoundConfigs
from .errors import RunFailedError
from .exact import ExactStrategy
from .grid import SteadyGrid
from .knowledge._config.purposes import told_purpose
from .knowledge._config.stopping import stopping_text
from .knowledge.version import VERSION
from .own_start import OwnStart, is_flowers_start
from .packer import Packer
from .publish import logger
from .resume import ARITHMETIC, KIT, AnyModel, Beginning
from .room import room
from .rounds import Evaluate, RoundKeeper, known_figures
from .saving import Saver
from .scratch import Scratch
from .state import KeptState, State
from .steering import Steer
from .stopping import EarlyStopping, EndedEarly
from .terms import Terms


class KeptRounds:
    """The rounds of one run."""

    def __init__(
        self,
        terms: Terms,
        state: KeptState,
        beginning: Beginning,
        arithmetic: Arithmetic,
        directory: CheckpointDirectory | None,
        grid: Grid,
        num_rounds: int,
        any_model: AnyModel | None,
        attendance: Attendance,
        stopping: EarlyStopping,
        steer: Steer,
    ) -> None:
        self._terms = terms
        self._state = state
        self._beginning = beginning
        self._arithmetic = arithmetic
        self._directory = directory
        self._publisher = terms.told_by
        self._grid = grid
        self._num_rounds = int(terms.values["num_rounds"]) or num_rounds  # 0: the app's own
        self._any_model = any_model
        self._attendance = attendance
        self._stopping = stopping
        self._steer = steer
        self._configs = RoundConfigs(beginning.state) if terms.guard.foreign else None
        required = bool(terms.values["checkpoint_required"])
        self._saver = Saver(directory, required, beginning.checkpoint) if directory else None

    def train(
        self,
        timeout: float | None,
        train_config: ConfigRecord | None,
        evaluate_config: ConfigRecord | None,
        evaluate_fn: Evaluate | None,
        more: Mapping[str, Any],
    ) -> Result:
        """Train the rounds that remain, and publish the result."""
        values, done = self._terms.values, self._beginning.rounds_done
        timeout = float(values["round_timeout"]) or timeout  # 0: the app's own
        guard = replace(self._terms.guard, round_timeout=math.inf if timeout is None else timeout)
        exact = ExactStrategy(
            self._state.strategy,
            guard,
            int(values["seed"]),
            done,
            self._arithmetic,
            self._attendance,
            self._steer,
            self._configs,
        )
        known = known_figures(self._beginning.checkpoint)
        if done:
            self._steer.remember(self._beginning.arrays, self._beginning.state, known)
        keeper = RoundKeeper(
            strategy=exact,
            publisher=self._publisher,
            saver=self._saver,
            interval=int(values["checkpoint_interval"]),
            num_rounds=self._num_rounds,
            about=self._about(),
            evaluate=_lending(evaluate_fn) if evaluate_fn and guard.foreign else evaluate_fn,
            capture=self._capture,
            attendance=self._attendance,
            stopping=self._stopping,
            steer=self._steer,
            private=self._arithmetic.private,
            restore=self._state.restore,
            round_files=bool(values.get("round_files")),
            last=known,
        )
        if self._num_rounds > done and not keeper.is_over:
            # Our own ClientApp unpacks; another says so, or is sent its arrays one by one.
            packer = Packer(presumed=not guard.foreign)
            scratch = Scratch(self._directory.path if self._directory else None)
            steady = SteadyGrid(self._grid, float(values["node_wait_timeout"]), keeper.heed_quiesce, packer, scratch)
            self._publisher.names = steady.sites
            self._steer.pseudonym = steady.sites.pseudonym
            self._check_nodes(steady)
            initial = self._initial_arrays()
            try:
                found = _numbered(
                    self._started(exact, keeper)(
                        grid=steady,
                        initial_arrays=initial,
                        num_rounds=self._num_rounds - done,
                        timeout=timeout,
                        train_config=train_config,
                        evaluate_config=evaluate_config,
                        evaluate_fn=partial(self._end_of_round, keeper),
                        **more,
                    ),
                    done,
                )
            except EndedEarly:
                found = keeper.result
            keeper.finish()
            if not found.arrays:
                found.arrays = initial  # no round has made a model; where one has, Flower returns the last
            if not keeper.is_over:
                self._tell_skipped(exact)
        else:
            found = Result(self._beginning.arrays)
            self._tell_trained_already(keeper)
        rounds = exact.last_aggregated or done
        checkpoint = self._saver.checkpoint if self._saver else None
        not_kept = {"not_kept": sorted(self._state.changed)} if self._state.changed else {}
        self._publisher.result(
            {
                "rounds": rounds,
                **keeper.last,
                **keeper.told_of_ends(rounds < self._num_rounds),
                "checkpoint": checkpoint.file if checkpoint else None,
                "sha256": checkpoint.sha256 if checkpoint else None,
                **self._attendance.told,
                **not_kept,
            }
        )
        return found

    def _started(self, exact: ExactStrategy, keeper: RoundKeeper) -> Callable[..., Result]:
        """Return what starts the strategy."""
        if is_flowers_start(exact.strategy):
            return exact.start
        again = partial(self._state.restore, dict(self._beginning.state))
        return OwnStart(exact, keeper, again, partial(self._look, keeper)).start

    def _end_of_round(self, keeper: RoundKeeper, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        self._look(keeper)
        return keeper(server_round, arrays)

    def _look(self, keeper: RoundKeeper) -> None:
        """See what the strategy has changed."""
        if news := self._state.watch():
            logger.warning(
                "The strategy has changed %s in this round, which no checkpoint holds. If it needs that in the next"
                " one, a resumed training is not exact: give capture and restore to keep().",
                ", ".join(news),
            )
        if self._configs and keeper.strategy.round.aggregated:
            self._configs.settle()

    def _capture(self) -> State:
        return {**self._state.capture(), **(self._configs.capture() if self._configs else {})}

    def _initial_arrays(self) -> ArrayRecord:
        """Return a model that is emptied when there is a newer one: the app's own is not to be."""
        arrays, is_theirs = self._beginning.arrays, self._terms.guard.foreign and not self._beginning.rounds_done
        return ArrayRecord(dict(arrays)) if is_theirs else arrays

    def _check_nodes(self, grid: SteadyGrid) -> None:
        """Wait until a round could begin, then hold the training against the nodes and the room that there are."""
        needed = self._terms.nodes_needed
        online = grid.wait_for_nodes(needed)
        self._terms.check(online, room(self._beginning, self._directory))
        logger.info("%d SuperNodes are online, %d needed", online, needed)

    def _tell_skipped(self, exact: ExactStrategy) -> None:
        last_aggregated = exact.last_aggregated
        if not last_aggregated and not exact.asked_nobody:
            raise RunFailedError("No round of this run aggregated anything: the model is the one it began with.")
        if 0 < last_aggregated < self._num_rounds:
            logger.warning(
                "The rounds after %d of %d were skipped, which is no progress: the same training, asked for again,"
                " trains them.",
                last_aggregated,
                self._num_rounds,
            )

    def _tell_trained_already(self, keeper: RoundKeeper) -> None:
        done = self._beginning.rounds_done
        if done < self._num_rounds:
            said = stopping_text({"round": done, **keeper.told_of_ends(True)})
            logger.info("The training is finished already: it has %s", said)
            return
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
            **self._terms.identity.said,
            **told_purpose(self._terms.values["purpose"]),
            **self._beginning.code(self._terms.identity.code),
            KIT: VERSION,
            "strategy": self._terms.strategy,
            "run_id": str(self._grid.run.run_id),
            "app": app_of(self._grid.run),
            # The first release had no number.
            **({} if self._arithmetic.number == FIRST else {ARITHMETIC: self._arithmetic.number}),
            **(self._any_model.said if self._any_model else {}),
        }


def _lending(evaluate: Evaluate) -> Evaluate:
    """Return the same with a record of its own each time: ours is emptied, and it may keep the best one."""
    return lambda server_round, arrays: evaluate(server_round, ArrayRecord(dict(arrays)))


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


def app_of(run: Run) -> str:
    """Return what a run is of, for a person."""
    return f"{run.fab_id} {run.fab_version} {run.fab_hash[:8]}"
