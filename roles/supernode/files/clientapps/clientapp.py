# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of one ClientApp, from within."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile

from .imports import IMPORTS, INSTALL, tell_imports
from .memory import before, give_back, keep
from .pace import quicken_pulls
from .pushes import PUSH, push_few_at_a_time
from .secrecy import PR_SET_DUMPABLE
from .start import at_home


def run_clientapp() -> None:
    """Be the process of one ClientApp."""
    from flwr.supercore.inflatable import inflatable_utils
    from flwr.supernode.cli import flwr_clientapp

    del sys.argv[0]
    quicken_pulls(inflatable_utils.pull_and_inflate_object_from_tree, 0.5)
    push_few_at_a_time(inflatable_utils)
    runtime = importlib.import_module(INSTALL[0])
    if stream := os.environ.pop(IMPORTS, ""):
        tell_imports(runtime, INSTALL[1], int(stream))
    give_back()
    before(runtime, INSTALL[1], keep)  # the message is there, and the app is next
    before(inflatable_utils, PUSH, give_back)
    flwr_clientapp()


def become_clientapp(arguments: list[str], home: str) -> None:
    """Be, after a fork, what a ClientApp is that was started: with a home, a session and random numbers of its own."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.environ.update(at_home(home))
    os.chdir(home)
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()  # Python's own generator sees to itself
    sys.argv = [sys.argv[0], *arguments]
    run_clientapp()
