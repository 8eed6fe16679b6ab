# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the alerts: C(watch) looks once, C(deliver) tells what there is, C(test) has something told.

Two units run it: one as the account that supervises trainings, and one as nobody, with a program of the operator's.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import typing as t

from .._base.accounts import uid_of
from .._base.guarded import locked
from .._base.home import HOME
from .._base.identity import CONTROL_USER
from .._base.jsonable import harmless
from .._base.pseudonyms import SiteNames
from .._training.follow import site_names
from .._training.sites import PSEUDONYMS, REAL
from .delivery import Delivery
from .judgement import Sight, Thresholds, standing
from .record import AlertRecord, read_alerts, write_alerts
from .sight import asked, look

_LOCK = ".lock"


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    return t.cast(int, options.act(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fedops-alerts", description="Tell an operator when it matters.")
    acts = parser.add_subparsers(dest="what", required=True)
    defaults = Thresholds()
    watch = acts.add_parser("watch", help="look once at what is to be told of")
    watch.add_argument("--home", default=HOME, help="home of Flower on this host")
    watch.add_argument("--waiting", type=float, default=defaults.waiting, help="seconds that a training may wait")
    watch.add_argument("--offline", type=float, default=defaults.offline, help="seconds that a site may be away")
    watch.add_argument("--certificate-days", type=int, default=defaults.certificate_days, help="days before the end")
    watch.add_argument(
        "--free-percent", type=int, default=defaults.free_percent, help="of a storage that are to be free"
    )
    watch.add_argument("--names", choices=[REAL, PSEUDONYMS], default=REAL, help="what sites are called")
    watch.set_defaults(act=_watch)
    deliver = acts.add_parser("deliver", help="tell what is to be told")
    deliver.add_argument("--timeout", type=float, required=True, help="seconds that the program has")
    deliver.add_argument("--attempts", type=int, required=True, help="how often it is called for an event at most")
    deliver.add_argument("--state", required=True, help="the folder of what was told")
    deliver.add_argument("command", nargs="+", help="the program that is told, with its arguments")
    deliver.set_defaults(act=_deliver)
    test = acts.add_parser("test", help="have a test told")
    test.set_defaults(act=_test)
    for each in (watch, deliver, test):
        each.add_argument("--record", required=True, help="the folder of what is to be told")
    for each in (watch, test):
        each.add_argument("--host", default="", help="what this host is called")
    return parser


def _watch(options: argparse.Namespace) -> int:
    limits = Thresholds(options.waiting, options.offline, options.certificate_days, options.free_percent)
    with locked(os.path.join(options.record, _LOCK)):
        record = read_alerts(options.record)
        names = SiteNames(site_names(options.home)) if options.names == PSEUDONYMS else None
        seen: Sight | None = look(options.home, time.time(), record.seen)
        while seen is not None:
            before = record.number
            record.learn(standing(seen, limits, set(record.standing)), seen, names, options.host)
            write_alerts(options.record, record)
            _told(record, before)
            seen = asked(options.home, seen, record.seen) if seen.sites is None else None
    return 0


def _test(options: argparse.Namespace) -> int:
    with locked(os.path.join(options.record, _LOCK)):
        record = read_alerts(options.record)
        before = record.number
        record.test(time.time(), options.host)
        write_alerts(options.record, record)
        _told(record, before)
    return 0


def _deliver(options: argparse.Namespace) -> int:
    """Tell what is to be told: 1 when something was given up, as systemd is to show that."""
    delivery = Delivery(options.command, options.timeout, options.attempts, options.state, _say, time.time)
    keepers = {uid_of(CONTROL_USER), 0}
    while True:
        record = read_alerts(options.record, keepers)
        delivery.deliver(record.outbox)
        if read_alerts(options.record, keepers).number == record.number:
            return 1 if delivery.lost else 0


def _told(record: AlertRecord, before: int) -> None:
    for entry in record.outbox:
        if entry["number"] > before:
            _say(f"{entry['event']['id']} is to be told: {entry['event']['message']}")


def _say(text: str) -> None:
    """Write a line to the journal, at once."""
    sys.stdout.write(f"{harmless(text)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
