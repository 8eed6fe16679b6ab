# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies fetched from a SuperLink that hands on whatever SuperNodes send: halves, bombs, and lies about the sender."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, Metadata, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.common.constant import ErrorCode
from flwr.common.serde_utils import metadata_to_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedResponse, ObjectTree, PullObjectRequest, PullObjectResponse
from flwr.proto.message_pb2 import Message as Announced
from flwr.proto.node_pb2 import NodeInfo
from flwr.proto.runtime_pb2 import PullAppMessagesRequest, PullAppMessagesResponse, PushAppMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_id, get_object_tree
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid.http_grid import HttpGrid

from fedops_kit import pulling
from fedops_kit.asked import STARTED_ANEW
from fedops_kit.bound import Bound
from fedops_kit.errors import SuperLinkLostError
from fedops_kit.grid import SteadyGrid
from fedops_kit.pulling import REFUSED, Fetching
from fedops_kit.scratch import Scratch

ALICE, BOB, SUPERLINK = 11, 22, 1
MODEL = Bound(4 * 8, 1, len("weight"))


def metadata(node: int, question: str, kind: str = "train") -> Metadata:
    return Metadata(
        run_id=7, message_id="", src_node_id=node, dst_node_id=SUPERLINK, message_type=kind, group_id="", ttl=60,
        reply_to_message_id=question, created_at=time.time(),
    )  # fmt: skip


def reply_of(node: int, content: RecordDict | Error | None = None, claims: Metadata | None = None) -> Message:
    if content is None:
        content = RecordDict({"arrays": ArrayRecord({"weight": Array(np.full(4, node))})})
    given = {"error": content} if isinstance(content, Error) else {"content": content}
    return make_message(claims or metadata(node, f"to-{node}"), **given)


class SuperLink:
    """The Runtime API, as far as the grid asks it: what is announced, and the pieces that are there."""

    def __init__(self, *replies: Message) -> None:
        self.announced: list[tuple[Announced, ObjectTree]] = []
        self.pieces: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.confirmed: list[str] = []
        self.activated = {ALICE: "before", BOB: "before"}
        for reply in replies:
            self.add(reply, reply.metadata.src_node_id)

    def add(self, reply: Message, node: int, question: str | None = None) -> None:
        """Announce a reply under what the SuperLink itself has checked."""
        pieces = {name: piece.deflate() for name, piece in get_all_nested_objects(reply).items()}
        checked = metadata(node, f"to-{node}" if question is None else question)
        self.announce(checked, reply.object_id, get_object_tree(reply), pieces)

    def announce(self, checked: Metadata, identifier: str, tree: ObjectTree, pieces: dict[str, bytes]) -> None:
        checked.__dict__["_message_id"] = identifier
        self.announced.append((Announced(metadata=metadata_to_proto(checked)), tree))
        self.pieces.update(pieces)

    def PullMessages(self, request: PullAppMessagesRequest) -> PullAppMessagesResponse:
        due = [
            each
            for each in self.announced
            if each[0].metadata.reply_to_message_id in set(request.message_ids) | {"", "elsewhere"}
        ]
        self.announced = [each for each in self.announced if each not in due]
        return PullAppMessagesResponse(
            messages_list=[message for message, dummy in due], message_object_trees=[tree for dummy, tree in due]
        )

    def PullObject(self, request: PullObjectRequest) -> PullObjectResponse:
        self.asked.append(request.object_id)
        content = self.pieces.get(request.object_id, b"")
        return PullObjectResponse(
            object_found=content is not None, object_available=bool(content), object_content=content or b""
        )

    def ConfirmMessageReceived(self, request: object) -> ConfirmMessageReceivedResponse:
        self.confirmed.append(request.message_object_id)
        return ConfirmMessageReceivedResponse()

    def PushMessages(self, request: object) -> PushAppMessagesResponse:
        for message in request.messages_list:
            for announced, dummy in self.announced:
                if announced.metadata.reply_to_message_id == f"to-{message.metadata.dst_node_id}":
                    announced.metadata.reply_to_message_id = message.metadata.message_id
        return PushAppMessagesResponse(message_ids=[each.metadata.message_id for each in request.messages_list])

    def PushObject(self, _request: object) -> None:
        raise NotImplementedError("it has them all")

    def GetNodes(self, _request: object) -> object:
        nodes = [NodeInfo(node_id=node, last_activated_at=moment) for node, moment in self.activated.items()]
        return type("Response", (), {"nodes": nodes})()

    def lose_pieces_of(self, reply: Message) -> dict[str, bytes]:
        return {name: self.pieces.pop(name) for name in get_all_nested_objects(reply) if name != reply.object_id}


@pytest.fixture
def grid() -> HttpGrid:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 7, SUPERLINK
    grid = HttpGrid(token="unused")
    grid.set_run(Run.create_empty(7))
    return grid


@pytest.fixture(params=["memory", "disk"])
def scratch(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch | None:
    """Where replies are put: whatever is wrong with one is told in the same words."""
    monkeypatch.setenv("FEDOPS_SCRATCH_DIR", str(tmp_path))
    return Scratch() if request.param == "disk" else None


@pytest.fixture
def fetch(grid: HttpGrid, scratch: Scratch | None) -> Callable[..., list[Message]]:
    """Fetch what a SuperLink has for Alice and Bob."""

    def fetched(superlink: SuperLink, bound: Bound = MODEL) -> list[Message]:
        grid._client = superlink
        return Fetching(grid, bound, scratch).fetch({"to-11", "to-22"})

    return fetched


def numbers(reply: Message) -> list[float]:
    return reply.content["arrays"]["weight"].numpy().tolist()


def told(reply: Message) -> tuple[int, int, str]:
    return reply.metadata.src_node_id, reply.error.code, reply.error.reason


def test_replies_are_fetched_whole_and_confirmed(fetch) -> None:
    alice, bob = reply_of(ALICE), reply_of(BOB)
    superlink = SuperLink(alice, bob)
    assert [(reply.metadata.src_node_id, numbers(reply)) for reply in fetch(superlink)] == [
        (ALICE, [ALICE] * 4),
        (BOB, [BOB] * 4),
    ]
    assert superlink.confirmed == [alice.object_id, bob.object_id]


@pytest.mark.parametrize(("answers", "comes"), [(1, True), (6, True), (7, False)])
def test_a_superlink_whose_database_is_busy_is_asked_again(grid, monkeypatch, answers: int, comes: bool) -> None:
    superlink, busy = SuperLink(reply_of(ALICE)), [500] * answers
    look = superlink.PullMessages

    def locked(request: PullAppMessagesRequest) -> PullAppMessagesResponse:
        if busy:
            asked = httpx.Request("POST", "https://superlink/v1/runtime/pull-messages")
            raise httpx.HTTPStatusError("locked", request=asked, response=httpx.Response(busy.pop(), request=asked))
        return look(request)

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    superlink.PullMessages = locked
    grid._client = superlink
    steady = SteadyGrid(grid, 1)
    if comes:
        assert [numbers(reply) for reply in steady.send_and_receive(asked_of(ALICE))] == [[ALICE] * 4]
    else:
        with pytest.raises(SuperLinkLostError, match="The SuperLink was lost: locked"):
            steady.send_and_receive(asked_of(ALICE))


def asked_of(*nodes: int) -> list[Message]:
    content = RecordDict({"arrays": ArrayRecord({"weight": Array(np.zeros(4))}), "config": ConfigRecord()})
    return [Message(content, dst_node_id=node, message_type="train") for node in nodes]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedops_kit.asked._GRACE", 0.2)
    monkeypatch.setattr("fedops_kit.grid._LONGEST_PAUSE", 0.02)


@pytest.mark.usefixtures("quick")
def test_a_reply_whose_sender_was_started_anew_is_given_up(grid) -> None:
    alice, bob = reply_of(ALICE), reply_of(BOB)
    superlink = grid._client = SuperLink(alice, bob)
    superlink.lose_pieces_of(bob)
    steady = SteadyGrid(grid, 1)
    look = superlink.PullMessages

    def look_and_restart(request: PullAppMessagesRequest) -> PullAppMessagesResponse:
        superlink.activated[BOB] = "now"
        return look(request)

    superlink.PullMessages = look_and_restart
    whole, lost = steady.send_and_receive(asked_of(ALICE, BOB), timeout=30)
    assert numbers(whole) == [ALICE] * 4
    assert (lost.error.code, lost.error.reason) == (ErrorCode.NODE_UNAVAILABLE, STARTED_ANEW)
    assert lost.metadata.src_node_id == BOB


@pytest.mark.usefixtures("quick")
def test_a_slow_sender_holds_nobody_up_and_may_come_last(grid) -> None:
    alice, bob = reply_of(ALICE), reply_of(BOB)
    superlink = grid._client = SuperLink(bob, alice)
    late = superlink.lose_pieces_of(bob)
    confirm = superlink.ConfirmMessageReceived

    def confirm_and_send(request: object) -> ConfirmMessageReceivedResponse:
        superlink.pieces.update(late)  # only when Alice's reply is here
        return confirm(request)

    superlink.ConfirmMessageReceived = confirm_and_send
    replies = list(SteadyGrid(grid, 1).send_and_receive(asked_of(ALICE, BOB), timeout=30))
    assert [numbers(reply)[0] for reply in replies] == [ALICE, BOB]


@pytest.mark.usefixtures("quick")
def test_a_sender_that_never_ends_is_waited_for_until_the_timeout(grid) -> None:
    bob = reply_of(BOB)
    superlink = grid._client = SuperLink(bob, reply_of(ALICE))
    superlink.lose_pieces_of(bob)
    begin = time.monotonic()
    (reply,) = SteadyGrid(grid, 1).send_and_receive(asked_of(ALICE, BOB), timeout=0.5)
    assert numbers(reply) == [ALICE] * 4
    assert time.monotonic() - begin < 5


def test_a_reply_that_the_superlink_has_forgotten_is_an_error(fetch) -> None:
    bob = reply_of(BOB)
    superlink = SuperLink(bob)
    superlink.pieces.update(dict.fromkeys(superlink.lose_pieces_of(bob)))
    (error,) = fetch(superlink)
    assert told(error)[:2] == (BOB, ErrorCode.MESSAGE_UNAVAILABLE)


def test_the_superlink_says_who_sent_a_reply_and_what_it_answers(fetch) -> None:
    forged = reply_of(BOB, claims=metadata(ALICE, "to-11", "evaluate"))
    superlink = SuperLink()
    superlink.add(forged, BOB)
    (reply,) = fetch(superlink)
    said = reply.metadata
    assert (said.src_node_id, said.reply_to_message_id, said.message_type) == (BOB, "to-22", "train")


@pytest.mark.parametrize("question", ["", "elsewhere"])
def test_a_message_that_nobody_asked_for_is_no_reply(fetch, caplog, question: str) -> None:
    superlink = SuperLink(reply_of(ALICE))
    for number in range(3):  # in the name of the SuperLink, as Flower lets every SuperNode do
        superlink.add(
            reply_of(BOB, RecordDict({"arrays": ArrayRecord({"weight": Array(np.full(4, number))})})), 1, question
        )
    (reply,) = fetch(superlink)
    assert numbers(reply) == [ALICE] * 4
    assert len(superlink.confirmed) == 4
    assert "3 messages came that nobody was asked for" in caplog.text


def test_a_second_reply_to_one_question_is_none(fetch) -> None:
    superlink = SuperLink(reply_of(ALICE), reply_of(BOB))
    superlink.add(reply_of(99), 99, "to-11")
    assert [numbers(reply)[0] for reply in fetch(superlink)] == [ALICE, BOB]


def large(size: int) -> RecordDict:
    arrays = {"weight": Array(np.zeros(4)), "more": Array(np.random.default_rng(1).random(size // 8))}
    return RecordDict({"arrays": ArrayRecord(arrays)})


def test_a_reply_that_is_too_large_is_left_after_a_few_pieces(fetch) -> None:
    bob = reply_of(BOB, large(120 << 20))
    superlink = SuperLink(bob, reply_of(ALICE))
    superlink.announced.reverse()
    alice, refused = fetch(superlink)
    assert numbers(alice) == [ALICE] * 4
    assert told(refused) == (BOB, REFUSED, "it is larger than 17 MB, and the model has 1 MB")
    fetched = sum(len(superlink.pieces[name]) for name in superlink.asked)
    assert fetched < 40 << 20
    assert bob.object_id in superlink.confirmed  # so that the SuperLink forgets the rest


def test_a_piece_that_is_named_again_and_again_is_not_multiplied(fetch) -> None:
    """An array lists its pieces by number: 5 MB, a hundred times."""
    honest = reply_of(BOB, RecordDict({"arrays": ArrayRecord({"weight": Array(np.zeros(600_000))})}))
    pieces = {name: piece.deflate() for name, piece in get_all_nested_objects(honest).items()}
    names = list(pieces)
    array = next(name for name in names if pieces[name].startswith(b"Array "))
    swapped = swap(pieces, array, pieces[array], b'"arraychunk_ids": [0]', b'"arraychunk_ids": [' + b"0, " * 99 + b"0]")
    superlink = SuperLink()
    superlink.announce(metadata(BOB, "to-22"), *swapped)
    (refused,) = fetch(superlink)
    assert told(refused) == (BOB, REFUSED, "it is larger than 17 MB, and the model has 1 MB")


def swap(pieces: dict[str, bytes], name: str, content: bytes, old: bytes, new: bytes) -> tuple:
    """Change a piece, and the names of all those above it, as whoever sends them can."""
    assert old in content
    changed, renamed = {}, {}
    for each, body in pieces.items():  # children come first
        for before, after in renamed.items():
            body = body.replace(before.encode(), after.encode())
        if each == name:
            body = body.replace(old, new)
        head, rest = body.split(b"\0", 1)
        kind, children, _size = head.split(b" ")
        body = b" ".join([kind, children, str(len(rest)).encode()]) + b"\0" + rest
        renamed[each] = get_object_id(body)
        changed[renamed[each]] = body
    tree = ObjectTree(object_id=list(changed)[-1])
    for each in list(changed)[:-1]:
        tree.children.append(ObjectTree(object_id=each))
    return list(changed)[-1], tree, changed


@pytest.mark.parametrize(
    "content",
    [
        Error(2, "\x1b[2J" + "x" * 27_000_000),
        RecordDict({"metrics": MetricRecord({f"metric {number}": 1.0 for number in range(100_000)})}),
        RecordDict({"site": ConfigRecord({"site": "x" * 30_000_000})}),
        RecordDict({"arrays": ArrayRecord({"x" * 3_000_000: Array(np.zeros(1))})}),
    ],
    ids=["reason", "metrics", "site", "name"],
)
def test_what_is_no_model_is_small(fetch, content: RecordDict | Error) -> None:
    (refused,) = fetch(SuperLink(reply_of(BOB, content)))
    assert told(refused)[:2] == (BOB, REFUSED)
    assert told(refused)[2].startswith("it has more than 2 MB beside the numbers of its arrays")


def test_a_reply_of_many_pieces_is_not_fetched_at_all(fetch) -> None:
    arrays = ArrayRecord({str(number): Array(np.full(1, number)) for number in range(500)})
    bob = reply_of(BOB, RecordDict({"arrays": arrays}))
    superlink = SuperLink(bob)
    (refused,) = fetch(superlink)
    assert told(refused)[:2] == (BOB, REFUSED)
    assert superlink.asked == []


@pytest.mark.parametrize(
    ("begins", "old", "new"),
    [
        (b"Message ", b"Message ", b"Context "),
        (b"Message ", b"Message ", b"RecordDict "),
        (b"RecordDict ", b"RecordDict ", b"Array "),
        (b"RecordDict ", b'{"arrays"', b'["arrays"'),
        (b"RecordDict ", b'{"arrays"', b"[" * 100_000),
        (b"ArrayRecord ", b'{"weight"', b'{"weight": 3, "x"'),
        (b"Array ", b'"shape": [4]', b'"shape": 4'),
        (b"Array ", b'"shape": [4]', b'"shape": [4.5]'),
        (b"Array ", b'"arraychunk_ids": [0]', b'"arraychunk_ids": [7]'),
        (b"Array ", b'"arraychunk_ids": [0]', b'"arraychunk_ids": [-1, true]'),
        (b"Array ", b'"arraychunk_ids": [0]', b'"arraychunk_ids": {}'),
        (b"Array ", b'"arraychunk_ids": [0]', b'"arraychunk": 1e999'),
        (b"Array ", b'"dtype": "int64"', b'"dtype": null'),
    ],
)
def test_a_reply_that_cannot_be_unpacked_is_its_senders_failure_alone(fetch, begins, old, new) -> None:
    bob = reply_of(BOB)
    pieces = {name: piece.deflate() for name, piece in get_all_nested_objects(bob).items()}
    name = next(name for name, content in pieces.items() if content.startswith(begins))
    superlink = SuperLink()
    superlink.announce(metadata(BOB, "to-22"), *swap(pieces, name, pieces[name], old, new))
    superlink.add(reply_of(ALICE), ALICE)
    replies = {reply.metadata.src_node_id: reply for reply in fetch(superlink)}
    assert numbers(replies[ALICE]) == [ALICE] * 4
    if replies[BOB].has_error():
        assert told(replies[BOB])[:2] == (BOB, REFUSED)


@pytest.mark.parametrize("code", [3, 4, 5, REFUSED])
def test_a_site_cannot_say_what_only_flower_knows(fetch, code: int) -> None:
    bob, lost = reply_of(BOB, Error(code, "Node Unavailable")), reply_of(1, Error(5, "Node Unavailable"))
    superlink = SuperLink(bob)
    superlink.add(lost, 1, "to-11")
    assert [told(reply) for reply in fetch(superlink)] == [
        (BOB, ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "Node Unavailable"),
        (1, ErrorCode.NODE_UNAVAILABLE, "Node Unavailable"),
    ]


def test_what_a_reply_may_have_follows_from_what_was_asked() -> None:
    train = asked_of(ALICE)
    assert Bound.of(train) == Bound(160, 1, 6)
    evaluate = [Message(train[0].content, dst_node_id=ALICE, message_type="evaluate")]
    assert Bound.of(evaluate) == Bound.of([]) == Bound(0)


@pytest.mark.parametrize(("arrays", "size"), [(1, 10**9), (400, 10**5), (62, 10**6), (3, 0)])
def test_the_bound_takes_a_model_of_doubles(arrays: int, size: int) -> None:
    bound = Bound(arrays * size, arrays, 40 * arrays)
    chunks = arrays * -(-2 * size // (5 << 20))
    assert bound.numbers >= 2 * arrays * size
    assert bound.pieces >= 6 + arrays + chunks
    assert bound.records >= arrays * (300 + 40 + 80) + 80 * chunks


def test_a_grid_that_fetches_in_another_way_is_asked_to() -> None:
    assert not pulling.can_fetch(object())
