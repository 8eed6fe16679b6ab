# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperNode, and sees to seven things that Flower 1.41 leaves undone.

A SuperNode that was killed is online to the SuperLink until its heartbeats are missed, for up to a minute, and until
then the SuperLink refuses to activate the next process with its key. That process says goodbye for the one before it.

A reply goes to the SuperLink in pieces. When nginx or the SuperLink dies after it has taken a piece and before it says
so, the piece is sent again, and refused: it is there already. Flower then drops the reply, and the ServerApp waits for
the rest of it for three minutes. Such a piece counts as sent.

When a run is stopped while its message is being received, the SuperNode leaves the function ``_pull_and_store_message``
without removing the half that it has stored. A ClientApp begins with that half, and from there on the SuperNode, which
sends whatever reply there is, is one reply late: every round waits for its timeout. All of that is in its memory alone,
and its identity is its key: nothing is lost by ending it, and systemd starts it anew.

A SuperLink whose database is busy answers 500 to a message or a piece of one, and Flower drops the message with all
its pieces, or ends. Here it is sent, or asked for, again.

An error that Flower does not try again at, like a certificate that is not valid by this host's clock, ends its main
thread, with an exception or with a line in the log. The thread of its local API keeps the process, which does nothing
any more. It is ended.

A SuperNode that is refused ends without a word. Here it says what the SuperLink answered, and whether clocks differ.

Between two looks for a message, a reply or a piece of one, Flower waits as long in the middle of a round as when
nothing has happened for days. Here it waits a tenth as long at first, and as long as ever after a while.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import logging
import math
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    ActivateNodeResponse,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PullMessagesResponse,
    PushMessagesRequest,
    PushMessagesResponse,
)
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ConfirmMessageReceivedResponse,
    PullObjectRequest,
    PullObjectResponse,
    PushObjectRequest,
    PushObjectResponse,
)
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.supercore.logger import FLOWER_LOGGER
from flwr.supernode import fleet_http_connection
from flwr.supernode.cli import flower_supernode
from flwr.supernode.fleet_http_client import FleetHttpClient

NODE_ID = Path("node-id")  # in the directory that this SuperNode alone writes to
FORGOTTEN = "Ignoring message %s"
CLOCKS_AGREE = 3.0  # seconds; an answer tells whole ones, and has taken a while
T = TypeVar("T")


# begin: pace (tools/generate.py copies it from pace.py)
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


# begin: patience (tools/generate.py copies it from patience.py)
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


# begin: parts (tools/generate.py copies it from flower-superlink.py)
SERVER, PART = "uvicorn.protocols.http.httptools_impl", "HIGH_WATER_LIMIT"  # bytes that wait to be read
PARTS = (65536, 1 << 20)  # what it is, and what it becomes


def read_in_larger_parts(name: str = SERVER) -> None:
    """Have the web server of Flower hand on more of a request at a time, where it does that as is known."""
    try:
        server = importlib.import_module(name)
    except ImportError:
        server = None
    if getattr(server, PART, None) == PARTS[0]:
        vars(server)[PART] = PARTS[1]
    else:
        print(f"This web server reads in another way ({name}). That is left to it.", file=sys.stderr)


# end: parts


PACE = Pace()


class Client(FleetHttpClient):
    """Flower's client of the SuperLink, for a SuperLink, a gateway and a process before this one that may die."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._unanswered: set[tuple[str, str]] = set()  # pieces that were sent and not confirmed

    def ActivateNode(self, request: ActivateNodeRequest) -> ActivateNodeResponse:
        try:
            response = super().ActivateNode(request)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.PRECONDITION_FAILED or not NODE_ID.exists():
                raise
            print("The SuperLink takes the process before this one for alive. It is told otherwise.", file=sys.stderr)
            self.DeactivateNode(DeactivateNodeRequest(node_id=int(NODE_ID.read_text("ascii"))))
            response = super().ActivateNode(request)
        NODE_ID.write_text(f"{response.node_id}\n", "ascii")
        return response

    def _unary_unary(self, **call: Any) -> Any:
        try:
            return super()._unary_unary(**call)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.UNAUTHORIZED or call["path"].endswith("/activate-node"):
                print(refusal(error.response), file=sys.stderr)
            raise

    def PullMessages(self, request: PullMessagesRequest) -> PullMessagesResponse:
        response = patiently(super().PullMessages, request)
        if response.messages_list:
            PACE.happened()
        return response

    def PushMessages(self, request: PushMessagesRequest) -> PushMessagesResponse:
        PACE.happened()
        return patiently(super().PushMessages, request)  # the SuperLink takes it for the same message

    def ConfirmMessageReceived(self, request: ConfirmMessageReceivedRequest) -> ConfirmMessageReceivedResponse:
        return patiently(super().ConfirmMessageReceived, request)

    def PushObject(self, request: PushObjectRequest) -> PushObjectResponse:
        PACE.happened()
        piece = (request.session_id, request.object_id)

        def push() -> PushObjectResponse:
            try:
                response = super(Client, self).PushObject(request)
            except httpx.HTTPError:
                self._unanswered.add(piece)
                raise
            response.stored |= piece in self._unanswered
            return response

        return patiently(push)

    def PullObject(self, request: PullObjectRequest) -> PullObjectResponse:
        return patiently(super().PullObject, request)


def refusal(response: httpx.Response) -> str:
    """Say why the SuperLink refuses a SuperNode, as far as it tells."""
    text = f"The SuperLink refuses this SuperNode: {response.status_code} {response.text.strip()}"
    ahead = time.time() - _moment(response.headers.get("date"))
    if abs(ahead) <= CLOCKS_AGREE:
        return text
    return (
        f"{text}. The clock of this host is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the SuperLink's;"
        " Flower allows 5 s ahead and 305 s behind. Synchronize them, as with chrony or systemd-timesyncd."
    )


def _moment(date: str | None) -> float:
    """Return the time that an answer carries; now, where it carries none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return time.time()


class Forgotten(logging.Handler):
    """Ends the process when Flower says that it forgets a message of which it has stored something."""

    def emit(self, record: logging.LogRecord) -> None:
        if FORGOTTEN in str(record.msg):
            print("Starting anew: Flower keeps a part of the message, and would be one reply late.", file=sys.stderr)
            # As systemd ends it: it says goodbye to the SuperLink first.
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the SuperNode as its command line says."""
    FLOWER_LOGGER.addHandler(Forgotten())
    # The connection imports the class by its name.
    fleet_http_connection.FleetHttpClient = Client
    quicken(PACE, "flwr.supernode.start_client_internal", "time.sleep(3)", "time.sleep(0.5)")
    read_in_larger_parts()  # what a ClientApp replies
    quicken_pulls(pull_objects, 2.0)  # all SuperNodes ask one SuperLink
    gc.collect()
    gc.freeze()  # what was imported stays, and need not be looked through with each message
    try:
        flower_supernode()
        print("Starting anew: Flower has given up the connection to the SuperLink.", file=sys.stderr)
    except SystemExit:
        raise  # how Flower ends on purpose, and then it sees to its threads
    except BaseException:  # of which Flower has one of its own, for a run that has ended
        traceback.print_exc()
    # The thread of the local API would keep the process, and systemd would see it active.
    os._exit(1)


if __name__ == "__main__":
    main()
