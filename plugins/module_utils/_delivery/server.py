# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server of models on a worker's host, as a worker tells it of a new model and asks it how it is.

It is told in one of two ways: it loads a model when it is asked to, beside the one that it serves, and answers when it
has switched; or a link is pointed at the new model, and its unit is restarted or reloaded.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.jsonable import harmless, loads

MOST_ANSWER = 1 << 16  # bytes
_ASKED_SECONDS = 10
_CHECK_OUTPUT = 2000  # characters
_AWAY = (502, 503, 504)  # of a server that starts, or of what stands before one that does not run


class ServerAwayError(FedopsError):
    """The server does not answer; it is told again later."""


class ModelRefusedError(FedopsError):
    """The server, or a check, does not take a model; the message says why."""


@dataclass(frozen=True)
class ModelServer:
    """A server of models on this host, with what is asked of it."""

    address: str
    token: str = ""
    probe: t.Any = None  # a request to /predict that must be answered
    check: str = ""  # a program that is told of a model before and after the switch
    load_seconds: float = 600.0

    def reload(self, package: str) -> None:
        """Have it load a model in its second slot, try it, and switch to it."""
        if self.address:
            self._ask("reload", {"package": package, "probe": self.probe}, self.load_seconds)

    def version(self) -> str | None:
        """Return which package it serves, if any."""
        found = self._ask("version", None, _ASKED_SECONDS)
        return found.get("package") if isinstance(found, dict) else None

    def check_before(self, folder: str) -> None:
        """Ask the check of the user whether a model is to be tried at all."""
        self._check("before", folder)

    def check_after(self, package: str, folder: str) -> None:
        """Raise ModelRefusedError unless the server serves this package, is healthy and answers."""
        if self.address:
            self._ask("healthz", None, _ASKED_SECONDS)
            serving = self.version()
            if serving != package:
                raise ModelRefusedError(f"it serves {harmless(str(serving), 100)} instead")
            if self.probe is not None:
                self._ask("predict", self.probe, self.load_seconds)
        self._check("after", folder)

    def _check(self, moment: str, folder: str) -> None:
        if not self.check:
            return
        try:
            done = subprocess.run(
                [self.check, moment, folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self.load_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModelRefusedError(f"{self.check} {moment} took longer than {self.load_seconds:g} seconds") from None
        except OSError as error:
            raise ServerAwayError(f"{self.check} cannot be run: {error.strerror}.") from error
        if done.returncode:
            said = harmless(done.stdout[-_CHECK_OUTPUT:], _CHECK_OUTPUT).strip()
            raise ModelRefusedError(f"{self.check} {moment} ended with {done.returncode}: {said}")

    def _ask(self, path: str, body: t.Any, seconds: float) -> t.Any:
        asked = urllib.request.Request(f"{self.address.rstrip('/')}/{path}")
        if body is not None:
            asked.data = json.dumps(body).encode()
            asked.add_header("Content-Type", "application/json")
        if self.token and path == "reload":
            asked.add_unredirected_header("Authorization", f"Bearer {self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=seconds) as answer:
                said = answer.read(MOST_ANSWER)
        except urllib.error.HTTPError as error:
            said = error.read(MOST_ANSWER)
            kind = ServerAwayError if error.code in _AWAY and path != "healthz" else ModelRefusedError
            raise kind(f"the server answers {error.code} to /{path}: {_detail(said)}") from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise ServerAwayError(
                f"The server at {self.address} does not answer: {harmless(str(why), 200)}."
            ) from error
        try:
            return loads(said)
        except ValueError:
            return None


def _detail(said: bytes) -> str:
    """Return what an answer says is wrong."""
    try:
        found = loads(said)
    except ValueError:
        found = None
    detail = found.get("detail") if isinstance(found, dict) else said.decode("utf-8", "replace")
    return harmless(str(detail), 500)
