# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ClientApp gives memory back while a model travels, and keeps it while it trains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

FILES = Path(__file__).resolve().parents[3] / "roles" / "supernode" / "files"
sys.path.insert(0, str(FILES))
from clientapps.memory import before  # noqa: E402 - the program of the ClientApps is no package of this environment

# Pieces are taken and every second one is given back, so that none of what is free lies at the end.
PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from clientapps import memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
size = 5 << 20
bytearray(size)  # glibc learns that such pieces come and go
getattr(memory, sys.argv[2])()
before = resident()
pieces = [bytearray(b"x") * size for number in range(20)]
del pieces[::2]
print(resident() - before)
"""


def resident(act: str) -> int:
    """Return the megabytes that fifty take when as many more were freed between them."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(FILES), act], capture_output=True, text=True, check=True, timeout=60
    )
    return int(told.stdout)


def test_pieces_that_are_freed_go_back_while_a_model_travels() -> None:
    assert resident("give_back") < 70


def test_they_are_kept_while_it_trains() -> None:
    assert resident("keep") > 90


def test_a_function_does_something_first() -> None:
    done: list[str] = []
    module = SimpleNamespace(install=lambda name, *, more: done.append(f"{name}{more}") or 5)
    before(module, "install", lambda: done.append("first"))
    before(module, "nothing_of_that_name", lambda: done.append("never"))
    assert module.install("a", more=1) == 5
    assert done == ["first", "a1"]
    assert not hasattr(module, "nothing_of_that_name")
