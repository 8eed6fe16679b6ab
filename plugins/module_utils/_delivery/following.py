# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a channel of a registry: the program of C(flower-worker.service).

It runs until it is ended, asks the registry from time to time, and at once after SIGUSR1. Secrets come as files from
systemd.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import typing as t

from .._base.jsonable import loads
from .._base.loopback import keep_loopback
from .opening import MOST_PACKAGE_BYTES, Trust
from .reader import RegistryReader, context_of
from .server import ModelServer
from .slots import Slots
from .worker import Worker

_JITTER = 0.2  # of the interval, so that not all hosts ask at the same moment


def worker_of(given: t.Mapping[str, t.Any], credentials: str) -> Worker:
    """Return what a configuration describes; C(credentials) is where systemd has put the secrets."""

    def secret(name: str) -> bytes:
        path = os.path.join(credentials, name)
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as stream:
            return stream.read()

    key = os.path.join(credentials, "client.key")
    certificate = given["certificate"] if os.path.exists(key) else ""
    context = None
    if given["registry"].startswith("https:"):
        context = context_of(given["tls_authority"], certificate, key)
    with open(given["authority"], "rb") as stream:
        trust = Trust(stream.read(), given["base_sha256"] or None, given.get("most_bytes") or MOST_PACKAGE_BYTES)
    server = ModelServer(
        given["server"], secret("reload.token").hex(), given["probe"], given["check"], given["load_seconds"]
    )
    return Worker(
        model=given["model"],
        channel=given["channel"],
        registry=RegistryReader(given["registry"], context, secret("registry.token").decode("ascii").strip()),
        server=server,
        slots=Slots(given["state"]),
        trust=trust,
        watch_seconds=given["watch_seconds"],
        wait_seconds=given["load_seconds"] if given["mode"] != "reload" else 0.0,
        say=_say,
    )


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fedops-worker", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("configuration", help="a file of JSON")
    parser.add_argument("--once", action="store_true", help="end after one pass")
    asked = parser.parse_args(arguments)
    with open(asked.configuration, "rb") as stream:
        given = loads(stream.read())
    keep_loopback(os.environ)  # a registry of this host
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        worker = worker_of(given, os.environ.get("CREDENTIALS_DIRECTORY", ""))
        while True:
            worker.pass_once()
            if asked.once:
                return 0
            seconds = given["interval"] * random.uniform(1 - _JITTER, 1 + _JITTER)
            signal.sigtimedwait({signal.SIGUSR1}, seconds)
    except ImportError:
        sys.stderr.write("The library cryptography is not here: install python3-cryptography.\n")
        return 1


def _say(text: str) -> None:
    """Write a line to the journal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
