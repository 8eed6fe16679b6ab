# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperLink, which does less here for each message.

Every piece of a message goes through the SuperLink's database, one request at a time. SQLite as Debian builds it fills
what is deleted with zeros, which writes each piece to the disk again, and keeps everybody else waiting meanwhile; it
also brings its log into the database after each thousand pages, fewer than a piece has, and waits for the disk. Here
what is deleted is left to be overwritten, as SQLite itself does it, and the log may become 64 MiB first. The log holds
the same before and after, so that nothing more is lost when the process or the host dies.

Whoever finds the database busy waits for twenty seconds and not for five before the SuperLink answers 500.

A piece is read from its connection in parts of 64 KiB, and each part passes through every layer of the web server as an
event of its own. Here a part may have 1 MiB.

What was imported stays as long as the process. Python's collector, which a message calls often, need not look through
all of it each time: that was a seventh of what the SuperLink computed.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

PRAGMAS, KNOWN = "SQLITE_PRAGMAS", ("journal_mode", "WAL")
SETTINGS = {
    "busy_timeout": "20000",  # milliseconds; clients wait for thirty seconds
    "secure_delete": "OFF",
    "wal_autocheckpoint": "16384",  # pages of 4 KiB
}


def set_database(sql: Any) -> None:
    """Have Flower open its database with settings of ours, where it sets it up as is known."""
    pragmas = getattr(sql, PRAGMAS, None)
    if isinstance(pragmas, tuple) and KNOWN in pragmas:
        setattr(sql, PRAGMAS, tuple({**dict(pragmas), **SETTINGS}.items()))
    else:
        print(
            f"This release of Flower sets its database up in another way ({sql.__name__}). That is left to it.",
            file=sys.stderr,
        )


# begin: parts
SERVER, PART = "uvicorn.protocols.http.httptools_impl", "HIGH_WATER_LIMIT"  # bytes that wait to be read
PARTS = (65536, 1 << 20)  # what it is, and what it becomes


def read_in_larger_parts(name: str = SERVER) -> None:
    """Have the web server of Flower hand on more of a request at a time, where it does that as is known."""
    try:
        server = importlib.import_module(name)
    except ImportError:
        server = None
    if getattr(server, PART, None) == PARTS[0]:
        vars(server)[PART] = PARTS[1]
    else:
        print(f"This web server reads in another way ({name}). That is left to it.", file=sys.stderr)


# end: parts


def main() -> None:
    """Run the SuperLink as its command line says."""
    set_database(importlib.import_module("flwr.supercore.sql_mixin"))
    read_in_larger_parts()
    superlink = importlib.import_module("flwr.superlink.cli").flower_superlink
    importlib.import_module("flwr.superlink.main")  # it imports create_app() when it begins to serve
    gc.collect()
    gc.freeze()
    superlink()


if __name__ == "__main__":
    sys.exit(main())
