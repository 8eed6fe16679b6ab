# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of the kit: a strategy that saves checkpoints, resumes exactly, guards its rounds and tells what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from flwr.supercore.run import Run

from . import resume
from .arithmetic import FIRST, NEWEST, Arithmetic, arithmetics, tell_of_buffers
from .checkpoints import CheckpointDirectory
from .errors import RunFailedError
from .exact import ExactStrategy, started
from .grid import SteadyGrid
from .initial import first_model
from .knowledge._checkpoint.checkpoint import Checkpoint
from .knowledge._checkpoint.trainings import directory_of
from .knowledge._config.kit import KIT_PACKAGE
from .knowledge.version import VERSION
from .promises import promises
from .publish import logger
from .resume import ARITHMETIC, AnyModel, Beginning, arithmetic_of
from .room import room
from .rounds import Evaluate, RoundKeeper, known_figures, known_line
from .saving import Saver
from .state import Capture, KeptState, Restore, State
from .storable import check_storable
from .terms import Terms, of_any_app


def keep(
    strategy: Strategy, context: Context, *, capture: Capture | None = None, restore: Restore | None = None
) -> KeptStrategy:
    """Return a strategy that trains what this one does, and keeps what it makes.

    :param context: what Flower has given to the ServerApp's main function.
    :param capture: returns what the strategy needs in the next round beside the model, arrays of numbers by name. What
        Flower's own classes carry on is known.
    :param restore: is given what ``capture`` had returned when the checkpoint was saved that a run resumes from.
    """
    if not isinstance(strategy, Strategy) or isinstance(strategy, KeptStrategy):
        raise TypeError(
            f"keep() was given {type(strategy).__name__}, but takes a strategy of flwr.serverapp.strategy, and once."
        )
    state = KeptState(strategy, capture, restore)
    return KeptStrategy(state, lambda run: of_any_app(strategy, context, run))


class KeptStrategy(Strategy):
    """A strategy whose ``start`` begins where its checkpoints say, and keeps what each round made."""

    def __init__(self, state: KeptState, terms: Callable[[Run], Terms]) -> None:
        self.strategy = state.strategy
        self._state = state
        self._terms = terms
        self._started = False

    def __getattr__(self, name: str) -> Any:
        """What is asked of it beside the methods of a strategy is asked of the one that is kept."""
        if name == "strategy":
            raise AttributeError(name)  # while it is being made or copied
        return getattr(self.strategy, name)

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
        terms = self._terms(grid.run)
        with terms.told_by.failures_told(), ExitStack() as stack:
            if self._started:
                raise RunFailedError(
                    "start() was called a second time, but a run keeps one training: call keep() once."
                )
            self._started = True
            directory = _directory(terms, stack)
            any_model = AnyModel.of(terms.strategy, initial_arrays) if terms.guard.foreign else None
            beginning, arithmetic = begin(terms, directory, self._state, initial_arrays, any_model)
            self._state.restore(dict(beginning.state))
            facts = {**self._effective(terms, beginning, grid.run), ARITHMETIC: arithmetic.number}
            terms.told_by.effective(known_line(beginning.checkpoint), facts)
            rounds = _Rounds(terms, self._state, beginning, arithmetic, directory, grid, num_rounds, any_model)
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

    def _effective(self, terms: Terms, beginning: Beginning, run: Run) -> dict[str, object]:
        checkpoint = beginning.checkpoint
        facts: dict[str, object] = {
            "strategy": terms.describe(self.strategy),
            "run_config": terms.run_config,
            "resumed_from": checkpoint
            and {"round": checkpoint.round, "file": checkpoint.file, "sha256": checkpoint.sha256},
            "flwr_version": version("flwr"),
            "app": _app(run),
            "kit": {"name": KIT_PACKAGE, "version": VERSION},
        }
        if terms.guard.foreign:
            facts["promises"] = promises(self._state, bool(terms.values["checkpoint_enabled"]))
        return facts


def _directory(terms: Terms, stack: ExitStack) -> CheckpointDirectory | None:
    values = terms.values
    if not values["checkpoint_enabled"]:
        return None
    path = str(values["checkpoint_path"])
    own = directory_of(path, terms.identity.training, strict=True)
    directory = CheckpointDirectory(
        own, int(values["checkpoint_keep_last"]), bool(values["checkpoint_keep_best"]), path
    )
    stack.enter_context(directory.locked())
    return directory


def begin(
    terms: Terms,
    directory: CheckpointDirectory | None,
    state: KeptState,
    untrained: ArrayRecord,
    any_model: AnyModel | None = None,
) -> tuple[Beginning, Arithmetic]:
    """Return what the training begins with, and how it computes; without a directory, the untrained model."""
    # What an app makes of the replies by a strategy of its own is its own business.
    ways = {FIRST: Arithmetic()} if any_model else arithmetics(untrained, terms.buffers, terms.values)
    check_storable(untrained)

    def check(checkpoint: Checkpoint, kept: State) -> None:
        state.check(ways[arithmetic_of(checkpoint)].seen(untrained), kept)

    first = partial(first_model, terms.values, untrained)
    if directory is None:
        beginning = Beginning(first())
    else:
        mode = str(terms.values["resume"])
        beginning = resume.begin(directory, terms.identity, untrained, mode, check, any_model, first)
    if any_model:
        return beginning, ways[FIRST]
    tell_of_buffers(untrained, ways[NEWEST].buffers, beginning.arithmetic)
    return beginning, ways[beginning.arithmetic]


class _Rounds:
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
        timeout = float(values["round_timeout"]) or timeout  # 0: the app's own
        guard = replace(self._terms.guard, round_timeout=timeout)
        exact = ExactStrategy(self._state.strategy, guard, int(values["seed"]), done, self._arithmetic)
        keeper = RoundKeeper(
            strategy=exact,
            publisher=self._publisher,
            saver=self._saver,
            interval=int(values["checkpoint_interval"]),
            num_rounds=self._num_rounds,
            about=self._about(),
            evaluate=evaluate_fn,
            capture=self._state.capture,
            round_files=bool(values.get("round_files")),
            last=known_figures(self._beginning.checkpoint),
        )
        if self._num_rounds > done:
            steady = SteadyGrid(self._grid, float(values["node_wait_timeout"]), keeper.heed_quiesce)
            self._publisher.names = steady.sites
            self._check_nodes(steady)
            found = started(exact)(
                grid=steady,
                initial_arrays=self._initial_arrays(),
                num_rounds=self._num_rounds - done,
                timeout=timeout,
                train_config=train_config,
                evaluate_config=evaluate_config,
                evaluate_fn=partial(self._end_of_round, keeper),
            )
            keeper.finish()
            self._tell_skipped(exact)
        else:
            found = Result(self._beginning.arrays)
            self._tell_trained_already()
        checkpoint = self._saver.checkpoint if self._saver else None
        not_kept = {"not_kept": sorted(self._state.changed)} if self._state.changed else {}
        self._publisher.result(
            {
                "rounds": exact.last_aggregated or done,
                **keeper.last,
                "checkpoint": checkpoint.file if checkpoint else None,
                "sha256": checkpoint.sha256 if checkpoint else None,
                **not_kept,
            }
        )
        return _numbered(found, done)

    def _end_of_round(self, keeper: RoundKeeper, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        if news := self._state.watch():
            logger.warning(
                "The strategy has changed %s in this round, which no checkpoint holds. If it needs that in the next"
                " one, a resumed training is not exact: give capture and restore to keep().",
                ", ".join(news),
            )
        return keeper(server_round, arrays)

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
            # The first release had no number.
            **({} if self._arithmetic.number == FIRST else {ARITHMETIC: self._arithmetic.number}),
            **(self._any_model.said if self._any_model else {}),
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
