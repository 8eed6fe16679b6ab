# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the SuperLink host for what an operator is to be told: files, and at most once a minute Flower.

Nothing here is waited for longer than a moment, and no look changes anything.
This module is private to the collection and may change at any time. It needs the library cryptography.
"""

from __future__ import annotations

import subprocess
import typing as t
from dataclasses import replace
from datetime import datetime, timezone

from .._base.guarded import read_bytes
from .._base.layout import file
from .._base.systemd import Unit, show_units
from .._config.purposes import SMOKE
from .._flower.answers import FlwrError
from .._flower.cli import Flwr
from .._supernode.registry import list_supernodes
from .._supervisor.desk import Desk, unit_name
from .._supervisor.memory import Memory
from .._supervisor.outlook import LAST_ROUNDS, picture
from .._supervisor.request import Request
from .._supervisor.shared_directories import checkpoint_directory
from .._training.folder import TrainingFolder
from .._training.follow import training_names
from .judgement import SeenCertificate, SeenSite, SeenStorage, SeenTraining, Sight

ASK_FLOWER_EVERY = 60.0  # seconds between two questions to Flower, whose command line takes a second of a processor
LONGEST_LOOK = 10.0  # seconds that a storage has to answer
CERTIFICATES = {"server_certificate": "certificate of the SuperLink", "ca": "certificate of the authority"}
MOST_PEM = 1 << 16  # bytes
SeenBefore = dict[str, t.Any]


def look(home: str, at: float, known: SeenBefore, units: t.Callable[..., list[Unit]] = show_units) -> Sight:
    """Return what is seen without asking Flower; C(known) has what was read before, and is renewed."""
    desks = [Desk(TrainingFolder(home, name)) for name in training_names(home)]
    # Whoever tries a round sees to it that moment.
    wanted = [(desk, request) for desk in desks if (request := desk.request) and request.purpose != SMOKE]
    shown = units(*(unit_name(desk.folder.name) for desk, _request in wanted)) if wanted else []
    rounds: SeenBefore = known.setdefault("rounds", {})
    trainings = tuple(_training(desk, request, unit, rounds) for (desk, request), unit in zip(wanted, shown))
    for name in rounds.keys() - {training.name for training in trainings}:
        del rounds[name]
    certificates, unread = _certificates(home)
    return Sight(
        at=at,
        trainings=trainings,
        sites=None if any(training.works for training in trainings) else (),
        certificates=certificates,
        storages=tuple(_storages(dict.fromkeys([home, *_directories(wanted, trainings)]))),
        unread=unread,
    )


def _training(desk: Desk, request: Request, unit: Unit, known: SeenBefore) -> SeenTraining:
    folder = desk.folder
    stands = picture(request, desk.memory or Memory(), unit, [], desk.is_stopped)
    rounds = _rounds(folder, request, known)
    return SeenTraining(
        name=folder.name,
        state=stands["state"],
        order=request.request_id,
        reason=stands["reason"],
        detail=stands["detail"],
        since=_seconds(stands["since"]),
        waiting_for=tuple(stands["waiting_for"]),
        run_id=stands["run_id"] or "",
        round=rounds["round"],
        checkpoint_problem=rounds["problem"],
        failing=tuple(rounds["failing"]),
    )


def _rounds(folder: TrainingFolder, request: Request, known: SeenBefore) -> SeenBefore:
    """Return what the last rounds tell; their file is read only when it has changed."""
    stamp = [list(folder.history_stamp or ()), request.configuration_hash, len(folder.ledger)]
    before = known.get(folder.name)
    if isinstance(before, dict) and before.get("stamp") == stamp and {"round", "problem", "failing"} <= before.keys():
        return before
    own = [event for event in folder.history if request.configuration_hash in (None, event.get("configuration_hash"))]
    last = own[-1] if own else {}
    names = folder.site_names
    without = [
        {str(entry["site"]) for key in ("failed", "rejected") for entry in event.get(key) or []}
        for event in own[-LAST_ROUNDS:]
    ]
    failing = set.intersection(*without) if len(without) == LAST_ROUNDS else set()
    known[folder.name] = {
        "stamp": stamp,
        "round": last.get("round"),
        "problem": last.get("checkpoint_problem") or "",
        "failing": sorted({names.real(site) for site in failing}),
    }
    return t.cast(SeenBefore, known[folder.name])


def asked(home: str, seen: Sight, known: SeenBefore) -> Sight | None:
    """Return the same with the SuperNodes of the inventory; None where Flower is not asked, or does not answer.

    It takes a second of a processor, and a busy host has few of these: what is known without it is told first.
    """
    before = known.get("asked")
    is_early = isinstance(before, (int, float)) and 0 <= seen.at - before < ASK_FLOWER_EVERY
    if is_early or not seen.works:
        return None
    known["asked"] = seen.at
    try:
        rows = list_supernodes(Flwr(home))
    except FlwrError:
        return None
    sites = (
        SeenSite(row["name"], row["status"], _seconds(row.get("offline_at"))) for row in rows if row["name"] is not None
    )
    return replace(seen, sites=tuple(sites))


def _directories(wanted: t.Iterable[tuple[Desk, Request]], trainings: t.Iterable[SeenTraining]) -> t.Iterator[str]:
    """Give the directories of checkpoints of what is trained."""
    for (_desk, request), training in zip(wanted, trainings):
        directory = checkpoint_directory(request.run_config) if training.works else None
        if directory:
            yield directory


def _storages(paths: t.Iterable[str]) -> t.Iterator[SeenStorage]:
    """Give the storage of each path, once where several have the same."""
    known: set[str] = set()
    for path in paths:
        name, storage = _storage(path)
        if name not in known:
            known.update([name] if name else [])
            yield storage


def _storage(path: str) -> tuple[str, SeenStorage]:
    """Return by which number the system knows a storage, and how much of it is free.

    Another program asks, which can be ended: a server of NFS that is away gives no answer at all.
    """
    command = ["stat", "--file-system", "--format=%i %a %b", "--", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_LOOK, check=False)
        name, free, size = done.stdout.split()
        return name, SeenStorage(path, 100.0 * int(free) / int(size) if int(size) else 100.0)
    except subprocess.TimeoutExpired:
        return "", SeenStorage(path, None)
    except (OSError, ValueError):
        return "", SeenStorage(path, 100.0)  # it is not there yet, and its training says so itself


def _certificates(home: str) -> tuple[tuple[SeenCertificate, ...], tuple[str, ...]]:
    found, unread = [], []
    for name, what in CERTIFICATES.items():
        path = file(home, name)
        try:
            found.append(SeenCertificate(what, path, certificate_end(read_bytes(path, MOST_PEM))))
        except (OSError, ValueError):
            unread.append(path)
    return tuple(found), tuple(unread)


def certificate_end(pem: bytes) -> float:
    """Return when a certificate ends, in seconds since 1970; ValueError for what is none."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def _seconds(moment: t.Any) -> float:
    """Return a moment in seconds since 1970; 0 for none."""
    try:
        found = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
