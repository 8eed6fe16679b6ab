# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of each round: evaluate, save a checkpoint when one is due, tell the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flwr.app import Array, ArrayRecord, MetricRecord
from flwr.serverapp.strategy import Result

from .attendance import Attendance
from .configs import EVALUATE, TRAIN
from .errors import QuiescedError
from .exact import ExactStrategy
from .knowledge._base.jsonable import is_number
from .knowledge._checkpoint.checkpoint import Checkpoint
from .knowledge._config.stopping import stopping_text
from .measured import measured
from .one_round import Round
from .private import Private
from .publish import Publisher, finite, logger
from .rolls import DEVIATION, EXACT, said
from .round_files import round_file, server_eval
from .saving import Saver
from .state import State
from .steering import Steer
from .stopping import CENTRAL, OF_SITES, OF_TRAINING, EarlyStopping, EndedEarly, figure

_LETTERS = 1 << 15  # of all metrics in a line

# What Flower calls an evaluate function: it is told the number of a round and the model.
Evaluate = Callable[[int, ArrayRecord], MetricRecord | None]


@dataclass
class RoundKeeper:
    """What Flower calls an evaluate function: it runs after every round, even after one that aggregated nothing."""

    strategy: ExactStrategy
    publisher: Publisher
    saver: Saver | None  # None: checkpoints are off
    interval: int
    num_rounds: int
    about: Mapping[str, object]  # what every manifest says of this training
    evaluate: Evaluate | None  # the app's own
    capture: Callable[[], State]  # what the strategy needs in the next round, beside the model
    attendance: Attendance
    stopping: EarlyStopping
    steer: Steer
    private: Private | None
    restore: Callable[[State], None]  # gives the strategy back what ``capture`` has returned
    round_files: bool = False  # whether each round leaves a file of its own
    last: dict[str, object] = field(default_factory=dict)  # loss and accuracy of the newest model
    result: Result = field(default_factory=Result)  # of a training that is ended early
    ended: int = 0  # the round that was ended last in this run
    _unsaved: tuple[Mapping[str, Array], dict[str, object]] | None = None
    # The best model so far with its state, which could not be saved: newer ones must not take its place.
    _owed: tuple[Mapping[str, Array], State, dict[str, object]] | None = None
    _overdue: bool = False  # a round in which a checkpoint was due was skipped
    _told: Mapping[str, object] = field(default_factory=dict)  # what was published of the newest round

    def __call__(self, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        """Finish a round. Round 0 is Flower's look at the initial model, which no run but the first one has."""
        if server_round == 0:
            self.heed_quiesce()
            return None if self.strategy.rounds_done else self._evaluate_untrained(arrays)
        central = self.evaluated(arrays)
        self.end(arrays, central)
        return central

    def evaluated(self, arrays: ArrayRecord) -> MetricRecord | None:
        """Return what the app's own function says of the model of this round."""
        central = self.evaluate(self.strategy.round.number, arrays) if self.evaluate else None
        self.strategy.round.spent("central evaluation")
        return central

    def end(self, arrays: ArrayRecord, central: MetricRecord | None) -> None:
        """Save what a round has made, and tell of it."""
        finished = self.strategy.round
        self.ended = finished.number
        of_server = None if central is None else measured(central)
        facts = _figures(of_server, finished.metrics, finished.num_examples)
        deviation = self.attendance.ends(
            finished.number, finished.asked_nodes, finished.counted_nodes if finished.aggregated else ()
        )
        self.attendance.note(finished.number, deviation)
        is_best = spike = False
        if finished.aggregated:
            by_whom = {CENTRAL: of_server, OF_SITES: finished.metrics, OF_TRAINING: finished.train_metrics}
            is_best = self.stopping.improves(finished.number, by_whom)
            spike = self.steer.spikes(finished, _loss(of_server, finished.metrics))
            self.last = self._kept(arrays, spike, {"loss": facts["loss"], "accuracy": facts["accuracy"]})
            # A mapping of our own: the record is emptied when the next round has made a new model, saved or not.
            said = {**self.attendance.manifest, **self.stopping.manifest, **self.steer.manifest}
            said.update(self.private.manifest if self.private else {})
            self._unsaved = (dict(arrays), {**self.about, "round": finished.number, **self.last, **said})
        is_over = self.is_over
        stands_still = finished.number < self.num_rounds and not is_over and self.publisher.is_to_stand_still
        saved = self._save() if self._is_due(finished, stands_still or is_best or is_over) else None
        if is_best and self.saver and self._unsaved and not saved:
            self._owed = self._unsaved[0], self.capture(), self._unsaved[1]
        finished.spent("saving")
        self._told = {
            "round": finished.number,
            "num_rounds": self.num_rounds,
            "aggregated": finished.aggregated,
            **facts,
            "metrics": _shown({**finished.train_metrics, **facts["metrics"]}),
            "replies": finished.replies,
            "failures": finished.failures,
            "attempts": finished.attempts,
            "failed": [asdict(failure) for failure in (*finished.earlier, *finished.failed)],
            "rejected": [asdict(rejection) for rejection in finished.rejected],
            "update_norm": finite(finished.update_norm),
            **finished.reports.told(finished.aggregated),
            **self.steer.told(spike),
            **self.told_of_ends(finished.number < self.num_rounds),
            EXACT: self.attendance.told[EXACT],
            **({DEVIATION: {**asdict(deviation), "why": deviation.why}} if deviation else {}),
            "seconds": round(time.monotonic() - finished.started, 3),
            "phases": {name: round(seconds, 3) for name, seconds in finished.phases.items()},
            "checkpoint": saved.file if saved else None,
            "checkpoint_problem": self.saver.problem if self.saver else None,
        }
        also = {round_file(finished.number): server_eval} if self.round_files else {}
        self.publisher.round_finished(self._told, also)
        if stands_still:
            self._end_quiesced()
        if self.stopping.settings or self.private:
            self._end_early(finished, arrays, central)

    @property
    def is_over(self) -> bool:
        """Tell whether no further round is to be trained, however many were asked for."""
        return self.stopping.is_over or bool(self.private and self.private.is_over)

    def told_of_ends(self, before_the_last: bool) -> dict[str, Any]:
        """What history and result say of what ends a training before its last round."""
        of_privacy = self.private.told(before_the_last) if self.private else {}
        return {**self.stopping.told(before_the_last), **of_privacy}

    def _kept(self, arrays: ArrayRecord, spike: bool, figures: dict[str, object]) -> dict[str, object]:
        """Return what is known of the model of a round, in whose place a better one may be put after a spike."""
        if not self.steer.rolls_back:
            return figures
        if spike:
            return self.steer.go_back(arrays, self.restore) or figures
        self.steer.remember(arrays, self.capture(), figures)
        return figures

    def _end_early(self, finished: Round, arrays: ArrayRecord, central: MetricRecord | None) -> None:
        """Keep what Flower would return of the rounds so far, and end them when it is time."""
        number, result = finished.number, self.result
        for work, found in (
            (TRAIN, result.train_metrics_clientapp),
            (EVALUATE, result.evaluate_metrics_clientapp),
        ):
            if finished.returned.get(work) is not None:
                found[number] = finished.returned[work]
        if central is not None:
            result.evaluate_metrics_serverapp[number] = central
        if self.is_over and number < self.num_rounds:
            result.arrays = arrays
            said = stopping_text({"round": number, **self.told_of_ends(True)})
            logger.info("Round %d is the last one of this training: it has %s", number, said)
            raise EndedEarly

    def _evaluate_untrained(self, arrays: ArrayRecord) -> MetricRecord | None:
        central = self.evaluate(0, arrays) if self.evaluate else None
        if central is not None:
            self.publisher.initial_model_evaluated(_figures(measured(central), {}, 0))
            self.result.evaluate_metrics_serverapp[0] = central
        return central

    def heed_quiesce(self) -> None:
        """End the run if all trainings are to stand still. Nothing of a round may be under way."""
        if not self.publisher.is_to_stand_still:
            return
        if self.saver and self._unsaved and (saved := self._save()):
            self.publisher.round_finished({**self._told, "checkpoint": saved.file, "checkpoint_problem": None})
        self._end_quiesced()

    def finish(self) -> None:
        """Save the last model, where rounds after it were skipped or its save has failed; fail when that cannot be."""
        if self.saver and self._unsaved:
            arrays, about = self._unsaved
            if self._owed:
                self.saver.insist(*self._owed)
            saved = self.saver.insist(arrays, self.capture(), about)
            self._unsaved = self._owed = None
            if self._told["checkpoint_problem"]:  # it is over: say the round once more, which replaces it
                self.publisher.round_finished({**self._told, "checkpoint": saved.file, "checkpoint_problem": None})

    def _end_quiesced(self) -> None:
        """End the run, unless that would lose a model which could not be saved."""
        number = self.strategy.round.number
        if self.saver and self._unsaved:
            logger.warning("The federation is quiesced, but round %d is not saved: the run goes on.", number)
            return
        kept = (
            "It goes on from there"
            if self.saver
            else "It keeps no checkpoints (fl_checkpoint_enabled), so that it begins anew"
        )
        raise QuiescedError(
            f"Quiesced after round {number} of {self.num_rounds}. {kept} when the federation is resumed"
            " (playbook fedops.flower.resume)."
        )

    def _is_due(self, finished: Round, asked: bool) -> bool:
        """Tell whether to save now: by the interval, when asked, and in every round after a save that has failed.

        What was due in a round that was skipped is due in the next one that makes a model.
        """
        due = finished.number % self.interval == 0 or finished.number == self.num_rounds
        self._overdue = self._overdue or due
        if self.saver is None or self._unsaved is None:
            return False
        return asked or self.saver.problem is not None or (finished.aggregated and self._overdue)

    def _save(self) -> Checkpoint | None:
        if self.saver is None or self._unsaved is None:
            return None
        arrays, about = self._unsaved
        if self._owed and self._owed[2]["round"] != about["round"] and not self.saver.save(*self._owed):
            return None
        self._owed = None
        saved = self.saver.save(arrays, self.capture(), about)
        if saved:
            self._unsaved, self._overdue = None, False
            self.attendance.saved(saved.round)
        return saved


def _loss(central: Mapping[str, Any] | None, federated: Mapping[str, Any]) -> float | None:
    """Return the loss of a model, also where it is no finite number."""
    found = figure("loss", central if central is not None else federated)
    return float(found) if is_number(found) else None


def _figures(central: Mapping[str, Any] | None, federated: Mapping[str, Any], num_examples: int) -> dict[str, Any]:
    """Loss and accuracy come from the server's own test set where it has one, else from the nodes."""
    chosen: dict[str, Any] = dict(central if central is not None else federated)
    others = {f"federated_{name}": value for name, value in federated.items()} if central is not None else {}
    figures = {name: finite(figure(name, chosen)) for name in ("loss", "accuracy")}
    for name in figures:
        chosen.pop(name, None)  # one that the app calls otherwise stays among the metrics
    return {
        **figures,
        "num_examples": int(finite(chosen.pop("num-examples", num_examples)) or 0) or None,
        "metrics": {**others, **chosen},
    }


def _shown(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return as many of the metrics as a line of the history has room for: apps of others may have any number."""
    shown, room = {}, _LETTERS
    for name, value in metrics.items():
        if (letters := len(name) + len(repr(value))) <= room:
            shown[name], room = value, room - letters
    return shown


def known_figures(checkpoint: Checkpoint | None) -> dict[str, object]:
    """Return loss and accuracy of the model that a run begins with, as far as they are known."""
    return {
        "loss": checkpoint.loss if checkpoint else None,
        "accuracy": checkpoint.accuracy if checkpoint else None,
    }


def known_line(checkpoint: Checkpoint | None) -> dict[str, object] | None:
    """Return as much of a line of the history as a checkpoint knows of its round; None where there is none."""
    if checkpoint is None:
        return None
    return {
        **dict.fromkeys(("num_examples", "replies", "failures", "attempts", "seconds")),
        "run_id": checkpoint.run_id,
        "round": checkpoint.round,
        "num_rounds": checkpoint.num_rounds,
        "aggregated": True,
        **known_figures(checkpoint),
        **({"code": checkpoint.code} if checkpoint.code else {}),
        "metrics": {},
        "failed": [],
        "rejected": [],
        EXACT: said(checkpoint.manifest).get(EXACT, True),
        "checkpoint": checkpoint.file,
        "checkpoint_problem": None,
        "time": checkpoint.timestamp,
    }
