# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies that were sent to a half, fetched by Flower's own grid from a SuperLink that has what it is given."""

from __future__ import annotations

import time

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedResponse, PullObjectRequest, PullObjectResponse
from flwr.proto.runtime_pb2 import PullAppMessagesRequest, PullAppMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.run import Run
from flwr.superlink.grid.http_grid import HttpGrid

from fedops_app.pulling import STARTED_ANEW, give_up_on_half_sent

ALICE, BOB = 11, 22


def reply_of(node: int) -> Message:
    metadata = Metadata(
        run_id=7,
        message_id="",
        src_node_id=node,
        dst_node_id=1,
        message_type="train",
        group_id="",
        ttl=60,
        reply_to_message_id=f"to-{node}",
        created_at=time.time(),
    )
    message = make_message(metadata, RecordDict({"arrays": ArrayRecord([np.full(4, node)])}))
    metadata.__dict__["_message_id"] = message.object_id
    return message


class SuperLink:
    """The Runtime API, as far as the grid asks it: what is announced, and the pieces that are there."""

    def __init__(self, *replies: Message) -> None:
        self.replies = replies
        self.pieces = {
            name: piece.deflate() for reply in replies for name, piece in get_all_nested_objects(reply).items()
        }
        self.asked = 0

    def PullMessages(self, _request: PullAppMessagesRequest) -> PullAppMessagesResponse:
        return PullAppMessagesResponse(
            messages_list=[message_to_proto(reply) for reply in self.replies],
            message_object_trees=[get_object_tree(reply) for reply in self.replies],
        )

    def PullObject(self, request: PullObjectRequest) -> PullObjectResponse:
        self.asked += 1
        content = self.pieces.get(request.object_id)
        return PullObjectResponse(
            object_found=True, object_available=content is not None, object_content=content or b""
        )

    def ConfirmMessageReceived(self, _request: object) -> ConfirmMessageReceivedResponse:
        return ConfirmMessageReceivedResponse()

    def lose_pieces_of(self, reply: Message) -> dict[str, bytes]:
        return {name: self.pieces.pop(name) for name in get_all_nested_objects(reply) if name != reply.object_id}


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> HttpGrid:
    monkeypatch.setattr("fedops_app.pulling._PATIENCE", 0.2)
    grid = HttpGrid(token="unused")
    grid.set_run(Run.create_empty(7))
    return grid


def test_a_reply_whose_sender_was_started_anew_is_given_up(grid) -> None:
    alice, bob = reply_of(ALICE), reply_of(BOB)
    superlink = grid._client = SuperLink(alice, bob)
    superlink.lose_pieces_of(bob)
    give_up_on_half_sent(grid, lambda: {BOB})
    begin = time.monotonic()
    whole, lost = grid.pull_messages(["to-11", "to-22"])
    assert time.monotonic() - begin < 10
    assert whole.content["arrays"].to_numpy_ndarrays()[0].tolist() == [ALICE] * 4
    assert lost.error.code == ErrorCode.MESSAGE_UNAVAILABLE
    assert STARTED_ANEW in lost.error.reason
    assert lost.metadata.reply_to_message_id == "to-22"


def test_a_slow_sender_is_waited_for_whoever_else_was_started_anew(grid) -> None:
    bob = reply_of(BOB)
    superlink = grid._client = SuperLink(bob)
    late = superlink.lose_pieces_of(bob)

    def started_anew() -> set[int]:
        superlink.pieces.update(late)  # it arrives while the nodes are looked at
        return {ALICE}

    give_up_on_half_sent(grid, started_anew)
    (reply,) = grid.pull_messages(["to-22"])
    assert not reply.has_error()
    assert superlink.asked > len(superlink.pieces)


def test_a_grid_that_fetches_in_another_way_stays_as_it_is() -> None:
    other = object()
    give_up_on_half_sent(other, set)
    assert not hasattr(other, "_client")
