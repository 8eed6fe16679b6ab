# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperExec, which asks again when the SuperLink answers that something has failed there.

A busy database makes it answer 500 to whoever asks for a task. Flower's SuperExec ends then, and systemd ends with it
the ServerApps that it has started: a training that goes on well would be lost, with its round.
"""

from __future__ import annotations

import importlib
import sys
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


def main() -> None:
    """Run the SuperExec as its command line says."""
    ask_again(importlib.import_module("flwr.supercore.retry.http_retry"))
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")  # the package has a function of this name
    cli.flower_superexec()


if __name__ == "__main__":
    sys.exit(main())
