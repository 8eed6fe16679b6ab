# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher of the SuperNode, held against the real SuperNode when a run is stopped at a bad moment."""

from __future__ import annotations

import gc
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from flwr.app import Message, Metadata, RecordDict
from flwr.app.message.message import make_message
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    ActivateNodeResponse,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PullMessagesResponse,
    PushMessagesRequest,
)
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, PushObjectRequest, PushObjectResponse
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.supercore.inflatable import inflatable_utils
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.logger import FLOWER_LOGGER
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.run import Run, RunNotRunningException
from flwr.supernode import fleet_http_connection
from flwr.supernode import start_client_internal as flower
from flwr.supernode.nodestate import NodeStateFactory
from uvicorn.protocols.http import httptools_impl

LAUNCHER = Path(__file__).parents[3] / "roles" / "supernode" / "files" / "flower-supernode.py"
RUN, NODE = 7, 11
PULLS = inflatable_utils.pull_objects.__kwdefaults__


@pytest.fixture
def signals(monkeypatch) -> Iterator[list[int]]:
    """Let the launcher listen, and return the signals that it sends to its own process."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number) if pid == os.getpid() else None)
    handler = runpy.run_path(str(LAUNCHER))["Forgotten"]()
    FLOWER_LOGGER.addHandler(handler)
    yield sent
    FLOWER_LOGGER.removeHandler(handler)


@pytest.fixture
def supernode() -> Any:
    """The state of a SuperNode that knows a run."""
    state = NodeStateFactory(ObjectStoreFactory()).state()
    state.set_node_id(NODE)
    state.store_run(Run.create_empty(RUN))
    return state


def refuse(*_arguments: object) -> None:
    raise RunNotRunningException


def message() -> Message:
    metadata = Metadata(RUN, "", 1, NODE, "", "1", time.time(), 60.0, "train")
    made = make_message(metadata, RecordDict())
    metadata.__dict__["_message_id"] = made.object_id
    return made


def pull(state: Any, receive: Any, confirm: Any = lambda *_: None) -> int | None:
    """Have the SuperNode take up what the SuperLink has for it."""

    def content(_run: int, wanted: str) -> bytes:
        return get_all_nested_objects(receive()[0])[wanted].deflate()

    return flower._pull_and_store_message(
        state=state,
        object_store=ObjectStoreFactory().store(),
        node_config={},
        receive=receive,
        get_run=refuse,
        get_fab=refuse,
        pull_object=content,
        confirm_message_received=confirm,
        trusted_entities=None,
    )


def test_a_run_that_stops_while_its_message_comes_ends_the_process(supernode, signals) -> None:
    sent = message()
    assert pull(supernode, lambda: (sent, get_object_tree(sent)), refuse) is None
    # Should this fail, then Flower tidies up by now, and the launcher has had its time.
    assert supernode.get_messages_legacy(is_reply=False) != []
    assert signals == [signal.SIGTERM]


def test_a_run_that_stops_before_its_message_comes_ends_nothing(supernode, signals) -> None:
    assert pull(supernode, refuse) is None
    assert supernode.get_messages_legacy(is_reply=False) == []
    assert signals == []


def test_a_message_that_comes_whole_ends_nothing(supernode, signals) -> None:
    sent = message()
    assert pull(supernode, lambda: (sent, get_object_tree(sent))) == RUN
    assert signals == []


def test_a_reply_that_nobody_wants_any_more_ends_nothing(signals) -> None:
    """The SuperNode forgets it as a whole."""
    FLOWER_LOGGER.info("Run ID %s is not in `RUNNING` status. Ignoring reply message %s.", RUN, "0a")
    assert signals == []


def test_a_reply_whose_clientapp_has_died_is_given_up(monkeypatch, caplog) -> None:
    launcher = runpy.run_path(str(LAUNCHER))
    monkeypatch.setitem(launcher["Awaited"].get.__globals__, "MISSED", 0.2)
    monkeypatch.setattr(flower, "_push_messages", flower._push_messages)
    monkeypatch.setattr(flower, "time", SimpleNamespace(sleep=lambda _seconds: time.sleep(0.02)))
    launcher["await_pieces"](flower.__name__, "_push_messages")
    store = ObjectStoreFactory().store()
    reply = message()
    reply.metadata.__dict__["_reply_to_message_id"] = "0a"
    reply.metadata.__dict__["_message_id"] = reply.object_id
    tree = get_object_tree(reply)
    store.preregister(RUN, tree)  # a ClientApp has announced it, and sends nothing more
    forgotten: list[str] = []

    def forget(message_ids: list[str]) -> None:
        forgotten.extend(message_ids)

    state = SimpleNamespace(
        get_messages_legacy=lambda is_reply: [reply],
        get_message_processing_duration=lambda message_id: 1.0,
        delete_messages=forget,
    )
    flower._push_messages(state, store, lambda *_: ({reply.object_id}, "session"), lambda *_: None)
    assert "its ClientApp has sent no more of it for 0.2 s, and is taken for dead" in caplog.text
    assert forgotten == [reply.metadata.message_id, "0a"]
    assert store.get(reply.object_id) is None  # nothing of it is left


def test_another_release_of_flower_sends_replies_by_itself(monkeypatch, capsys) -> None:
    def push(state: Any, send: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(flower, "_push_messages", push)
    runpy.run_path(str(LAUNCHER))["await_pieces"](flower.__name__, "_push_messages")
    assert flower._push_messages is push
    assert "This release of Flower sends replies in another way" in capsys.readouterr().err


def test_the_connection_of_flower_uses_the_client_of_the_launcher(monkeypatch) -> None:
    used = []

    def flower_supernode() -> None:
        used.append(fleet_http_connection.FleetHttpClient)
        sys.exit()

    monkeypatch.setattr("flwr.supernode.cli.flower_supernode", flower_supernode)
    original = fleet_http_connection.FleetHttpClient
    monkeypatch.setattr(fleet_http_connection, "FleetHttpClient", original)  # and put it back at the end
    monkeypatch.setattr(flower, "time", time)
    monkeypatch.setattr(inflatable_utils.pull_objects, "__kwdefaults__", dict(PULLS))
    monkeypatch.setattr(httptools_impl, "HIGH_WATER_LIMIT", 65536)
    monkeypatch.setattr(gc, "freeze", lambda: used.append(gc))
    handlers = list(FLOWER_LOGGER.handlers)
    try:
        launcher = runpy.run_path(str(LAUNCHER))
        with pytest.raises(SystemExit):
            launcher["main"]()
    finally:
        FLOWER_LOGGER.handlers[:] = handlers
    assert flower.time is launcher["PACE"]
    assert inflatable_utils.pull_objects.__kwdefaults__["backoff_cap"] == 2
    assert used == [gc, launcher["Client"]]
    assert httptools_impl.HIGH_WATER_LIMIT == 1 << 20
    assert issubclass(launcher["Client"], original)


class SuperLink:
    """What a SuperLink makes of a node: it activates none that it takes for online."""

    def __init__(self) -> None:
        self.online = False
        self.said: list[str] = []
        self.awaited = {"piece"}
        self.deaths: list[Exception] = []
        self.refusal: httpx.Response | None = None
        self.busy = 0  # how many times yet
        self.waiting: list[ProtoMessage] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        word = request.url.path.rpartition("/")[2]
        self.said.append(word)
        if self.busy:
            self.busy -= 1
            return httpx.Response(500, text="database is locked")
        if self.refusal:
            return self.refusal
        if word == "push-object":
            return self.store(PushObjectRequest.FromString(request.content))
        if word == "confirm-message-received":
            return httpx.Response(200, content=b"")
        if word in ("pull-messages", "push-messages"):
            return httpx.Response(200, content=PullMessagesResponse(messages_list=self.waiting).SerializeToString())
        if word == "deactivate-node":
            assert DeactivateNodeRequest.FromString(request.content).node_id == NODE
            self.online = False
            return httpx.Response(200, content=b"")
        if self.online:
            return httpx.Response(412, json={"code": 2004, "detail": "Failed to activate SuperNode."})
        self.online = True
        return httpx.Response(200, content=ActivateNodeResponse(node_id=NODE).SerializeToString())

    def store(self, request: PushObjectRequest) -> httpx.Response:
        """Take a piece that is still awaited, as Flower does; die now and then before the answer."""
        stored = request.object_id in self.awaited
        self.awaited.discard(request.object_id)
        if self.deaths:
            raise self.deaths.pop()
        return httpx.Response(200, content=PushObjectResponse(stored=stored).SerializeToString())


@pytest.fixture
def superlink(tmp_path, monkeypatch) -> SuperLink:
    monkeypatch.chdir(tmp_path)
    return SuperLink()


@contextmanager
def connected(superlink: SuperLink) -> Iterator[Any]:
    kind = runpy.run_path(str(LAUNCHER))["Client"]
    with kind.from_server_address("superlink:9092", True, None, []) as client:
        client._client = httpx.Client(transport=httpx.MockTransport(superlink))
        yield client


def push(client: Any, session: str = "1") -> bool:
    return client.PushObject(PushObjectRequest(session_id=session, object_id="piece", object_content=b"")).stored


def activate(superlink: SuperLink) -> int:
    """Start a process of the SuperNode: one that connects."""
    with connected(superlink) as client:
        return client.ActivateNode(ActivateNodeRequest(public_key=b"key", heartbeat_interval=30)).node_id


def test_a_process_says_goodbye_for_the_one_before_it_that_was_killed(superlink) -> None:
    assert activate(superlink) == NODE
    assert activate(superlink) == NODE
    assert superlink.said == ["activate-node", "activate-node", "deactivate-node", "activate-node"]


def test_a_process_that_ended_in_peace_needs_no_goodbye(superlink) -> None:
    activate(superlink)
    superlink.online = False
    activate(superlink)
    assert superlink.said == ["activate-node"] * 2


def test_a_node_that_was_never_here_is_not_sent_away(superlink) -> None:
    """Somebody else has its key: Flower's refusal stands."""
    superlink.online = True
    with pytest.raises(httpx.HTTPStatusError):
        activate(superlink)
    assert superlink.said == ["activate-node"]


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (0, None),
        (None, None),
        (3600, r"36\d\d s ahead of the SuperLink's; .* Synchronize"),
        (-3600, r"3[56]\d\d s behind the SuperLink's"),
    ],
)
def test_a_supernode_that_is_refused_says_why(superlink, capsys, ahead, said) -> None:
    headers = {} if ahead is None else {"date": formatdate(time.time() - ahead, usegmt=True)}
    superlink.refusal = httpx.Response(401, json={"detail": "Invalid SuperNode authentication"}, headers=headers)
    with pytest.raises(httpx.HTTPStatusError):
        activate(superlink)
    told = capsys.readouterr().err
    assert 'refuses this SuperNode: 401 {"detail":"Invalid SuperNode authentication"}' in told
    assert re.search(said, told) if said else "clock" not in told


def test_a_run_that_is_over_is_no_refusal(superlink, capsys) -> None:
    superlink.refusal = httpx.Response(412, json={"code": 2002})
    with connected(superlink) as client, pytest.raises(httpx.HTTPStatusError):
        push(client)
    assert capsys.readouterr().err == ""


def test_a_piece_that_was_taken_before_the_gateway_died_counts_as_sent(superlink) -> None:
    superlink.deaths = [httpx.ReadError("the gateway is gone")]
    with connected(superlink) as client:
        with pytest.raises(httpx.ReadError):
            push(client)
        assert push(client) is True


def test_a_piece_that_is_refused_is_refused(superlink) -> None:
    superlink.awaited = set()
    with connected(superlink) as client:
        assert push(client) is False
        superlink.deaths = [httpx.ReadError("the gateway is gone")]
        with pytest.raises(httpx.ReadError):
            push(client)
        assert push(client, "another session") is False


@pytest.fixture
def slept(monkeypatch) -> list[float]:
    """What would have been slept, by a clock that stands still but for that."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + sum(pauses))
    return pauses


@pytest.mark.parametrize(("answers", "stored"), [(1, True), (6, True), (7, None)])
def test_a_piece_is_sent_again_to_a_superlink_whose_database_is_busy(superlink, slept, answers, stored) -> None:
    superlink.busy = answers
    with connected(superlink) as client:
        if stored:
            assert push(client) is True
        else:
            with pytest.raises(httpx.HTTPStatusError, match="500"):
                push(client)
    assert superlink.said == ["push-object"] * min(answers + 1, 7)
    assert sum(slept) < 20


def test_a_piece_that_was_stored_by_a_superlink_that_answers_500_counts_as_sent(superlink, slept) -> None:
    superlink.busy, superlink.awaited = 1, set()
    with connected(superlink) as client:
        assert push(client) is True


@pytest.mark.parametrize(
    ("method", "request_type", "word"),
    [
        ("PullMessages", PullMessagesRequest, "pull-messages"),
        ("PushMessages", PushMessagesRequest, "push-messages"),
        ("ConfirmMessageReceived", ConfirmMessageReceivedRequest, "confirm-message-received"),
    ],
)
def test_a_message_is_asked_for_sent_and_confirmed_again_too(superlink, slept, method, request_type, word) -> None:
    superlink.busy = 2
    with connected(superlink) as client:
        getattr(client, method)(request_type())
    assert superlink.said == [word] * 3


def test_no_piece_of_a_reply_is_lost_to_a_superlink_that_answers_500_and_503(superlink, slept, monkeypatch) -> None:
    """Flower's own loop over the pieces: it asks again after 503, and the launcher after 500."""
    pieces = {f"piece {number}": str(number).encode() for number in range(20)}
    superlink.awaited = set(pieces)
    answers = iter([500, 503, 200] * 100)
    stored = superlink.store

    def now_and_then(request: PushObjectRequest) -> httpx.Response:
        code = next(answers)
        return stored(request) if code == 200 else httpx.Response(code)

    monkeypatch.setattr(superlink, "store", now_and_then)
    invoker = make_simple_http_retry_invoker()
    kept: dict[str, bool] = {}

    def push_piece(name: str, content: bytes) -> None:
        request = PushObjectRequest(session_id="1", object_id=name, object_content=content)
        kept[name] = invoker.invoke(client.PushObject, request).stored

    with connected(superlink) as client:
        inflatable_utils.push_object_contents_from_iterable(pieces.items(), push_piece)
    assert kept == dict.fromkeys(pieces, True)
    assert superlink.awaited == set()
    assert len(superlink.said) == 60


def paused(pace: Any, seconds: float, slept: list[float]) -> float:
    pace.sleep(seconds)
    return slept.pop()


def test_a_pause_is_short_after_something_has_happened_and_grows_with_the_wait(slept) -> None:
    pace = runpy.run_path(str(LAUNCHER))["Pace"]()
    assert 2.4 <= paused(pace, 3, slept) <= 3.6  # nothing has happened yet
    pace.happened()
    assert 0.24 <= paused(pace, 3, slept) <= 0.36
    assert 0.04 <= paused(pace, 0.5, slept) <= 0.06
    slept.append(10)  # later
    assert 0.8 <= paused(pace, 3, slept) <= 1.2
    slept.append(100)
    assert 2.4 <= paused(pace, 3, slept) <= 3.6
    assert len({paused(pace, 3, slept) for _look in range(20)}) > 10  # not all at the same time


def test_what_a_supernode_receives_and_sends_makes_its_pauses_short(superlink, slept) -> None:
    with connected(superlink) as client:
        pace = client.PullMessages.__func__.__globals__["PACE"]
        client.PullMessages(PullMessagesRequest())
        assert paused(pace, 3, slept) > 2  # nothing was there
        superlink.waiting = [ProtoMessage()]
        client.PullMessages(PullMessagesRequest())
        assert paused(pace, 3, slept) < 0.5
        slept.append(100)
        client.PushMessages(PushMessagesRequest())
        assert paused(pace, 3, slept) < 0.5
        slept.append(100)
        push(client)
        assert paused(pace, 3, slept) < 0.5


def test_pieces_are_asked_for_sooner_and_for_as_long_as_ever() -> None:
    def pull(*, initial_backoff: float = 1, backoff_cap: float = 10, max_tries_per_object: int = 500) -> None:
        raise NotImplementedError

    runpy.run_path(str(LAUNCHER))["quicken_pulls"](pull, 2.0)
    assert pull.__kwdefaults__ == {"initial_backoff": 0.2, "backoff_cap": 2.0, "max_tries_per_object": 2500}


def test_another_release_of_flower_waits_by_itself(monkeypatch, capsys) -> None:
    launcher = runpy.run_path(str(LAUNCHER))
    monkeypatch.setattr(flower, "time", time)
    launcher["quicken"](launcher["Pace"](), flower.__name__, "time.sleep(3)", "time.sleep(2.5)")
    assert flower.time is time

    def pull(*, initial_backoff: float = 2) -> None:
        raise NotImplementedError

    launcher["quicken_pulls"](pull, 1.0)
    assert pull.__kwdefaults__ == {"initial_backoff": 2}
    assert capsys.readouterr().err.splitlines() == [
        "This release of Flower pauses in another way (flwr.supernode.start_client_internal). That is left to it.",
        "This release of Flower pulls in another way (pull). That is left to it.",
    ]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("raise OSError('it cannot sleep')", 1, "OSError: it cannot sleep"),
        ("raise RunNotRunningException", 1, "RunNotRunningException"),
        ("return", 1, "Flower has given up the connection"),
        ("sys.exit(3)", 3, ""),
    ],
)
def test_the_end_of_the_main_thread_ends_the_process_whatever_threads_it_has(tmp_path, end, code, said) -> None:
    """Flower ends its threads when it exits on purpose, as it does here."""
    script = tmp_path / "launch.py"
    script.write_text(
        "import runpy, sys, threading\n"
        "from flwr.supercore.run import RunNotRunningException\n"
        "from flwr.supernode import cli\n"
        "def flower_supernode():\n"
        f"    threading.Thread(target=threading.Event().wait, daemon={end.startswith('sys.exit')}).start()\n"
        f"    {end}\n"
        "cli.flower_supernode = flower_supernode\n"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert said in done.stderr
