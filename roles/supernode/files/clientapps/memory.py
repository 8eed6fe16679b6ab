# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ClientApp does with freed memory: gives it back while a model travels, keeps it while it trains.

A model comes and goes in pieces of 5 MiB. glibc keeps what it has once given back for later, and by the end a ClientApp
would have a model's worth of freed pieces. A training frees and takes tensors of that size by the thousand, and there
keeping them is what is fast.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_TRAVELLING = 4 << 20  # less than a piece
_TRAINING = 32 << 20  # the most that glibc comes to by itself on a machine of 64 bits; it trims at twice that


def give_back() -> None:
    """Give pieces back from now on, and what is free."""
    _set(_M_MMAP_THRESHOLD, _TRAVELLING)
    _call("malloc_trim", 0)


def keep() -> None:
    """Keep what is freed from now on."""
    _set(_M_MMAP_THRESHOLD, _TRAINING)
    _set(_M_TRIM_THRESHOLD, 2 * _TRAINING)


def before(module: Any, name: str, act: Callable[[], None]) -> None:
    """Have a function of a module do something first, where there is one."""
    function = getattr(module, name, None)
    if not callable(function):
        return

    def acts(*arguments: Any, **more: Any) -> Any:
        act()
        return function(*arguments, **more)

    setattr(module, name, acts)


def _set(parameter: int, size: int) -> None:
    _call("mallopt", parameter, size)


def _call(name: str, *numbers: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)  # another C library has its own ways
    if function is not None:
        function(*numbers)
