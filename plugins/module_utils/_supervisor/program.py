# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that C(flower-training@NAME) runs: one supervisor for the training that the command line names.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
import typing as t
from contextlib import suppress

from .._base.errors import FedopsError
from .._base.home import HOME
from .._base.systemd import notify
from .._flower.answers import FlwrError
from .._flower.cli import Flwr
from .._training.folder import TrainingFolder, TrainingNameError
from .abandoned import REMOVE_ABANDONED, remove_abandoned
from .desk import Desk
from .endings import AGAIN, ENDINGS, LOG_ERROR, LOG_NOTICE, REFUSED, REQUEST, STOPPED
from .journal import Journal
from .local_host import LocalHost
from .memory import Memory
from .supervisor import Supervisor

TRY_EVERY = 5.0  # seconds between looks whether files can be written again, or the SuperLink answers
# At least so many seconds, so that an error that comes back at once does not use up the restarts that systemd allows.
LEAST_PAUSE = 125.0
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # of linux/prctl.h


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Supervise the training that the command line names."""
    parser = argparse.ArgumentParser(prog="fedops-supervisor", description="Supervise one training of Flower.")
    parser.add_argument("--home", default=HOME, help="home of Flower on this host")
    parser.add_argument(REMOVE_ABANDONED, action="store_true", help="remove a smoke run that nobody follows any more")
    parser.add_argument("name", help="name of the training")
    options = parser.parse_args(arguments)
    journal = Journal(options.name)
    if options.remove_abandoned:
        return _remove_abandoned(options.home, options.name, journal)
    keep_capabilities()
    try:
        desk = Desk(TrainingFolder(options.home, options.name))
    except TrainingNameError as error:
        journal.say(str(error), LOG_ERROR)
        return ENDINGS[REFUSED].status
    if not os.path.isdir(desk.folder.path):
        journal.say(f"{desk.folder.path} does not exist. Train first (playbook fedops.flower.train).", LOG_ERROR)
        return ENDINGS[REFUSED].status
    try:
        return _supervise(options.home, desk, journal)
    except OSError as error:
        return _outlast(desk, journal, error)


def _remove_abandoned(home: str, training: str, journal: Journal) -> int:
    try:
        removed = remove_abandoned(home, training)
    except (FedopsError, OSError) as error:
        journal.say(f"{training}: the smoke run cannot be removed now. {error}", LOG_ERROR)
        return 1
    if removed:
        journal.say(f"{training}: nobody followed the smoke run any more, and it was removed.", LOG_NOTICE)
    return 0


def keep_capabilities() -> None:
    """Hand none of the capabilities of the unit on to the programs that are started from here."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def _supervise(home: str, desk: Desk, journal: Journal) -> int:
    with desk.watch() as alone:
        if not alone:
            journal.say(f"{journal.training}: another supervisor is already running.", LOG_ERROR)
            return ENDINGS[AGAIN].status
        notify(READY=1)
        request = desk.request
        if request is None:
            text = REQUEST.sentence.format(path=f"{desk.folder.path}/request.json")
            memory = desk.memory or Memory()
            facts = {"run_id": memory.run_id or None, "restarts": memory.restart_count}
            journal.event(ENDINGS[REFUSED].event, text, reason=REQUEST.word, **facts)
            journal.say(text, LOG_ERROR)
            return ENDINGS[REFUSED].status
        if desk.is_stopped and desk.left:
            return _stop_what_is_left(desk, Flwr(home, request.superlink), journal)
        return Supervisor(desk, request, Flwr(home, request.superlink), LocalHost(), time, journal).run()


def _stop_what_is_left(desk: Desk, flwr: Flwr, journal: Journal) -> int:
    """Wait for the SuperLink to tell it that a run of a training that is stopped is to end."""
    text = f"{journal.training}: run {desk.left} is stopped as soon as the SuperLink answers."
    journal.say(text)
    notify(STATUS=text)
    while desk.is_stopped and (run_id := desk.left):
        try:
            flwr.stop(run_id)
        except FlwrError:
            time.sleep(TRY_EVERY)
            notify(WATCHDOG=1)
            continue
        memory = desk.memory
        if memory is not None and memory.run_id == run_id:
            memory.ended = run_id
            desk.remember(memory)
        desk.leave("")
        journal.say(f"{journal.training}: run {run_id} is stopped.", LOG_NOTICE)
    return ENDINGS[STOPPED].status


def _outlast(desk: Desk, journal: Journal, error: OSError) -> int:
    """Wait for a disk that is full or away: the run does not need us, and what we know of it is in the files."""
    path = error.filename or desk.folder.path
    text = (
        f"{journal.training}: {error.strerror or error} ({path}). The run goes on; its supervisor waits for the disk."
    )
    notify(READY=1, STATUS=text)
    with suppress(OSError):  # the journal itself may be what cannot be written
        journal.say(text, LOG_ERROR)
    start = time.monotonic()
    while not desk.is_stopped and (time.monotonic() - start < LEAST_PAUSE or not desk.is_writable()):
        time.sleep(TRY_EVERY)
        notify(WATCHDOG=1)
    return ENDINGS[AGAIN].status


if __name__ == "__main__":
    raise SystemExit(main())
