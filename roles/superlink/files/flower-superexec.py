# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperExec, which asks again when the SuperLink answers that something has failed there.

A busy database makes it answer 500 to whoever asks for a task. Flower's SuperExec ends then, and systemd ends with it
the ServerApps that it has started: a training that goes on well would be lost, with its round.

It reaches the SuperLink on the loopback, as its ServerApps do, and beside a proxy that the environment names.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

RETRYABLE = "_RETRYABLE_STATUS_CODES"
AGAIN = HTTPStatus.INTERNAL_SERVER_ERROR


def ask_again(retry: Any) -> None:
    """Have Flower's clients ask again after 500 as they do after 503, where they decide that as is known."""
    codes = getattr(retry, RETRYABLE, None)
    if isinstance(codes, frozenset) and HTTPStatus.SERVICE_UNAVAILABLE in codes:
        setattr(retry, RETRYABLE, codes | {AGAIN})
    else:
        print(
            f"This release of Flower asks again in another way ({retry.__name__}). That is left to it.", file=sys.stderr
        )


# begin: loopback (tools/generate.py copies it from loopback.py)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXY = re.compile("(https?|all)_proxy", re.IGNORECASE)


def keep_loopback(environment: MutableMapping[str, str]) -> None:
    """Have the loopback reached without the proxy of an environment: no proxy would find that of this host."""
    if not any(value and PROXY.fullmatch(name) for name, value in environment.items()):
        return
    given = {name: environment.get(name) or environment.get(name.swapcase()) or "" for name in ("no_proxy", "NO_PROXY")}
    for name, text in given.items():
        kept = [entry.strip() for entry in str(text).split(",") if entry.strip()]
        environment[name] = ",".join([*kept, *(address for address in LOOPBACK if address not in kept)])


# end: loopback


def main() -> None:
    """Run the SuperExec as its command line says."""
    keep_loopback(os.environ)
    ask_again(importlib.import_module("flwr.supercore.retry.http_retry"))
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")  # the package has a function of this name
    cli.flower_superexec()


if __name__ == "__main__":
    sys.exit(main())
