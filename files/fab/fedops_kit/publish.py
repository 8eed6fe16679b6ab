# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training tells the world: its effective configuration, its history and its result, as files and log lines."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from .errors import RunFailedError
from .knowledge._base.jsonable import is_finite_number
from .knowledge._checkpoint.side_files import SIDE_FILES

EFFECTIVE, INITIAL, HISTORY, RESULT = "effective.json", "initial.json", "history.jsonl", "result.json"
FAILURE = "failure.json"
ROSTER = "roster.json"  # who took part in the last rounds: read by the kit alone
SPENT = "privacy.jsonl"  # what of its privacy is spent; it outlasts whatever begins anew
WAITING = "waiting.json"  # for whom a round waits, while it does
_ROSTER_LIMIT = 64 << 20  # bytes
OF_A_ROUND = re.compile(r"round_[1-9][0-9]{0,8}_[a-z_]{1,32}\.json", re.ASCII)  # a file of one round
PREVIOUS = "previous"
QUIESCED = "quiesced.json"  # in the folder of orders, while all trainings are to stand still
FILE_MODE, FOLDER_MODE = 0o640, 0o750  # whoever supervises the training reads it as a member of the group

_HASH = "configuration_hash"
_OF_SITES = ("sites", "failed", "rejected")  # lists of objects with a site each, in what a round is told with
_OF_SITES_ALONE = ("sites", "across_sites")  # which the log leaves to the history

logger = logging.getLogger("flwr")  # Flower's own logger: what it gets, `flwr log` shows


Retold = Callable[[Mapping[str, Any]], Mapping[str, object]]


class Names(Protocol):
    """What sites are called where that may be passed on."""

    def pseudonym(self, name: str) -> str:
        """Return what a site is called."""

    def hidden(self, text: str) -> str:
        """Return a text without the names of sites."""


class Publisher:
    """The files of one training; without a directory everything goes to the log alone.

    ``orders`` is where orders to all trainings are found, unless that is the same directory.
    """

    def __init__(
        self, root: str | None, training: str, common: Mapping[str, object], orders: str | None = None
    ) -> None:
        self._directory = os.path.join(root, training) if root else None
        self._common = dict(common)  # what every event says
        orders = orders or root
        self._quiesced = os.path.join(orders, QUIESCED) if orders else None
        self._told_of: Exception | None = None
        self.names: Names | None = None  # until they are known, nothing is told that names a site

    @property
    def is_to_stand_still(self) -> bool:
        """Tell whether all trainings are to stand still: this one at the end of its round."""
        return self._quiesced is not None and os.path.lexists(self._quiesced)

    def learn(self, facts: Mapping[str, object]) -> None:
        """Say this with every event from now on."""
        self._common.update(facts)

    def effective(self, resumed: Mapping[str, object] | None, facts: Mapping[str, object]) -> None:
        """Say what the run really is, before it trains anything.

        ``resumed`` is what is known of the round that the run goes on from; None when it begins anew.
        """
        content = {**self._common, **facts}
        _log("effective_configuration", content)
        if self._directory is None:
            return
        try:
            os.makedirs(self._directory, mode=FOLDER_MODE, exist_ok=True)
            self._begin_history(resumed)
            self._write(EFFECTIVE, {**content, "process": _process()})
        except OSError as error:
            raise RunFailedError(f"{self._directory} cannot be written: {error.strerror}.") from error

    def initial_model_evaluated(self, facts: Mapping[str, object]) -> None:
        """Say what the model is before any training: no round of the history, for nothing was trained."""
        content = {**self._common, "time": _now(), "round": 0, **facts}
        _log("initial_model_evaluated", content)
        self._try_to_write(INITIAL, content)

    def round_finished(self, facts: Mapping[str, object], also: Mapping[str, Retold] | None = None) -> None:
        """Append one round to the history. ``also`` makes files of it, by their names, of what is told."""
        content = self._without_names({**self._common, "time": _now(), **facts})
        if self._directory is None:
            _log("round_finished", content)
            return
        _log("round_finished", {key: value for key, value in content.items() if key not in _OF_SITES_ALONE})
        line = json.dumps({"event": "round_finished", **_finite(content)}, allow_nan=False) + "\n"
        try:
            _append(self._path(HISTORY), line)
            for name, retold in (also or {}).items():
                self._write(name, retold(content))
        except OSError as error:
            # The history is a view; a training must not die of it.
            logger.warning("%s/%s cannot be written: %s", self._directory, HISTORY, error.strerror)

    @property
    def configuration_hash(self) -> str:
        """The configuration that is trained."""
        return str(self._common[_HASH])

    def spend(self, facts: Mapping[str, object]) -> None:
        """Write down what of the privacy of sites is about to be spent.

        :raises OSError: when that cannot be written.
        """
        content = {**self._common, "time": _now(), **facts}
        _log("privacy_spent", content)
        if self._directory is not None:
            _append(self._path(SPENT), json.dumps(content, allow_nan=False) + "\n")

    def spent(self) -> list[Mapping[str, Any]]:
        """Return what all runs of this training have written down; of a line that is damaged, nothing."""
        if self._directory is None or not os.path.lexists(self._path(SPENT)):
            return []
        found: list[Mapping[str, Any]] = []
        with open(self._path(SPENT), encoding="utf-8", errors="replace") as stream:
            for line in stream:
                found.append({})
                with suppress(ValueError, RecursionError):
                    if isinstance(said := json.loads(line), Mapping):
                        found[-1] = said
        return found

    @property
    def has_result(self) -> bool:
        """Tell whether what was trained before has come to its end."""
        return self._directory is not None and os.path.lexists(self._path(RESULT))

    def roster(self) -> Mapping[str, Any]:
        """Return what is remembered of who took part in rounds of this configuration, and of what each has claimed.

        Nothing where it is damaged.
        """
        if self._directory is None:
            return {}
        try:
            with open(self._path(ROSTER), encoding="utf-8", errors="replace") as stream:
                found = json.loads(stream.read(_ROSTER_LIMIT))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s/%s cannot be read: %s", self._directory, ROSTER, error)
            return {}
        return found if isinstance(found, Mapping) and found.get(_HASH) == self._common[_HASH] else {}

    def forget(self, name: str) -> None:
        """Remove a file of this training that is true no more."""
        if self._directory is not None:
            with suppress(OSError):
                os.unlink(self._path(name))

    def keep_roster(self, rounds: Sequence[Mapping[str, object]], claims: Mapping[str, Mapping[str, float]]) -> None:
        """Remember who took part, and how many examples each has claimed last."""
        self._try_to_write(ROSTER, {**self._common, "rounds": rounds, **claims})

    def keep_side_files(self, files: Mapping[str, str]) -> None:
        """Leave what goes with the model of this configuration, as JSON holds it, for whoever packs the model."""
        if files:
            self._try_to_write(SIDE_FILES, {**self._common, "files": files})
        else:
            self.forget(SIDE_FILES)

    def waits(self, number: int, sites: Sequence[str], seconds: float) -> None:
        """Say for whom a round waits; they are called what they may be called where that is passed on."""
        facts = {"round": number, "sites": list(sites), "seconds": seconds}
        _log("waiting_for_sites", {**self._common, **facts})
        self._try_to_write(WAITING, {**self._common, **facts, "time": _now()})

    def _try_to_write(self, name: str, content: Mapping[str, object]) -> None:
        """Write what a training must not die of."""
        if self._directory is None:
            return
        try:
            self._write(name, content)
        except OSError as error:
            logger.warning("%s/%s cannot be written: %s", self._directory, name, error.strerror)

    def result(self, facts: Mapping[str, object]) -> None:
        """Say that the training is finished. This file is the proof of it."""
        content = {**self._common, **facts, "time": _now()}
        _log("training_finished", content)
        if self._directory is None:
            return
        try:
            self._write(RESULT, content)
        except OSError as error:
            raise RunFailedError(f"{self._directory}/{RESULT} cannot be written: {error.strerror}.") from error

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Tell of an exception that ends the run, once, and let it pass."""
        try:
            yield
        except Exception as error:
            if error is not self._told_of:
                self._told_of = error
                self.failed(error)
            raise

    def failed(self, error: Exception) -> None:
        """Say why the run has failed. What Flower is told may get lost with a SuperLink that is away."""
        reason = error.reason if isinstance(error, RunFailedError) else "exception"
        content = {**self._common, "reason": reason, "message": self._hidden(str(error)), "time": _now()}
        _log("training_failed", content)
        if self._directory is None:
            return
        try:
            os.makedirs(self._directory, mode=FOLDER_MODE, exist_ok=True)
            self._write(FAILURE, content)
        except OSError as problem:
            logger.warning("%s/%s cannot be written: %s", self._directory, FAILURE, problem.strerror)

    def _without_names(self, facts: Mapping[str, object]) -> dict[str, object]:
        """Return what is told of a round with what sites are called in the place of their names."""
        lists = {key: cast("list[dict[str, Any]]", facts[key]) for key in _OF_SITES if facts.get(key)}
        # In an order that tells nothing of the names either.
        return {**facts, **{key: sorted(map(self._nameless, entries), key=_site) for key, entries in lists.items()}}

    def _nameless(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        hidden = {key: self._hidden(value) if isinstance(value, str) else value for key, value in entry.items()}
        if problem := entry.get("evaluation", {}).get("problem"):
            hidden["evaluation"] = {"problem": self._hidden(problem)}
        return {**hidden, "site": self.names.pseudonym(entry["site"]) if self.names else entry["site"]}

    def _hidden(self, text: str) -> str:
        return self.names.hidden(text) if self.names else text

    def _begin_history(self, resumed: Mapping[str, object] | None) -> None:
        """A resumed training continues its history; a new one puts the old history away."""
        if resumed is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._path(RESULT))
            if not self._is_told(resumed["round"]):
                # A crash came between the checkpoint of this round and its line, or the host has lost what it knew.
                self.round_finished({**resumed, "told_by": self._common["run_id"]})
            return
        old = [name for name in (INITIAL, HISTORY, RESULT) if os.path.exists(self._path(name))]
        old += [name for name in os.listdir(self._path()) if OF_A_ROUND.fullmatch(name)]
        if old:
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            target = self._path(PREVIOUS, moment)
            os.makedirs(target, mode=FOLDER_MODE)
            for name in old:
                shutil.move(self._path(name), target)

    def _path(self, *names: str) -> str:
        """Return a place in the directory, for those who have seen that there is one."""
        return os.path.join(cast("str", self._directory), *names)

    def _is_told(self, number: object) -> bool:
        """Tell whether the history has a round of this configuration."""
        wanted = number, self._common[_HASH]
        return any((line.get("round"), line.get(_HASH)) == wanted for line in self._lines())

    def _lines(self) -> Iterator[Mapping[str, object]]:
        """Return the lines of the history that are whole."""
        try:
            with open(self._path(HISTORY), encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    with suppress(ValueError, RecursionError):
                        if isinstance(found := json.loads(line), Mapping):
                            yield found
        except OSError:
            return

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        path = self._path(name)
        try:
            with open(path + ".partial", "w", encoding="utf-8") as stream:
                os.fchmod(stream.fileno(), FILE_MODE)
                stream.write(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(path + ".partial", path)
        except OSError:
            with suppress(OSError):
                os.unlink(path + ".partial")
            raise


def _site(entry: Mapping[str, Any]) -> str:
    return str(entry["site"])


def finite(value: object) -> float | None:
    """Return a number that JSON can hold, or None."""
    return float(value) if isinstance(value, bool) or is_finite_number(value) else None


def _log(event: str, content: Mapping[str, object]) -> None:
    logger.info("%s", json.dumps({"event": event, **_finite(content)}, allow_nan=False))


def _append(path: str, line: str) -> None:
    """Append one line in one write. A line that a crash cut short is ended first, so that only it is lost."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.fchmod(descriptor, FILE_MODE)
        os.write(descriptor, (("\n" if torn else "") + line).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finite(value: object) -> Any:
    """Return the value with every number that JSON cannot hold replaced by null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _process() -> dict[str, int] | None:
    """Return which process this is: its number may be given again, the moment at which it began (ticks) is not.

    Flower does not tell which ServerApp is a run's, and whoever supervises it has to know.
    """
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as stream:
            # The name in brackets may hold anything.
            fields = stream.read().rpartition(")")[2].split()
        return {"pid": os.getpid(), "ticks": int(fields[19])}
    except (OSError, ValueError, IndexError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
