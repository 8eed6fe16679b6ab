# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of the kit: a strategy that saves checkpoints, resumes exactly, guards its rounds and tells what it does."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from flwr.supercore.run import Run

from . import resume
from .arithmetic import FIRST, NEWEST, Arithmetic, arithmetics, tell_of_buffers
from .attendance import Attendance
from .buffers import unlearned
from .checkpoints import CheckpointDirectory
from .errors import RunFailedError
from .foreign import known_row, layers, unsound
from .initial import first_model
from .kept_rounds import KeptRounds, app_of
from .knowledge._checkpoint.checkpoint import EARLY_STOPPING, Checkpoint
from .knowledge._checkpoint.trainings import directory_of
from .knowledge._config.kit import KIT_PACKAGE
from .knowledge._config.privacy import PRIVACY
from .knowledge._config.steering import STEERING
from .knowledge._config.strategies import NOT_FOR_BUFFERS
from .knowledge.version import VERSION
from .private import check_privacy
from .promises import promises
from .publish import logger
from .resume import ARITHMETIC, KIT, AnyModel, Beginning, arithmetic_of
from .rounds import Evaluate, known_line
from .state import Capture, KeptState, Restore, State
from .steering import Steer, check_steering
from .stopping import EarlyStopping, check_stopping
from .storable import check_storable, check_trainable
from .terms import Terms, of_any_app

_FORMER = "flwr.server."  # where the strategies are that Flower had before those with a start()


def keep(
    strategy: Strategy, context: Context, *, capture: Capture | None = None, restore: Restore | None = None
) -> KeptStrategy:
    """Return a strategy that trains what this one does, and keeps what it makes.

    :param context: what Flower has given to the ServerApp's main function.
    :param capture: returns what the strategy needs in the next round beside the model, arrays of numbers by name. What
        Flower's own classes carry on is known.
    :param restore: is given what ``capture`` had returned when the checkpoint was saved that a run resumes from.
    """
    if type(strategy).__module__.startswith(_FORMER):
        raise TypeError(
            f"keep() was given {type(strategy).__name__} of {_FORMER}strategy, which has no start(): Flower runs it by"
            " ServerApp(server_fn=...), and nobody can keep what it makes. Take the class of that name from"
            " flwr.serverapp.strategy and start it in @app.main(); or leave both lines out, and it runs as it does"
            " elsewhere."
        )
    if not isinstance(strategy, Strategy) or isinstance(strategy, KeptStrategy):
        raise TypeError(
            f"keep() was given {type(strategy).__name__}, but takes a strategy of flwr.serverapp.strategy, and once."
        )
    state = KeptState(strategy, capture, restore)
    return KeptStrategy(state, lambda run: of_any_app(strategy, context, run))


class KeptStrategy(Strategy):
    """A strategy whose ``start`` begins where its checkpoints say, and keeps what each round made."""

    _OWN = ("strategy", "_state", "_terms", "_started")

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

    def __setattr__(self, name: str, value: object) -> None:
        """What is set on it is set on the one that is kept, which knows nothing of this one."""
        if name in self._OWN:
            super().__setattr__(name, value)
        else:
            setattr(self.strategy, name, value)

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float | None = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Evaluate | None = None,
        **more: Any,
    ) -> Result:
        """Train the rounds that remain of ``num_rounds``; what each argument means, and the result, is Flower's.

        ``more`` is for a strategy with a ``start`` of its own, which may take others.
        """
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
            terms.told_by.learn(beginning.code(terms.identity.code))
            attendance = _attendance(terms, beginning)
            manifest = beginning.checkpoint.manifest if beginning.checkpoint else None
            stopping, steer = EarlyStopping.begin(terms.values, manifest), Steer.begin(terms.values, manifest)
            facts = {**self._effective(terms, beginning, grid.run), ARITHMETIC: arithmetic.number}
            if stopping.settings:
                facts[EARLY_STOPPING] = stopping.settings.told
            if steer.settings:
                facts[STEERING] = steer.settings.told
            if arithmetic.private:
                facts[PRIVACY] = arithmetic.private.about
            terms.told_by.effective(known_line(beginning.checkpoint), facts)
            terms.told_by.keep_side_files(terms.side_files)
            if arithmetic.private:
                arithmetic.private.begin(terms.told_by, manifest, beginning.rounds_done)
            rounds = KeptRounds(
                terms,
                self._state,
                beginning,
                arithmetic,
                directory,
                grid,
                operator.index(num_rounds),  # one of NumPy is no number of JSON
                any_model,
                attendance,
                stopping,
                steer,
            )
            del initial_arrays  # a resumed training has no use for them, and models are large
            return rounds.train(timeout, train_config, evaluate_config, evaluate_fn, more)

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
            and {
                "round": checkpoint.round,
                "file": checkpoint.file,
                "sha256": checkpoint.sha256,
                **{key: checkpoint.manifest[key] for key in ("app", KIT) if key in checkpoint.manifest},
            },
            "flwr_version": version("flwr"),
            "app": app_of(run),
            "kit": {"name": KIT_PACKAGE, "version": VERSION},
        }
        if terms.guard.foreign:
            facts["promises"] = promises(self._state, bool(terms.values["checkpoint_enabled"]))
        return facts


def _attendance(terms: Terms, beginning: Beginning) -> Attendance:
    """Return what is known of who took part, before what an older training has left is put away."""
    values, checkpoint, told_by = terms.values, beginning.checkpoint, terms.told_by
    # Without a checkpoint a lost run is repeated from its first round, and one that was finished is not.
    anew = checkpoint is None and (values["resume"] == "never" or told_by.has_result)
    return Attendance.of(told_by, float(values["rejoin_timeout"]), checkpoint.manifest if checkpoint else None, anew)


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
    check_storable(untrained)
    # What an app makes of the replies by a strategy of its own is its own business.
    ways = {FIRST: Arithmetic()} if any_model else arithmetics(untrained, terms.buffers, terms.values)

    def check(checkpoint: Checkpoint, kept: State) -> None:
        state.check(ways[arithmetic_of(checkpoint)].seen(untrained), kept)
        check_stopping(checkpoint.manifest)
        check_steering(checkpoint.manifest)
        check_privacy(checkpoint.manifest)

    first = partial(first_model, terms.values, untrained)
    if directory is None:
        beginning = Beginning(first())
    else:
        mode = str(terms.values["resume"])
        masks = untrained if any_model else {name: untrained[name] for name in ways[NEWEST].buffers}
        infinite = frozenset(unsound(masks, {}))
        beginning = resume.begin(directory, terms.identity, untrained, mode, check, any_model, first, infinite)
    if any_model:
        _tell_of_an_apps_buffers(state.strategy, untrained)
        return beginning, ways[FIRST]
    arithmetic = ways[beginning.arithmetic]
    if not beginning.rounds_done:
        check_trainable(beginning.arrays, arithmetic.parameters(untrained))
    tell_of_buffers(untrained, ways[NEWEST].buffers, beginning.arithmetic)
    return beginning, arithmetic


def _tell_of_an_apps_buffers(strategy: Strategy, model: ArrayRecord) -> None:
    """Warn of running statistics and counters that one of Flower's classes takes for parameters."""
    rows = [row for dummy, layer in layers(strategy) if (row := known_row(layer)) and row.name in NOT_FOR_BUFFERS]
    if rows and (names := unlearned(model)):
        logger.warning(
            "%s takes running statistics and counters for parameters, and steps along them or judges by them: %s of the"
            " model's arrays, %s among them. A variance may become negative. Do not send them, take a strategy that"
            " averages, or train the model with the collection's own app, whose buffers() keeps them apart.",
            rows[0].name,
            len(names),
            names[0],
        )


def _refuse() -> NoReturn:
    raise RunFailedError(
        "What keep() returns cannot be wrapped. Wrap the strategy that it is given: keep(Wrapper(...))."
    )
