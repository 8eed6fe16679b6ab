# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperNode, and ends it when it has lost count of its messages: systemd starts it anew.

When a run is stopped while its message is being received, the SuperNode of Flower 1.41 leaves the function
``_pull_and_store_message`` without removing the half that it has stored. A ClientApp begins with that half, and from
there on the SuperNode, which sends whatever reply there is, is one reply late: every round waits for its timeout.
All of that is in its memory alone, and its identity is its key: nothing is lost by starting anew.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from flwr.supercore.logger import FLOWER_LOGGER
from flwr.supernode.cli import flower_supernode

FORGOTTEN = "Ignoring message %s"


class Forgotten(logging.Handler):
    """Ends the process when Flower says that it forgets a message of which it has stored something."""

    def emit(self, record: logging.LogRecord) -> None:
        if FORGOTTEN in str(record.msg):
            print("Starting anew: Flower keeps a part of the message, and would be one reply late.", file=sys.stderr)
            # As systemd ends it: it says goodbye to the SuperLink first.
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    FLOWER_LOGGER.addHandler(Forgotten())
    sys.exit(flower_supernode())
