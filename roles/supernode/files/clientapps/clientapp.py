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
from .pace import quicken_pulls
from .secrecy import PR_SET_DUMPABLE
from .start import at_home


def run_clientapp() -> None:
    """Be the process of one ClientApp."""
    from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree
    from flwr.supernode.cli import flwr_clientapp

    del sys.argv[0]
    quicken_pulls(pull_and_inflate_object_from_tree, 0.5)
    if stream := os.environ.pop(IMPORTS, ""):
        tell_imports(importlib.import_module(INSTALL[0]), INSTALL[1], int(stream))
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
