# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing through a library of others, on the Python of an environment that has it.

It reads what is asked as JSON from its standard input, the token too, and writes what has become of it to its standard
output. It is started by C(through_library).
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

from .._base.jsonable import harmless, loads
from .at_huggingface import HuggingFaceHub
from .destinations import PublishingPlace
from .gate import PublishError
from .in_mlflow import MlflowRegistry

_WORDS = 600  # of a problem
_PLACES: t.Mapping[str, t.Callable[[t.Mapping[str, t.Any], str, str], PublishingPlace]] = {
    "huggingface": HuggingFaceHub,
    "mlflow": MlflowRegistry,
}


def answer(asked: t.Mapping[str, t.Any], scratch: str) -> dict[str, t.Any]:
    """Do what is asked of a place, and return what has become of it."""
    token = str(asked.get("token") or "")
    try:
        place = _PLACES[asked["to"]](asked["options"], token, scratch)
        if asked["act"] == "obstacle":
            return {"obstacle": place.obstacle()}
        if asked["act"] == "holds":
            return {"holds": place.holds(asked["manifest"])}
        place.put(asked["folder"], asked["manifest"])
        return {}
    except PublishError as error:
        return {"problem": str(error)}
    except Exception as error:  # libraries of others raise what they like
        text = f"{type(error).__name__}: {error}"
        return {"problem": harmless(text.replace(token, "(the token)") if token else text, _WORDS).rstrip(".")}


def main() -> int:
    """Be the program: one question, one answer."""
    given = loads(sys.stdin.buffer.read())
    # What a library prints is no part of the answer.
    told = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with told:
        json.dump(answer(given, os.environ["HOME"]), told)
    return 0
