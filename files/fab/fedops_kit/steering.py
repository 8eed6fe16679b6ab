# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Steering a training: the rates of each round reach the strategy and the sites, and its outcome those of the next.

What is known so far is in every checkpoint, so that a run that resumes is steered as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from .knowledge._base.jsonable import is_number
from .knowledge._config.steering import ROLL_BACK, STEERING, RoundOutcome, Steered, Steering
from .knowledge._config.strategies import STRATEGIES
from .knowledge._config.table import BY_NAME
from .one_round import Round
from .publish import logger
from .reports import COUNTED
from .state import State

CLIENT_RATE = "client_lr"
_KEY = BY_NAME[CLIENT_RATE].key  # in the config of a message


@dataclass
class Good:
    """A model to go back to, with the state of the strategy and what is known of the model."""

    arrays: dict[str, Array]
    state: State
    figures: dict[str, object]


@dataclass
class Steer:
    """What steers a training, and what is known so far."""

    settings: Steering | None  # None: nothing does
    known: Steered = field(default_factory=Steered)
    rates: dict[str, float] = field(default_factory=dict)  # of the round under way
    pseudonym: Callable[[str], str] = str  # what a site is called where that is passed on
    good: Good | None = None

    @classmethod
    def begin(cls, values: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> Steer:
        """Go on where the checkpoint was saved that a run goes on from."""
        settings, said = Steering.of(values), (manifest or {}).get(STEERING)
        return cls(settings, Steered.of(said) if settings and said else Steered())

    @property
    def rolls_back(self) -> bool:
        """Tell whether a model is kept to go back to."""
        return bool(self.settings and self.settings.spike_factor and self.settings.spike_action == ROLL_BACK)

    def remember(self, arrays: Mapping[str, Array], state: Mapping[str, Any], figures: Mapping[str, object]) -> None:
        """Keep a model to go back to."""
        if self.rolls_back:
            kept = {name: np.array(value) for name, value in state.items()}
            self.good = Good(dict(arrays), kept, dict(figures))

    def prepare(self, number: int, strategy: Any, config: ConfigRecord) -> None:
        """Give strategy and sites the rates of a round."""
        if self.settings is None:
            return
        before, self.rates = self.rates, self.settings.rates(number, self.known)
        row = STRATEGIES[type(strategy).__name__]
        for keyword, variable in row.parameters.items():
            if variable in self.rates:
                setattr(strategy, keyword, self.rates[variable])
        if hasattr(strategy, "server_opt") and "server_lr" in self.settings.schedules:
            strategy.server_opt = True  # FedAvgM decides by the rate that it begins with
        config[_KEY] = self.rates[CLIENT_RATE]
        if self.rates != before:
            logger.info("Round %d: %s", number, ", ".join(f"{name} {rate:g}" for name, rate in self.rates.items()))

    def addressed(self, messages: Iterable[Message], name_of: Callable[[int], str]) -> list[Message]:
        """Give those sites a rate of their own that are to have one."""
        given = list(messages)
        for message in given if self.known.sites else ():
            rate = self.rate_of(name_of(message.metadata.dst_node_id))
            if rate != self.rates[CLIENT_RATE]:
                records = {key: _with_rate(record, rate) for key, record in message.content.items()}
                message.content = RecordDict(records)
        return given

    def rate_of(self, site: str) -> float:
        """Return the client learning rate of a site in the round under way."""
        return self.rates[CLIENT_RATE] * self.known.sites.get(self.pseudonym(site), 1.0)

    def report(self, finished: Round) -> None:
        """Say of each site of a round with which rate it has trained."""
        if self.settings is not None:
            for site, report in finished.reports.sites.items():
                if report.get("state") == COUNTED:
                    report[CLIENT_RATE] = self.rate_of(site)

    def spikes(self, finished: Round, loss: float | None) -> bool:
        """Take note of what a round has come to that has made a new model; tell whether it is a spike."""
        if self.settings is None:
            return False
        spike = self.settings.is_spike(self.known, loss)
        self.known = self.settings.after(self.known, finished.number, self._outcome(finished, loss))
        if spike:
            told = "its model is left for the one before" if self.rolls_back else "the client learning rate is halved"
            logger.warning("Round %d: a loss of %s is a spike (fl_spike_factor): %s.", finished.number, loss, told)
        return spike

    def go_back(self, arrays: ArrayRecord, restore: Callable[[State], None]) -> dict[str, object] | None:
        """Put the last good model in the place of one; return what is known of it, or None where there is none."""
        if self.good is None:
            return None
        arrays.clear()
        arrays.update(self.good.arrays)
        restore({name: value.copy() for name, value in self.good.state.items()})
        return self.good.figures

    @property
    def manifest(self) -> dict[str, Any]:
        """What a checkpoint says of it; nothing where nothing is steered."""
        return {STEERING: self.known.said} if self.settings else {}

    def told(self, spike: bool) -> dict[str, Any]:
        """What the history says of a round."""
        return {STEERING: {**self.rates, "spike": spike}} if self.settings else {}

    def _outcome(self, finished: Round, loss: float | None) -> RoundOutcome:
        counted = {site: report for site, report in finished.reports.sites.items() if report.get("state") == COUNTED}
        norms = [report["update_norm"] for report in counted.values() if is_number(report.get("update_norm"))]
        step = finished.update_norm
        drift = sum(norms) / len(norms) / step if norms and step else None
        losses = {site: report["loss"] for site, report in counted.items() if is_number(report.get("loss"))}
        return RoundOutcome(loss, {self.pseudonym(site): value for site, value in losses.items()}, drift)


def check_steering(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError when what a checkpoint says of steering is not what was written."""
    if STEERING in manifest:
        Steered.of(manifest[STEERING])


def _with_rate(record: Any, rate: float) -> Any:
    return ConfigRecord({**record, _KEY: rate}) if isinstance(record, ConfigRecord) and _KEY in record else record
