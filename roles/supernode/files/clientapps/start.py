# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a program of Flower is started for an app: its command, and a home of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CLIENTAPP = "flwr-clientapp"  # Flower's program; as the first argument it has ours run one ClientApp
WARM = "warm"  # as the first argument it has ours be the process that ClientApps are forked from
ARCHIVE = os.path.abspath(os.path.join(__file__, "../../.."))  # our program, which this is in


def program(command: str) -> list[str]:
    """Return what starts a program of Flower: a ClientApp by way of ours."""
    # Nothing that lies beside the archive is a module of an app.
    return [sys.executable, "-P", ARCHIVE, command] if command == CLIENTAPP else [command]


def keep_token(home: str, token: str) -> str:
    """Write the token of a message into a file for its ClientApp alone; return where."""
    path = Path(home, "token")
    path.touch(0o600)
    path.write_text(token, "utf-8")
    return str(path)


def at_home(home: str) -> dict[str, str]:
    """Return what a ClientApp is told of its home."""
    return {"FLWR_HOME": f"{home}/.flwr", "HOME": home, "TMPDIR": home}
