# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Asking the SuperLink again after it has answered 500, as it does when its database is busy: Flower gives up then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import httpx

ASKED_AGAIN = (
    "ConfirmMessageReceived",
    "GetNodes",
    "PullMessages",
    "PullObject",
    "PushObject",
)  # changes nothing twice
T = TypeVar("T")


# begin: patience
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds
_CHANCE = random.Random()  # the global one is the app's


def patiently(ask: Callable[..., T], *arguments: Any) -> T:
    """Return what it answers, at once or after a while: with 500 the SuperLink answers that its database is busy."""
    for pause in PAUSES:
        try:
            return ask(*arguments)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
                raise
        time.sleep(about(pause))
    return ask(*arguments)


def about(seconds: float) -> float:
    """Return as much, give or take a fifth: those who wait for the same need not ask at the same moment."""
    return seconds * _CHANCE.uniform(0.8, 1.2)


# end: patience


class PatientClient:
    """A client of the SuperLink that asks again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(patiently, found) if name in ASKED_AGAIN else found
