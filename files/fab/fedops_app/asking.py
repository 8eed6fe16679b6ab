# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Calling the functions of a task: each gets what it always gets, and what else it asks for by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

MOST_EXAMPLES = "most-examples"  # in the config of a message: of how many an evaluation takes at most


def call(function: Callable[..., T], *arguments: Any, **offered: Any) -> T:
    """Call a function with its arguments, and with those of the offered ones whose names are among its parameters.

    A task that was written before there was something to offer goes on as it is.
    """
    parameters = list(inspect.signature(function).parameters)[len(arguments) :]
    return function(*arguments, **{name: value for name, value in offered.items() if name in parameters})
