# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Flower's command line answers: runs, SuperNodes, submissions, and errors with what to do.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._base.errors import FedopsError, NotDeployedError
from .._base.jsonable import Bounds, harmless, harmless_value, is_number, loads, without_colours
from . import assumptions as flower

REASON = 4000  # characters of why something went wrong
ANSWER = Bounds(text=REASON, items=100_000, depth=8, total=3_000_000)
_CODE = re.compile(flower.ERROR_CODE)


class FlwrError(FedopsError):
    """Flower refused or could not answer. The message is Flower's own, with what to do where that is known."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(harmless(message, REASON + 500))
        self.code = code


class FlwrMissingError(FlwrError, NotDeployedError):
    """Flower, or its account, is not on this host."""


class FlwrUnreachableError(FlwrError):
    """The SuperLink does not answer."""


@dataclass(frozen=True)
class Run:
    """A run as the SuperLink knows it; the status is Flower's word without the prefix C(finished:)."""

    run_id: str
    status: str
    details: str | None
    fab_hash: str
    pending_at: str
    starting_at: str = ""
    traffic: int | None = field(default=None, compare=False)  # bytes of its messages to and from SuperNodes
    client_seconds: float | None = field(default=None, compare=False)  # that ClientApps took for their replies

    @property
    def replied(self) -> bool | None:
        """Tell whether a ClientApp has ever replied, be it with an error; None where Flower does not say."""
        return None if self.client_seconds is None else self.client_seconds > 0

    @property
    def alive(self) -> bool:
        return self.status in flower.ALIVE


@dataclass(frozen=True)
class Node:
    """A SuperNode as the SuperLink knows it."""

    node_id: str
    status: str
    registered_at: str | None
    online_at: str | None
    offline_at: str | None


@dataclass(frozen=True)
class Submission:
    """What Flower says about a run that it has accepted."""

    run_id: str
    fab_hash: str


def parse(output: str, errors: str = "") -> dict[str, t.Any]:
    """Return Flower's JSON answer, or raise FlwrError. Flower exits with 0 either way: only C(success) tells."""
    try:
        answer = loads(output[output.index("{") :])
    except ValueError as error:
        raise error_of(errors or output) from error
    if not answer.get(flower.SUCCESS):
        raise error_of(str(answer.get(flower.ERROR_MESSAGE, "")))
    kept: dict[str, t.Any] = harmless_value(answer, ANSWER)
    return kept


def error_of(text: str) -> FlwrError:
    """Make an error of what Flower printed: only the reason, without its progress messages and frames."""
    text = without_colours(text).strip()
    code = _CODE.search(text)
    if code:
        reason = _plain(text[code.end() :])
        number = int(code.group(1))
        hint = ""
        if number == flower.INVALID_RUN_CONFIG:
            hint = (
                " A key of the run configuration is not declared in [tool.flwr.app.config] of the app's pyproject.toml."
                " The journal of flower-superlink names the key."
            )
        return FlwrError(f"Flower says: {reason} (code {number}){hint}", number)
    reason = _plain(text.split("\n\n", 1)[-1]) or "no reason given"
    if flower.UNREACHABLE_WORDS in text:
        return FlwrUnreachableError(
            f"Flower says: {flower.UNREACHABLE_WORDS}. Look at the unit flower-superlink on this host."
        )
    return FlwrError(f"Flower says: {reason}")


def _plain(text: str) -> str:
    lines = map(_unframed, text.splitlines())
    return harmless(" ".join(line for line in lines if line), REASON)


def _unframed(line: str) -> str:
    """Return a line without the frame that Flower draws around an error; of its title, nothing."""
    whole = line.strip()
    inner = whole.strip(flower.ERROR_FRAME)
    return "" if inner == "Error" != whole else inner


def run_of(row: t.Mapping[str, t.Any]) -> Run:
    """Return the run that a row of C(flwr list) tells of."""
    seen = _renamed(row, flower.RUN_FIELDS)
    return Run(
        run_id=str(seen["run_id"]),
        status=str(seen["status"]).removeprefix(flower.ENDED_PREFIX),
        details=_known(seen.get("details")),
        fab_hash=str(seen.get("fab_hash", "")),
        pending_at=str(seen.get("pending_at", "")),
        starting_at=_known(seen.get("starting_at")) or "",
        **{name: _counted(row, *keys) for name, keys in flower.RUN_COUNTS.items()},
    )


def node_of(row: t.Mapping[str, t.Any]) -> Node:
    """Return the SuperNode that a row of C(flwr supernode list) tells of."""
    seen = _renamed(row, flower.NODE_FIELDS)
    return Node(
        node_id=str(seen["node_id"]),
        status=str(seen["status"]),
        registered_at=_known(seen.get("registered_at")),
        online_at=_known(seen.get("online_at")),
        offline_at=_known(seen.get("offline_at")),
    )


def _renamed(row: t.Mapping[str, t.Any], names: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return what a row of Flower's says, by our names."""
    return {ours: row[theirs] for ours, theirs in names.items() if theirs in row}


def _counted(row: t.Mapping[str, t.Any], table: str, key: str) -> t.Any:
    found = row.get(table)
    value = found.get(key) if isinstance(found, t.Mapping) else None
    return value if is_number(value) else None


def _known(value: t.Any) -> str | None:
    return None if value in (None, "", flower.NOT_KNOWN) else str(value)
