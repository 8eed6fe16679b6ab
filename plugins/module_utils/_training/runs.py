# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run a training has, and what it takes to have it trained as asked.

Flower's runs carry no name, so a run belongs to a training when our ledger says so. What its ServerApp has written
proves nothing of that.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._base.notation import short_hash
from .._config.code import is_same_code
from .._config.privacy import Privacy, has_spent
from .._config.stopping import Stopping, has_stopped
from .._flower.answers import Run
from .._flower.assumptions import RUN_COMPLETED
from .folder import LedgerEntry, RefusedError

UNREACHABLE = "unreachable"  # the SuperLink does not answer
ABSENT = "absent"  # nothing was ever submitted
LOST = "lost"  # submitted once, but the SuperLink knows nothing of it: its database was replaced


class RunConflictError(RefusedError):
    """Another configuration of the training is alive, or one of other code."""


@dataclass(frozen=True)
class Asked:
    """What is asked for. Without a hash any configuration will do, and without one of the code any code."""

    configuration_hash: str | None = None
    num_rounds: int | None = None
    code: str = ""
    code_change: str = ""
    stopping: Stopping | None = None  # what may end it before its last round
    privacy: Privacy | None = None  # and by its budget

    def is_of(self, configuration_hash: t.Any, code: str | None) -> bool:
        """Tell whether something with this configuration and code is of the training that is asked for."""
        same = self.configuration_hash in (None, configuration_hash)
        return same and is_same_code(code, self.code, self.code_change)

    def is_met(self, configuration_hash: t.Any, rounds: t.Any, code: str | None) -> bool:
        """Tell whether what was trained is that, with at least as many rounds."""
        if not self.is_of(configuration_hash, code):
            return False
        return self.num_rounds is None or (isinstance(rounds, int) and rounds >= self.num_rounds)


def belongs_to(wanted: Asked, ledger: t.Iterable[LedgerEntry]) -> t.Callable[[t.Mapping[str, t.Any]], bool]:
    """Return what tells whether a result or a round is of the training that is asked for.

    It says of which run it is; with which code that trains, our ledger knows.
    """
    codes = {entry.run_id: entry.code for entry in ledger}
    return lambda told: wanted.is_of(told.get("configuration_hash"), codes.get(str(told.get("run_id"))))


@dataclass(frozen=True)
class Known:
    """A run of a training, and what it was asked to do where that is known."""

    run_id: str
    status: str
    configuration_hash: str | None = None
    num_rounds: int | None = None
    fab_hash: str | None = None
    details: str | None = None
    alive: bool = False
    code: str | None = None  # hash of the user's code that it trains with
    reports: bool = False  # its ServerApp leaves files, so that the end of the training is seen in them
    replied: bool | None = None  # whether a ClientApp ever has; None: nobody knows

    @property
    def is_completed(self) -> bool:
        """Tell whether it was completed; Flower says so as well of a run without files in which nothing was trained."""
        return self.status == RUN_COMPLETED and (self.reports or self.replied is not False)


@dataclass(frozen=True)
class Decision:
    """What to do: C(submit), C(adopt) the run that is alive, or nothing because it is C(finished)."""

    action: str
    run: Known | None
    stop: tuple[Known, ...] = ()


def known_runs(folder: t.Any, runs: t.Iterable[Run]) -> list[Known]:
    """Return every run of a training, oldest first. C(folder) is a TrainingFolder."""
    effective, result = folder.effective or {}, folder.result or {}
    ledger = {entry.run_id: entry for entry in folder.ledger}
    reporting = effective.get("run_id")
    listed = {run.run_id: run for run in sorted(runs, key=lambda run: run.pending_at)}
    # What the SuperLink lost is older than what it knows.
    ordered = [run_id for run_id in ledger if run_id not in listed]
    ordered += [run_id for run_id in listed if run_id in ledger]
    return [
        _known(ledger[run_id], listed.get(run_id), effective if run_id == reporting else None, result)
        for run_id in ordered
    ]


def decide(
    known: t.Sequence[Known],
    result: t.Mapping[str, t.Any] | None,
    wanted: Asked,
    force: bool = False,
) -> Decision:
    """Decide what it takes to have a training as asked."""
    alive = [run for run in known if run.alive]
    if force:
        return Decision("submit", None, tuple(alive))
    for run in reversed(alive):
        if wanted.configuration_hash not in (None, run.configuration_hash):
            said = short_hash(run.configuration_hash), short_hash(wanted.configuration_hash)
            raise _conflict(run, "another configuration", *said)
        if not is_same_code(run.code, wanted.code):  # whatever is made of other code: a run keeps its own
            raise _conflict(run, "other code", short_hash(run.code), short_hash(wanted.code))
    if alive:
        return Decision("adopt", alive[-1])
    latest = known[-1] if known else None
    if is_finished(known, result, wanted):
        return Decision("finished", that_finished(known, result))
    return Decision("submit", latest)


def _conflict(run: Known, what: str, had: str, wanted: str) -> RunConflictError:
    return RunConflictError(
        f"Run {run.run_id} is {run.status} with {what} ({had}, asked for: {wanted})."
        " Wait for its end, stop it with state=stopped, replace it with force=true, or choose another training name."
    )


def is_finished(known: t.Sequence[Known], result: t.Mapping[str, t.Any] | None, wanted: Asked) -> bool:
    """Tell whether the training was already brought to the end that is asked for."""
    if is_met_by_result(known, result, wanted):
        return True
    latest = known[-1] if known else None
    # An app that leaves no files: there is only Flower's word for it.
    return (
        latest is not None
        and not latest.reports
        and latest.is_completed
        and wanted.is_met(latest.configuration_hash, latest.num_rounds, latest.code)
    )


def is_met_by_result(
    known: t.Iterable[Known | LedgerEntry], result: t.Mapping[str, t.Any] | None, wanted: Asked
) -> bool:
    """Tell the same by what the latest run that reached its end has left; with which code, our ledger knows."""
    if result is None:
        return False
    code = next((run.code for run in known if run.run_id == result.get("run_id")), None)
    # One that was ended early by just what is asked for has as many rounds as it is to have.
    is_ended = has_stopped(result, wanted.stopping) or has_spent(result, wanted.privacy)
    rounds = wanted.num_rounds if is_ended else result.get("rounds")
    return wanted.is_met(result.get("configuration_hash"), rounds, code)


def that_finished(known: t.Sequence[Known], result: t.Mapping[str, t.Any] | None) -> Known:
    """Return the run that reached the end; a newer one may have failed before it did anything."""
    run_id = (result or {}).get("run_id")
    if run_id is None:
        return known[-1]
    return next((run for run in known if run.run_id == run_id), Known(str(run_id), RUN_COMPLETED))


def _known(
    entry: t.Any, run: Run | None, effective: t.Mapping[str, t.Any] | None, result: t.Mapping[str, t.Any]
) -> Known:
    ended = result.get("run_id") == entry.run_id
    return Known(
        run_id=entry.run_id,
        status=run.status if run else RUN_COMPLETED if ended else LOST,
        configuration_hash=entry.configuration_hash,
        num_rounds=entry.num_rounds,
        fab_hash=(run.fab_hash if run else entry.fab_hash) or None,
        details=run.details if run else None,
        alive=run.alive if run else False,
        code=entry.code or None,
        reports=effective is not None or ended,
        replied=run.replied if run else None,
    )
