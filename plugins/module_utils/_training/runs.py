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

from .._flower.answers import Run
from .._flower.assumptions import RUN_COMPLETED
from .folder import RefusedError

UNREACHABLE = "unreachable"  # the SuperLink does not answer
ABSENT = "absent"  # nothing was ever submitted
LOST = "lost"  # submitted once, but the SuperLink knows nothing of it: its database was replaced


class RunConflictError(RefusedError):
    """Another configuration of the training is alive."""


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
    reports: bool = False  # its ServerApp leaves files, so that the end of the training is seen in them
    replied: bool | None = None  # whether a ClientApp ever has; None: nobody knows


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
    configuration_hash: str | None = None,
    num_rounds: int | None = None,
    force: bool = False,
) -> Decision:
    """Decide what it takes to have a training as asked. Without a hash, any configuration will do."""
    alive = [run for run in known if run.alive]
    if force:
        return Decision("submit", None, tuple(alive))
    others = [run for run in alive if configuration_hash not in (None, run.configuration_hash)]
    if others:
        raise RunConflictError(
            f"Run {others[-1].run_id} is {others[-1].status} with another configuration"
            f" ({short(others[-1].configuration_hash)}, asked for: {short(configuration_hash)})."
            " Wait for its end, stop it with state=stopped, replace it with force=true,"
            " or choose another training name."
        )
    if alive:
        return Decision("adopt", alive[-1])
    latest = known[-1] if known else None
    if is_finished(latest, result, configuration_hash, num_rounds):
        return Decision("finished", _that_finished(known, result))
    return Decision("submit", latest)


def is_finished(
    latest: Known | None,
    result: t.Mapping[str, t.Any] | None,
    configuration_hash: str | None,
    num_rounds: int | None,
) -> bool:
    """Tell whether the training was already brought to the end that is asked for."""
    if result is not None and covers(
        result.get("configuration_hash"), result.get("rounds"), configuration_hash, num_rounds
    ):
        return True
    # An app that leaves no files: there is only Flower's word for it.
    return (
        latest is not None
        and latest.replied is not False
        and not latest.reports
        and latest.status == RUN_COMPLETED
        and covers(latest.configuration_hash, latest.num_rounds, configuration_hash, num_rounds)
    )


def _that_finished(known: t.Sequence[Known], result: t.Mapping[str, t.Any] | None) -> Known:
    """Return the run that reached the end; a newer one may have failed before it did anything."""
    run_id = (result or {}).get("run_id")
    if run_id is None:
        return known[-1]
    return next((run for run in known if run.run_id == run_id), Known(str(run_id), RUN_COMPLETED))


def covers(had_hash: t.Any, had_rounds: t.Any, wanted_hash: str | None, wanted_rounds: int | None) -> bool:
    """Tell whether what was trained is what is wanted, with at least as many rounds."""
    if wanted_hash not in (None, had_hash):
        return False
    return wanted_rounds is None or (isinstance(had_rounds, int) and had_rounds >= wanted_rounds)


def short(configuration_hash: str | None) -> str:
    """Return as much of a hash as a person compares."""
    return configuration_hash[:8] if configuration_hash else "unknown"


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
        reports=effective is not None or ended,
        replied=run.replied if run else None,
    )
