# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher of a SuperNode whose site has agreed to a number of trainings, killed and started again."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flwr.app import ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message.message import make_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import PullMessagesRequest, PullMessagesResponse, PushMessagesRequest, PushMessagesResponse
from flwr.proto.message_pb2 import PullObjectRequest, PullObjectResponse, PushObjectRequest, PushObjectResponse
from flwr.proto.run_pb2 import GetRunRequest, GetRunResponse, Run
from flwr.supercore.inflatable.inflatable_object import get_object_tree

LAUNCHER = Path(__file__).parents[3] / "roles" / "supernode" / "files" / "flower-supernode.py"
NODE = 11


class SuperLink:
    """One that has messages of runs, and says of each run what it is told to say."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.over: set[int] = set()
        self.waiting: list[Message] = []
        self.replies: list[Message] = []
        self.pieces: list[PushObjectRequest] = []
        self.deaths: list[str] = []  # what it is asked for when it dies

    def __call__(self, request: httpx.Request) -> httpx.Response:
        word = request.url.path.rpartition("/")[2]
        if self.deaths and self.deaths[0] == word:
            self.deaths.pop(0)
            raise httpx.ConnectError("the SuperLink is gone")
        answer = getattr(self, word.replace("-", "_"))(request.content)
        if answer is None:
            return httpx.Response(403, json={"code": 2007})
        return httpx.Response(200, content=answer.SerializeToString())

    def pull_messages(self, _content: bytes) -> PullMessagesResponse:
        if not self.waiting:
            return PullMessagesResponse()
        message = self.waiting.pop(0)
        return PullMessagesResponse(
            messages_list=[message_to_proto(message)], message_object_trees=[get_object_tree(message)]
        )

    def get_run(self, content: bytes) -> GetRunResponse | None:
        run_id = GetRunRequest.FromString(content).run_id
        return None if run_id in self.over else GetRunResponse(run=self.runs[run_id])

    def push_messages(self, content: bytes) -> PushMessagesResponse:
        request = PushMessagesRequest.FromString(content)
        self.replies.append(message_from_proto(request.messages_list[0]))
        wanted = [request.message_object_trees[0].object_id]
        return PushMessagesResponse(objects_to_push=wanted, session_id="1")

    def push_object(self, content: bytes) -> PushObjectResponse:
        self.pieces.append(PushObjectRequest.FromString(content))
        return PushObjectResponse(stored=True)

    def pull_object(self, content: bytes) -> PullObjectResponse:
        number = int(PullObjectRequest.FromString(content).object_id)
        piece = ConfigRecord({"server-round": number}).deflate() if number else b"ConfigRecord nothing of the kind"
        return PullObjectResponse(object_found=True, object_available=True, object_content=piece)

    def submit(self, run_id: int, **config: str | int) -> None:
        run = Run(run_id=run_id)
        for key, value in config.items():
            kind = "string" if isinstance(value, str) else "sint64"
            setattr(run.override_config[key.replace("_", "-")], kind, value)
        self.runs[run_id] = run

    def ask(self, run_id: int) -> None:
        metadata = Metadata(run_id, "", 1, NODE, "", "", time.time(), 60.0, "train")
        made = make_message(metadata, RecordDict())
        metadata.__dict__["_message_id"] = made.object_id
        self.waiting.append(made)


@pytest.fixture
def superlink(tmp_path, monkeypatch) -> SuperLink:
    monkeypatch.chdir(tmp_path)
    found = SuperLink()
    for run_id, name in enumerate(("digits", "digits", "other"), 1):
        found.submit(run_id, training_name=name, num_server_rounds=3)
    return found


@pytest.fixture
def signals(monkeypatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number) if pid == os.getpid() else None)
    return sent


@contextmanager
def started(superlink: SuperLink, agreed: int = 1) -> Iterator[Any]:
    """Start a process of the SuperNode; whatever happened before, it knows only what is written."""
    launcher = runpy.run_path(str(LAUNCHER))
    kind = launcher["Client"]
    kind.sessions = launcher["agreement"](agreed)
    with kind.from_server_address("superlink:9092", True, None, []) as client:
        client._client = httpx.Client(transport=httpx.MockTransport(superlink))
        yield client


def asked(superlink: SuperLink, client: Any, run_id: int, number: int = 0) -> bool:
    """Ask for a round of a run; tell whether the SuperNode takes it up."""
    superlink.ask(run_id)
    response = client.PullMessages(PullMessagesRequest())
    if number and response.messages_list:
        client.PullObject(PullObjectRequest(run_id=run_id, object_id=str(number)))
    return bool(response.messages_list)


def look(client: Any) -> None:
    client._settled = -float("inf")
    assert not client.PullMessages(PullMessagesRequest()).messages_list


def test_a_site_serves_the_training_that_it_agreed_to_through_kills_and_then_leaves(superlink, signals, capsys) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1, 1)
        assert asked(superlink, client, 1, 2)
        look(client)
    with started(superlink) as client:  # killed
        superlink.over.add(1)  # and so was the ServerApp: run 2 goes on with it
        look(client)
        assert asked(superlink, client, 2, 2)
        assert asked(superlink, client, 2, 3)
        look(client)
        assert signals == []
        assert asked(superlink, client, 2, 3)  # the last evaluation
        superlink.over.add(2)
        look(client)
        assert signals == [signal.SIGTERM]
    for _boot in range(2):
        with pytest.raises(SystemExit) as end, started(superlink):
            raise AssertionError("it has left")
        assert end.value.code == 77
        assert "agreed to one training (supernode_leave_after_sessions), and has taken part in digits." in (
            capsys.readouterr().err
        )
    with started(superlink, 2) as client:
        assert asked(superlink, client, 3)


def test_one_training_more_is_refused_with_a_reply_and_the_one_that_was_agreed_to_goes_on(superlink, signals) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1, 1)
        assert not asked(superlink, client, 3)
        assert superlink.replies[0].error.reason == "this site has agreed to one training, and this is one more"
        assert superlink.replies[0].metadata.run_id == 3
        assert [piece.object_id for piece in superlink.pieces] == [superlink.replies[0].metadata.message_id]
    with started(superlink) as client:
        assert not asked(superlink, client, 3)
        assert asked(superlink, client, 1, 2)
    assert signals == []


def test_a_kill_between_count_and_reply_counts(superlink) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1)
    with started(superlink) as client:
        assert not asked(superlink, client, 3)


@pytest.mark.parametrize("word", ["get-run", "push-messages", "push-object"])
def test_a_superlink_that_dies_while_it_is_asked_loses_no_message(superlink, word) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1)
        client.PullMessages(PullMessagesRequest())
        superlink.deaths = [word]
        with pytest.raises(httpx.ConnectError):
            asked(superlink, client, 3)
        assert not client.PullMessages(PullMessagesRequest()).messages_list  # as Flower tries again
        assert superlink.replies[-1].error.code == 1000
        assert superlink.waiting == []
        assert client.PullMessages(PullMessagesRequest()) == PullMessagesResponse()


def test_a_run_that_is_over_when_it_is_asked_about_counts_nothing(superlink) -> None:
    superlink.over.add(3)
    with started(superlink) as client:
        assert not asked(superlink, client, 3)
        assert superlink.replies == []
        assert asked(superlink, client, 1)


def test_a_superlink_that_cannot_say_ends_nothing(superlink, signals) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1, 3)
        superlink.deaths = ["get-run"]
        look(client)
    assert signals == []


def test_a_piece_that_says_no_round_is_left_to_the_app(superlink) -> None:
    with started(superlink) as client:
        assert asked(superlink, client, 1)
        client.PullObject(PullObjectRequest(run_id=1, object_id="0"))
        assert client.sessions.taken[0].reached == 0


def test_a_site_that_agreed_to_all_counts_nothing(superlink, tmp_path) -> None:
    with started(superlink, 0) as client:
        for run_id in (1, 2, 3):
            assert asked(superlink, client, run_id, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_be_read_keeps_the_supernode_off(superlink, tmp_path, capsys) -> None:
    (tmp_path / "sessions.json").write_text("{")
    with pytest.raises(SystemExit) as end, started(superlink):
        raise AssertionError("nobody knows what was agreed to")
    assert end.value.code == 77
    assert f"{tmp_path}/sessions.json cannot be read" in capsys.readouterr().err


def test_the_program_ends_with_the_status_that_keeps_it_off(tmp_path) -> None:
    (tmp_path / "sessions.json").write_text(
        '{"agreed": 3, "taken": [{"training": "digits", "rounds": 3, "run": 1, "ended": true}]}'
    )
    done = subprocess.run(
        [sys.executable, str(LAUNCHER)],
        cwd=tmp_path,
        env={**os.environ, "SUPERNODE_LEAVE_AFTER_SESSIONS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1][:29]) == (77, "This SuperNode has left: its ")
