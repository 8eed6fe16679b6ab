# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperNode, and sees to nine things that Flower 1.41 leaves undone.

A SuperNode that was killed is online to the SuperLink until its heartbeats are missed, for up to a minute, and until
then the SuperLink refuses to activate the next process with its key. That process says goodbye for the one before it.

A reply goes to the SuperLink in pieces. When nginx or the SuperLink dies after it has taken a piece and before it says
so, the piece is sent again, and refused: it is there already. Flower then drops the reply, and the ServerApp waits for
the rest of it for three minutes. Such a piece counts as sent.

When a run is stopped while its message is being received, the SuperNode leaves the function ``_pull_and_store_message``
without removing the half that it has stored. A ClientApp begins with that half, and from there on the SuperNode, which
sends whatever reply there is, is one reply late: every round waits for its timeout. All of that is in its memory alone,
and its identity is its key: nothing is lost by ending it, and systemd starts it anew.

A ClientApp that is killed while it replies has left a message whose pieces never come. Flower waits for them for ever,
and its SuperNode, which is online, takes part in nothing any more. Here the reply is given up after a while.

A SuperLink whose database is busy answers 500 to a message or a piece of one, and Flower drops the message with all
its pieces, or ends. Here it is sent, or asked for, again.

An error that Flower does not try again at, like a certificate that is not valid by this host's clock, ends its main
thread, with an exception or with a line in the log. The thread of its local API keeps the process, which does nothing
any more. It is ended.

A SuperNode that is refused ends without a word. Here it says what the SuperLink answered, and whether clocks differ.

Between two looks for a message, a reply or a piece of one, Flower waits as long in the middle of a round as when
nothing has happened for days. Here it waits a tenth as long at first, and as long as ever after a while.

A site may have agreed to a number of trainings. They are counted here, and after them the SuperNode stays off.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import logging
import math
import os
import random
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx
from flwr.app import ConfigRecord, Error, Message
from flwr.common.serde import message_from_proto, message_to_proto, user_config_from_proto
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
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.supercore.logger import FLOWER_LOGGER
from flwr.supernode import fleet_http_connection
from flwr.supernode.cli import flower_supernode
from flwr.supernode.fleet_http_client import FleetHttpClient

NODE_ID = Path("node-id")  # in the directory that this SuperNode alone writes to
FORGOTTEN = "Ignoring message %s"
LOOK = 30.0  # seconds between two questions whether trainings have ended
REFUSED = 1000  # the code of an error that is none of Flower's
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


# begin: sessions (tools/generate.py copies it from sessions.py)
AGREED = "SUPERNODE_LEAVE_AFTER_SESSIONS"  # the variable in its environment that says how many
HAS_LEFT = 77  # the exit status of one that has taken part in all of them, and that systemd does not start again
SESSIONS_FILE = "sessions.json"  # in the directory that a SuperNode alone writes to
MESSAGES = 4  # for each round: to train and to evaluate, and both again where a training was interrupted
PATIENCE = 24 * 3600.0  # seconds in which a training that was interrupted goes on
# How a run names its training and the rounds of that, to our app and to one that has our kit.
_TRAINING = ("training-name", "fedops.training-name")
_ROUNDS = ("num-server-rounds", "fedops.num-server-rounds")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def said_by(config: Mapping[str, Any]) -> tuple[str, int]:
    """Return the name and the rounds of a training, as a run says them; empty and 0 where it does not."""
    training = next((config[key] for key in _TRAINING if isinstance(config.get(key), str)), "")
    rounds = next((config[key] for key in _ROUNDS if _is_whole(config.get(key))), 0)
    return training, rounds


@dataclass
class Session:
    """A training in which the site takes part: a run, and those that go on with it."""

    training: str  # its name; empty where the run says none
    rounds: int  # as many as the run that began it has asked for; 0 where it has not said
    run: int  # the latest
    messages: int = 0
    reached: int = 0  # the latest round that was asked for
    heard: float = 0.0
    ended: bool = False

    def has(self, run: int, training: str, rounds: int) -> bool:
        """Tell whether a run belongs to it, by what the SuperLink says and by what was agreed to.

        That asks for no more rounds, not again for all of them, and for no more messages than that takes.
        """
        if self.ended or (self.rounds and self.messages >= MESSAGES * self.rounds):
            return False
        goes_on = bool(training) and training == self.training and 0 < rounds <= self.rounds
        return run == self.run or (goes_on and self.reached < self.rounds)


@dataclass
class Agreement:
    """The trainings in which a site has taken part, and the number that it has agreed to."""

    agreed: int
    taken: list[Session] = field(default_factory=list)

    @classmethod
    def from_text(cls, text: str) -> Agreement:
        """Return what was written; ValueError where it cannot have been."""
        try:
            found = json.loads(text)
            read = cls(found["agreed"], [Session(**each) for each in found["taken"]])
        except (KeyError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from None
        kinds: dict[str, Any] = {"training": str, "heard": (int, float), "ended": bool}
        fields = [(kinds.get(name, int), value) for each in read.taken for name, value in vars(each).items()]
        if not all(isinstance(value, kind) for kind, value in [(int, read.agreed), *fields]):
            raise ValueError("a value is of another type")
        if not all(_NAME.fullmatch(each.training or "none") for each in read.taken):
            raise ValueError("a name is none of a training")
        return read

    @classmethod
    def resumed(cls, agreed: int, path: str) -> tuple[Agreement, str]:
        """Return what was counted up to now, and why the site takes part in nothing more, if it does not."""
        found = cls(agreed)
        try:
            with open(path, encoding="utf-8") as stream:
                found.taken = cls.from_text(stream.read()).taken
        except FileNotFoundError:
            return found, ""
        except ValueError as error:
            return found, f"{os.path.abspath(path)} cannot be read ({error}). Remove it to count trainings anew."
        if not found.is_over:
            return found, ""
        found.write(path)
        return found, found.farewell

    def write(self, path: str) -> None:
        """Write it so that whoever reads it, after a loss of power as well, has the old text or the new one, whole."""
        with open(f"{path}.new", "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(f"{path}.new", path)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @property
    def is_over(self) -> bool:
        """Tell whether the site has taken part in as many trainings as it has agreed to, to the end of each."""
        return len(self.taken) >= self.agreed and all(each.ended for each in self.taken)

    @property
    def limit(self) -> str:
        return "one training" if self.agreed == 1 else f"{self.agreed} trainings"

    @property
    def farewell(self) -> str:
        """Say that the site has left, and how it goes on."""
        names = ", ".join(each.training or f"run {each.run}" for each in self.taken)
        return (
            f"This SuperNode has left: its site has agreed to {self.limit} (supernode_leave_after_sessions),"
            f" and has taken part in {names}. It stays off. To go on, set a larger number, and run fedops.flower.join"
            " or fedops.flower.site again."
        )

    def take(self, run: int, training: str, rounds: int, now: float) -> bool:
        """Count a message of a run; tell whether the site has agreed to it. Rounds are 0 where nobody knows."""
        known = training if rounds > 0 and _NAME.fullmatch(training) else ""
        found = next((each for each in reversed(self.taken) if each.has(run, known, rounds)), None)
        if not found:
            if len(self.taken) >= self.agreed:
                return False
            found = Session(known, rounds if known else 0, run)
            self.taken.append(found)
        found.run, found.heard = run, now
        found.messages += 1
        return True

    def reach(self, run: int, number: int) -> bool:
        """Note the round that a run asks for; tell whether that is news."""
        found = next((each for each in reversed(self.taken) if each.run == run and not each.ended), None)
        if not found or number <= found.reached:
            return False
        found.reached = number
        return True

    def settle(self, runs: Callable[[int], bool | None], now: float) -> bool:
        """Close what has ended; tell whether there is news. ``runs`` says whether a run is running, None for unknown.

        A training that was interrupted, or in whose last rounds this site has no part, looks alike: each may go on.
        """
        news = False
        for each in self.taken:
            running = None if each.ended else runs(each.run)
            if running:
                if now - each.heard > PATIENCE / 24:
                    each.heard, news = now, True
            elif running is False and (each.reached >= each.rounds or now - each.heard > PATIENCE):
                each.ended = news = True
        return news


# end: sessions


# begin: refusals (tools/generate.py copies it from refusals.py)
CLOCKS_AGREE = 3.0  # seconds; an answer tells whole ones, and has taken a while


def refusal(response: Any) -> str:
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


# end: refusals


# begin: replies (tools/generate.py copies it from replies.py)
MISSED = 60.0  # seconds without a piece of a reply; Flower misses a ClientApp that says nothing after as many
_TAKES = ("state", "object_store", "send", "push_object")  # what Flower's function that sends replies takes


class Awaited:
    """A store of pieces, in which those of a reply are waited for only while some come."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._waits: float | None = None  # since when

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, object_id: str) -> bytes | None:
        """Return a piece, or nothing while it is still to come."""
        content: bytes | None = self._store.get(object_id)
        now = time.monotonic()
        self._waits = None if content != b"" else now if self._waits is None else self._waits
        if self._waits is not None and now - self._waits > MISSED:
            raise TimeoutError(f"its ClientApp has sent no more of it for {MISSED:g} s, and is taken for dead")
        return content


def await_pieces(module: str, name: str) -> None:
    """Have a function of Flower that sends replies give up what no ClientApp sends, where it is the one we know."""
    found = importlib.import_module(module)
    push = getattr(found, name, None)
    if push is None or tuple(inspect.signature(push).parameters) != _TAKES:
        sys.stderr.write(f"This release of Flower sends replies in another way ({module}). That is left to it.\n")
        return

    def pushed(state: Any, object_store: Any, send: Any, push_object: Any) -> None:
        push(state, Awaited(object_store), send, push_object)

    vars(found)[name] = pushed


# end: replies


# begin: loopback (tools/generate.py copies it from loopback.py)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXY = re.compile("(https?|all)_proxy", re.IGNORECASE)


def keep_loopback(environment: MutableMapping[str, str]) -> None:
    """Have the loopback reached without the proxy of an environment: no proxy would find that of this host."""
    if not any(value and PROXY.fullmatch(name) for name, value in environment.items()):
        return
    given = {name: environment.get(name) or environment.get(name.swapcase()) or "" for name in ("no_proxy", "NO_PROXY")}
    for name, text in given.items():
        kept = [entry.strip() for entry in str(text).split(",") if entry.strip()]
        environment[name] = ",".join([*kept, *(address for address in LOOPBACK if address not in kept)])


# end: loopback


PACE = Pace()


class Client(FleetHttpClient):
    """Flower's client of the SuperLink, for a SuperLink, a gateway and a process before this one that may die."""

    sessions: Agreement | None = None  # None where the site takes part in every training

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._unanswered: set[tuple[str, str]] = set()  # pieces that were sent and not confirmed
        self._pulled: PullMessagesResponse | None = None  # which the site may not agree to
        self._news, self._settled = False, -math.inf  # what is to be written, and when it was last looked at

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
        if self.sessions and (self._news or time.monotonic() - self._settled > LOOK):
            self._settle(self.sessions, request.node)
        response = self._pulled or patiently(super().PullMessages, request)
        if response.messages_list:
            PACE.happened()
            if self.sessions:
                self._pulled = response  # what is asked below may fail, and the SuperLink sends no message twice
                response = self._agreed(self.sessions, request.node, response)
                self._pulled = None
        return response

    def _agreed(self, sessions: Agreement, node: Node, pulled: PullMessagesResponse) -> PullMessagesResponse:
        """Return a message if the site has agreed to its training; refuse it otherwise, and return none."""
        message, run_id = pulled.messages_list[0], pulled.messages_list[0].metadata.run_id
        try:
            answer = patiently(super().GetRun, GetRunRequest(node=node, run_id=run_id))
            if sessions.take(run_id, *said_by(user_config_from_proto(answer.run.override_config)), time.time()):
                sessions.write(SESSIONS_FILE)
                return pulled
            self._refuse(sessions, node, message)
        except httpx.HTTPStatusError as error:
            if not _is_no_more(error):
                raise
        return PullMessagesResponse()

    def _refuse(self, sessions: Agreement, node: Node, asked: Any) -> None:
        """Answer a message with an error, which the ServerApp gets in the place of a reply."""
        why = f"this site has agreed to {sessions.limit}, and this is one more"
        print(f"A message of run {asked.metadata.run_id} is refused: {why}.", file=sys.stderr)
        reply = Message(Error(REFUSED, why), reply_to=message_from_proto(asked))
        reply.metadata.__dict__["_message_id"] = reply.object_id
        request = PushMessagesRequest(node=node, clientapp_runtime_list=[0.0])
        request.messages_list.append(message_to_proto(reply))
        request.message_object_trees.append(get_object_tree(reply))
        answer, pieces = self.PushMessages(request), get_all_nested_objects(reply)
        for name in answer.objects_to_push:
            piece = PushObjectRequest(node=node, run_id=asked.metadata.run_id, session_id=answer.session_id)
            piece.object_id, piece.object_content = name, pieces[name].deflate()
            self.PushObject(piece)

    def _settle(self, sessions: Agreement, node: Node) -> None:
        """Look which trainings have ended; when all have, leave."""

        def is_running(run_id: int) -> bool | None:
            try:
                super(Client, self).GetRun(GetRunRequest(node=node, run_id=run_id))
            except httpx.HTTPError as error:
                return False if _is_no_more(error) else None
            return True

        if sessions.settle(is_running, time.time()) or self._news:
            sessions.write(SESSIONS_FILE)
        self._news, self._settled = False, time.monotonic()
        if sessions.is_over:
            # systemd starts the next process, which sees the same, and is the last.
            os.kill(os.getpid(), signal.SIGTERM)

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
        response = patiently(super().PullObject, request)
        if self.sessions:  # several threads pull: it is written before the next message
            self._news |= self.sessions.reach(request.run_id, round_in(response.object_content))
        return response


def _is_no_more(error: httpx.HTTPError) -> bool:
    """Tell whether the SuperLink says that a run is not running, or not its own."""
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == HTTPStatus.FORBIDDEN


def round_in(piece: bytes) -> int:
    """Return the round that a piece of a message is of; 0 where it says none."""
    number = None
    with suppress(Exception):  # it may be anything, and is for the ClientApp to read
        number = ConfigRecord.inflate(piece).get("server-round") if piece.startswith(b"ConfigRecord ") else None
    return number if isinstance(number, int) else 0


def agreement(number: int) -> Agreement | None:
    """Return what the site has agreed to, with what it has taken part in so far; end here when that is all of it."""
    if not number:
        return None
    sessions, told = Agreement.resumed(number, SESSIONS_FILE)
    if told:
        print(told, file=sys.stderr)
        sys.exit(HAS_LEFT)
    return sessions


class Forgotten(logging.Handler):
    """Ends the process when Flower says that it forgets a message of which it has stored something."""

    def emit(self, record: logging.LogRecord) -> None:
        if FORGOTTEN in str(record.msg):
            print("Starting anew: Flower keeps a part of the message, and would be one reply late.", file=sys.stderr)
            # As systemd ends it: it says goodbye to the SuperLink first.
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the SuperNode as its command line says."""
    keep_loopback(os.environ)  # a SuperLink of this very host
    Client.sessions = agreement(int(os.environ.get(AGREED) or 0))
    FLOWER_LOGGER.addHandler(Forgotten())
    fleet_http_connection.FleetHttpClient = Client  # the connection imports the class by its name
    quicken(PACE, "flwr.supernode.start_client_internal", "time.sleep(3)", "time.sleep(0.5)")
    await_pieces("flwr.supernode.start_client_internal", "_push_messages")
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
