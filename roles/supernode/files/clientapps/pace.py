# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Flower pauses for want of something to do: shortly while a run is under way."""

from __future__ import annotations

import importlib
import inspect
import math
import random
import sys
import time
from collections.abc import Callable
from typing import Any

# begin: pace
# What Flower waits before it asks again for a piece that is not there: at first, at most, and how often.
PULLS = {"initial_backoff": 1, "backoff_cap": 10, "max_tries_per_object": 500}


class Pace:
    """Stands for the module ``time`` in a module that pauses: shortly after something has happened, and longer later.

    A pause is a tenth of the time since then, or a tenth of Flower's own if that is longer, and never more than that.
    """

    def __init__(self) -> None:
        self._latest = -math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def happened(self) -> None:
        """Wait shortly from now on."""
        self._latest = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for as long as there is reason to; not all at the same time as others."""
        pause = min(seconds, max(seconds, time.monotonic() - self._latest) / 10)
        time.sleep(pause * random.uniform(0.8, 1.2))


def quicken(pace: Pace, module: str, *pauses: str) -> None:
    """Have a module of Flower pause at a pace of ours, where it pauses as is known."""
    found = importlib.import_module(module)
    if getattr(found, "time", None) is time and all(pause in inspect.getsource(found) for pause in pauses):
        vars(found)["time"] = pace
    else:
        print(f"This release of Flower pauses in another way ({module}). That is left to it.", file=sys.stderr)


def quicken_pulls(pull: Callable[..., Any], longest: float) -> None:
    """Have a function of Flower ask again sooner, after so many seconds at most, and for as long as ever."""
    defaults = pull.__kwdefaults__ or {}
    if {name: defaults.get(name) for name in PULLS} == PULLS:
        tries = round(PULLS["max_tries_per_object"] * PULLS["backoff_cap"] / longest)
        defaults.update(initial_backoff=longest / 10, backoff_cap=longest, max_tries_per_object=tries)
    else:
        print(f"This release of Flower pulls in another way ({pull.__name__}). That is left to it.", file=sys.stderr)


# end: pace
