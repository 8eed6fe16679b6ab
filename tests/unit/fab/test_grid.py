# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grid around Flower's grid."""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.supercore.inflatable.inflatable_utils import ObjectPushError
from flwr.superlink.grid.http_grid import HttpGrid
from simulated import SimulatedGrid

from fedops_kit.errors import RunFailedError, SuperLinkLostError
from fedops_kit.grid import SteadyGrid, give_back_memory


@pytest.fixture
def inner(tmp_path: Path) -> SimulatedGrid:
    return SimulatedGrid({77: "b", 5: "c", 99: "a"}, tmp_path)


def asked(grid: SimulatedGrid) -> list[Message]:
    config = ConfigRecord({"server-round": 1})
    return [Message(RecordDict({"config": config}), dst_node_id=node, message_type="train") for node in grid.sites]


def test_nodes_come_in_the_order_of_their_names(inner: SimulatedGrid) -> None:
    grid = SteadyGrid(inner, 1)
    assert list(grid.get_node_ids()) == [99, 77, 5]
    assert [node.name for node in grid.get_nodes()] == ["a", "b", "c"]


def test_nodes_without_a_name_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    grid = SteadyGrid(SimulatedGrid({77: "", 5: "", 99: ""}, tmp_path), 1)
    assert list(grid.get_node_ids()) == [5, 77, 99]


def test_a_node_that_is_not_in_the_record_of_root_is_asked_nothing(
    inner: SimulatedGrid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record = tmp_path / "supernodes.json"
    monkeypatch.setenv("FEDOPS_REGISTRY", str(record))
    grid = SteadyGrid(inner, 1)
    assert list(grid.get_node_ids()) == [99, 77, 5]  # without a record

    def register(*nodes: int) -> None:
        record.write_text(json.dumps({"supernodes": [{"name": f"n{node}", "node_id": str(node)} for node in nodes]}))

    register(5, 77, 88)
    assert [list(grid.get_node_ids()) for _look in range(2)] == [[77, 5]] * 2
    assert [line for line in caplog.messages if "Node 99 is online but none of" in line] == caplog.messages
    assert len(caplog.messages) == 1
    register(5, 77, 88, 99)
    assert list(grid.get_node_ids()) == [99, 77, 5]


def test_every_reply_is_returned_once(inner: SimulatedGrid) -> None:
    replies = SteadyGrid(inner, 1).send_and_receive(asked(inner), timeout=5)
    assert sorted(reply.metadata.src_node_id for reply in replies) == [5, 77, 99]


def test_the_timeout_ends_a_round_with_the_replies_that_came(inner: SimulatedGrid) -> None:
    inner.silent = {"b"}
    begin = time.monotonic()
    replies = SteadyGrid(inner, 1).send_and_receive(asked(inner), timeout=0.3)
    assert len(list(replies)) == 2
    assert time.monotonic() - begin < 5


@pytest.fixture
def restarting(inner: SimulatedGrid, monkeypatch: pytest.MonkeyPatch) -> SteadyGrid:
    """A grid on which the SuperNode of b is started anew as soon as it was asked."""
    monkeypatch.setattr("fedops_kit.asked._GRACE", 0.3)
    monkeypatch.setattr("fedops_kit.grid._LONGEST_PAUSE", 0.1)
    inner.activated["b"] = "2026-11-25T20:00:00+00:00"
    push = inner.push_messages

    def push_and_restart(messages: Iterable[Message]) -> Iterable[str]:
        ids = push(messages)
        inner.activated["b"] = "2026-11-25T20:00:09+00:00"
        return ids

    monkeypatch.setattr(inner, "push_messages", push_and_restart)
    return SteadyGrid(inner, 1)


def test_a_node_that_was_started_anew_is_not_waited_for_until_the_timeout(inner, restarting) -> None:
    inner.silent = {"b"}
    replies = list(restarting.send_and_receive(asked(inner), timeout=60))
    assert sorted(reply.metadata.src_node_id for reply in replies) == [5, 77, 99]
    (lost,) = (reply for reply in replies if reply.has_error() and reply.metadata.src_node_id == 77)
    assert lost.error.code == ErrorCode.NODE_UNAVAILABLE
    assert lost.error.reason == "the SuperNode was started anew, and what it was working at is lost"


def test_a_node_that_was_started_anew_before_it_took_the_message_up_may_answer(inner, restarting) -> None:
    inner.silent = {"b"}
    messages, pull, looks = asked(inner), inner.pull_messages, []

    def pull_and_answer_late(message_ids: set[str]) -> Iterable[Message]:
        looks.append(len(set(message_ids)))
        if len(looks) == 2:
            inner.silent = set()
            inner._deliver(next(message for message in messages if message.metadata.dst_node_id == 77))
        return pull(message_ids)

    inner.pull_messages = pull_and_answer_late
    replies = list(restarting.send_and_receive(messages, timeout=60))
    assert looks == [3, 1]
    (answer,) = (reply for reply in replies if reply.metadata.src_node_id == 77)
    assert answer.error.code != ErrorCode.NODE_UNAVAILABLE  # of the ClientApp, which has no data here


@pytest.mark.parametrize("verb", ["get_nodes", "push_messages", "pull_messages"])
@pytest.mark.parametrize(
    "error", [httpx.ConnectTimeout("_ssl.c:975: The handshake operation timed out"), ObjectPushError("0a", 1, "s")]
)
def test_a_superlink_that_is_lost_is_not_the_fault_of_the_app(inner, monkeypatch, verb, error) -> None:
    def lose(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(inner, verb, lose)
    with pytest.raises(SuperLinkLostError, match=r"^The SuperLink was lost: ") as caught:
        SteadyGrid(inner, 1).send_and_receive(asked(inner), timeout=1)
    assert caught.value.reason == "superlink_lost"


def test_an_outage_is_counted_where_flowers_client_tries_again() -> None:
    real = HttpGrid("127.0.0.1:1", insecure=True, token="token")
    grid = SteadyGrid(real, 1)
    invoker, tries = real._retry_invoker, []
    assert real._runtime_client._retry_invoker is invoker  # what every request of the grid goes through
    invoker.wait_function = lambda seconds: None

    def ask() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise httpx.ConnectError("refused")
        return "an answer"

    assert invoker.invoke(ask) == "an answer"
    assert grid.outages == 2
    assert invoker.invoke(ask) == "an answer"
    assert grid.outages == 2


def test_whose_the_earlier_replies_of_a_round_are_stays_known(inner: SimulatedGrid) -> None:
    grid = SteadyGrid(inner, 1)
    first = list(grid.send_and_receive(asked(inner)[:2], timeout=5))
    list(grid.send_more(asked(inner)[2:], timeout=5))
    for reply in first:
        reply.metadata.__dict__["_src_node_id"] = 1  # as where the SuperLink answers in a node's place
    assert {grid.node_of(reply) for reply in first} == {77, 5}


def test_no_message_needs_no_waiting(inner: SimulatedGrid) -> None:
    assert list(SteadyGrid(inner, 1).send_and_receive([], timeout=None)) == []


def test_the_wait_returns_how_many_are_online(inner: SimulatedGrid) -> None:
    assert SteadyGrid(inner, 1).wait_for_nodes(2) == 3


def test_the_wait_has_a_budget(inner: SimulatedGrid) -> None:
    with pytest.raises(RunFailedError, match=r"^Only 3 of 4 SuperNodes were online after 0.1 seconds"):
        SteadyGrid(inner, 0.1).wait_for_nodes(4)


def test_looking_at_nodes_outside_a_wait_never_fails(inner: SimulatedGrid) -> None:
    grid = SteadyGrid(inner, 0)
    grid.wait_for_nodes(1)
    grid.send_and_receive([], timeout=1)
    assert len(list(grid.get_node_ids())) == 3


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_free_memory_is_given_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    pieces = [bytearray(100_000) for dummy in range(2000)]  # too small to be mapped one by one
    last = pieces.pop()  # what lies above the others holds them, when they are free, where they are
    pieces.clear()
    before = resident()
    give_back_memory()
    assert before - resident() > 100 * 10**6
    assert len(last) == 100_000


def test_memory_is_given_back_after_every_message(inner: SimulatedGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr("fedops_kit.grid.give_back_memory", lambda: given.append(1))
    list(SteadyGrid(inner, 1).send_and_receive(asked(inner), timeout=5))
    assert len(given) == 2  # the three replies arrive together
