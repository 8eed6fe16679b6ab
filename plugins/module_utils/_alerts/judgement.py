# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands, of what is seen on the SuperLink host at a moment. It asks nobody and remembers nothing.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .._flower.assumptions import OFFLINE
from .._supervisor import endings
from .._supervisor.outlook import HALTED, LAST_ROUNDS
from . import conditions
from .conditions import MINUTE, AlertKind, Condition

DAY = 86400.0
SPARE = 2  # points of percent above the limit, from which storage that was short counts as enough again
ENDED_BADLY: t.Mapping[str, AlertKind] = {
    endings.FAILED: conditions.TRAINING_FAILED,
    endings.GIVEN_UP: conditions.TRAINING_GIVEN_UP,
    endings.REFUSED: conditions.TRAINING_REFUSED,
    HALTED: conditions.TRAINING_HALTED,
}


@dataclass(frozen=True)
class Thresholds:
    """From when on something matters."""

    waiting: float = 600.0  # seconds
    offline: float = 300.0  # seconds
    certificate_days: int = 21
    free_percent: int = 10


@dataclass(frozen=True)
class SeenTraining:
    """A supervised training."""

    name: str
    state: str
    order: str = ""
    reason: str = ""
    detail: str = ""
    since: float = 0.0
    waiting_for: tuple[str, ...] = ()
    run_id: str = ""
    round: int | None = None
    checkpoint_problem: str = ""
    failing: tuple[str, ...] = ()  # sites that gave nothing in the last rounds, by their names

    @property
    def works(self) -> bool:
        return self.state in endings.AT_WORK


@dataclass(frozen=True)
class SeenSite:
    """A registered SuperNode."""

    name: str
    status: str
    offline_since: float = 0.0


@dataclass(frozen=True)
class SeenCertificate:
    """A certificate, and when it ends in seconds since 1970."""

    what: str
    path: str
    ends: float


@dataclass(frozen=True)
class SeenStorage:
    """How many percent of a storage are free; None where it does not answer."""

    path: str
    free: float | None


@dataclass(frozen=True)
class Sight:
    """What is seen at a moment. What could not be asked is None: it says nothing, and least that something is over."""

    at: float
    trainings: tuple[SeenTraining, ...] = ()
    sites: tuple[SeenSite, ...] | None = ()
    certificates: tuple[SeenCertificate, ...] = ()
    storages: tuple[SeenStorage, ...] = ()
    unread: tuple[str, ...] = field(default=())  # paths of certificates that cannot be read

    @property
    def works(self) -> bool:
        """Tell whether something is trained."""
        return any(training.works for training in self.trainings)

    def knows(self, kind: str, path: str) -> bool:
        """Tell whether a condition of this kind would be seen if it stood."""
        if kind == conditions.SITE_OFFLINE.word:
            return self.sites is not None or not self.works
        return path not in self.unread


def standing(seen: Sight, limits: Thresholds, before: t.Container[str] = ()) -> list[Condition]:
    """Return what stands; C(before) has the keys of what stood at the look before."""
    found: list[Condition] = []
    offline = {site.name for site in seen.sites or () if site.status == OFFLINE}
    for training in seen.trainings:
        found += _of_training(training, limits, offline)
    if seen.works:
        found += [_offline(site, limits) for site in seen.sites or () if site.status == OFFLINE]
    for storage in seen.storages:
        found += _of_storage(storage, limits, before)
    for certificate in seen.certificates:
        found += _of_certificate(certificate, seen.at, limits, before)
    return found


def _of_training(training: SeenTraining, limits: Thresholds, offline: t.Container[str]) -> t.Iterator[Condition]:
    about: dict[str, t.Any] = {
        "training": training.name,
        "reason": training.reason,
        "run_id": training.run_id,
        "round": training.round,
        "facts": {"detail": training.detail},
    }
    if kind := ENDED_BADLY.get(training.state):
        patience = MINUTE if training.state == HALTED else 0.0
        yield Condition(kind, order=training.order, since=training.since, patience=patience, **about)
    if training.state == endings.STATES[endings.WAIT]:
        yield Condition(conditions.TRAINING_WAITING, patience=limits.waiting, waiting_for=training.waiting_for, **about)
    if training.works:
        for site in [name for name in training.failing if name not in offline]:
            yield Condition(
                conditions.SITE_FAILING,
                training.name,
                site,
                run_id=training.run_id,
                round=training.round,
                facts={"rounds": LAST_ROUNDS},
            )
    if training.works and training.checkpoint_problem:
        yield Condition(
            conditions.CHECKPOINT_NOT_SAVED,
            training.name,
            run_id=training.run_id,
            round=training.round,
            facts={"detail": training.checkpoint_problem},
        )


def _offline(site: SeenSite, limits: Thresholds) -> Condition:
    return Condition(conditions.SITE_OFFLINE, site=site.name, since=site.offline_since, patience=limits.offline)


def _of_storage(storage: SeenStorage, limits: Thresholds, before: t.Container[str]) -> t.Iterator[Condition]:
    if storage.free is None:
        yield Condition(conditions.STORAGE_SILENT, path=storage.path)
        return
    low = Condition(conditions.STORAGE_LOW, path=storage.path, facts=free_facts(storage))
    if storage.free < limits.free_percent + (SPARE if limits.free_percent and low.key in before else 0):
        yield low


def _of_certificate(
    certificate: SeenCertificate, at: float, limits: Thresholds, before: t.Container[str]
) -> t.Iterator[Condition]:
    left, facts = certificate.ends - at, certificate_facts(certificate, at)
    ends = Condition(conditions.CERTIFICATE_ENDS, path=certificate.path, facts=facts)
    if 0 < left < limits.certificate_days * DAY or (left <= 0 and ends.key in before):
        yield ends  # also when it has ended: nothing is over by that
    if left <= 0:
        yield Condition(conditions.CERTIFICATE_EXPIRED, path=certificate.path, facts=facts)


def free_facts(storage: SeenStorage) -> dict[str, t.Any]:
    return {"percent": f"{storage.free:.1f}" if storage.free is not None else "?"}


def certificate_facts(certificate: SeenCertificate, at: float) -> dict[str, t.Any]:
    ends = datetime.fromtimestamp(certificate.ends, timezone.utc)
    return {
        "what": certificate.what,
        "days": max(0, int((certificate.ends - at) // DAY)),
        "ends": ends.strftime("%Y-%m-%d %H:%M UTC"),
    }


def instead(condition: Condition, seen: Sight) -> tuple[str, dict[str, t.Any]]:
    """Return how it is where a condition is over: in a word, and what is known of its subject now."""
    if condition.kind in (conditions.STORAGE_LOW, conditions.STORAGE_SILENT):
        storage = next((one for one in seen.storages if one.path == condition.path), None)
        return "", free_facts(storage) if storage else {}
    if condition.kind in (conditions.CERTIFICATE_ENDS, conditions.CERTIFICATE_EXPIRED):
        certificate = next((one for one in seen.certificates if one.path == condition.path), None)
        return "", certificate_facts(certificate, seen.at) if certificate else {}
    if condition.site and not condition.training:
        status = next((one.status for one in seen.sites or () if one.name == condition.site), "not registered")
        return (f"it is {status}" if seen.works else "nothing is trained any more"), {}
    state = next((one.state for one in seen.trainings if one.name == condition.training), "no more on this host")
    return state.replace("_", " "), {}
