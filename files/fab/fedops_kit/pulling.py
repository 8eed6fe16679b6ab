# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Fetching replies from the SuperLink, without trusting any of them.

A reply is a tree of pieces. Flower's own grid fetches all of them, however many and large they are, waits for those
that are missing while it looks for no other reply, and takes from the reply itself who has sent it and what it answers.
Here a reply has as many bytes as the model gives reason for, one that is not there yet is left until the next look, and
the SuperLink says whose it is. What is wrong with one is its site's failure, and nobody else's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from flwr.app import Array, ArrayRecord, Error, Message
from flwr.app.message import make_message
from flwr.app.message.arraychunk import ArrayChunk
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.common.serde_utils import metadata_from_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest, PullObjectResponse
from flwr.proto.message_pb2 import Message as Announced
from flwr.proto.runtime_pb2 import PullAppMessagesRequest
from flwr.serverapp import Grid
from flwr.supercore.constant import FLWR_PRIVATE_MAX_CONCURRENT_OBJ_PULLS
from flwr.supercore.inflatable.inflatable_object import (
    InflatableObject,
    get_object_body,
    get_object_head_values_from_object_content,
    iterate_object_tree,
)
from flwr.supercore.inflatable.inflatable_utils import get_num_workers, inflate_object_from_contents

from .bound import PER_CHUNK, Bound
from .knowledge._config.sizing import said
from .mapped import record_of
from .publish import logger
from .scratch import Scratch, Spill, Spilled

REFUSED = 1000  # the code of an error that stands for a reply that was not taken; Flower's own end below
_CHUNK = "ArrayChunk"  # the kind of piece that holds numbers
_MOST_STRAYS = 100  # messages that nobody asked for, told and removed one by one


class _RefusedError(Exception):
    """A reply is not taken; the text says why."""


class _UnavailableError(Exception):
    """A piece of a reply will not come."""


@dataclass
class _Arriving:
    """A reply that is announced, and those of its pieces that are here."""

    announced: Announced
    missing: list[str]
    bound: Bound
    spill: Spill | None = None  # where they are put that hold numbers; None: they stay in memory
    pieces: dict[str, bytes | Spilled] = field(default_factory=dict)
    numbers: int = 0
    records: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)  # pieces are fetched from several threads

    @property
    def question(self) -> str:
        return self.announced.metadata.reply_to_message_id

    def take(self, name: str, content: bytes) -> None:
        """Take a piece; refuse the reply when it is more than there is reason for."""
        is_chunk = content.startswith(_CHUNK.encode())
        with self._lock:
            self.pieces[name] = self.spill.put(content) if self.spill and is_chunk else content
            self.numbers += len(content) if is_chunk else 0
            self.records += 0 if is_chunk else len(content)
            if self.numbers > self.bound.numbers + PER_CHUNK * len(self.pieces):
                raise _RefusedError(self._too_large())
            if self.records > self.bound.records:
                raise _RefusedError(f"it has more than {said(self.bound.records)} beside the numbers of its arrays")

    def unpacked(self, scratch: Scratch | None) -> Message:
        """Return the message that the pieces make."""
        if (size := self._unpacked_size()) > self.bound.numbers:
            raise _RefusedError(self._too_large())
        identifier = self.announced.metadata.message_id
        known = self._in_a_file(scratch, size) if scratch else {}
        pieces = {
            name: piece.read() if isinstance(piece, Spilled) else piece
            for name, piece in self.pieces.items()
            if not (known and isinstance(piece, Spilled))
        }
        self.pieces.clear()
        message = inflate_object_from_contents(identifier, pieces, objects=known)
        if not isinstance(message, Message):
            raise _RefusedError(f"it is a {type(message).__name__}, and no message")
        # The SuperLink has checked these; those in the message are its sender's own words.
        message.__dict__["_metadata"] = metadata_from_proto(self.announced.metadata)
        return message

    def _unpacked_size(self) -> int:
        """Return how many bytes the arrays will have: they may name the same piece any number of times."""
        size = sum(len(self.pieces[chunk]) for *dummy, chunks in self._arrays() for chunk in chunks)
        return size - PER_CHUNK * len(self.pieces)

    def _arrays(self) -> Iterator[tuple[str, Mapping[str, Any], list[str]]]:
        """Yield every array: its name among the pieces, what is said of it, and the pieces with its numbers."""
        for name, content, children in self._of_kind(Array):
            about = json.loads(get_object_body(content, Array))
            yield name, about, [children[number] for number in about["arraychunk_ids"]]

    def _of_kind(self, kind: type[Array | ArrayRecord]) -> Iterator[tuple[str, bytes, list[str]]]:
        for name, content in self.pieces.items():
            if not isinstance(content, Spilled):
                found, children, dummy = get_object_head_values_from_object_content(content)
                if found == kind.__qualname__:
                    yield name, content, children

    def _in_a_file(self, scratch: Scratch, size: int) -> dict[str, InflatableObject]:
        """Return the arrays and the records of them, with their numbers in a file; nothing where it has no room."""
        arrays = [
            (name, Array(about["dtype"], tuple(about["shape"]), about["stype"], b""), chunks)
            for name, about, chunks in self._arrays()
        ]
        mapped = scratch.keep([(about, map(self._numbers, chunks)) for dummy, about, chunks in arrays], size)
        if mapped is None:
            return {}
        made: dict[str, InflatableObject] = {name: array for (name, *dummy), array in zip(arrays, mapped, strict=True)}
        for name, content, dummy in list(self._of_kind(ArrayRecord)):
            named = json.loads(get_object_body(content, ArrayRecord))
            made[name] = record_of((key, cast(Array, made[array])) for key, array in named.items())
        return made

    def _numbers(self, chunk: str) -> bytes:
        piece = self.pieces[chunk]
        return get_object_body(piece.read() if isinstance(piece, Spilled) else piece, ArrayChunk)

    def _too_large(self) -> str:
        model = f"the model has {said(self.bound.model)}" if self.bound.model else "no model was asked for"
        return f"it is larger than {said(self.bound.numbers)}, and {model}"


class Fetching:
    """Fetches the replies of one exchange of messages."""

    def __init__(self, grid: Grid, bound: Bound, scratch: Scratch | None = None) -> None:
        self._grid = cast(Any, grid)
        self._run_id = grid.run.run_id
        self._bound = bound
        self._scratch = scratch  # where replies are put; None: they stay in memory
        self._arriving: list[_Arriving] = []
        self._known: set[str] = set()  # the messages whose replies were announced

    @property
    def is_under_way(self) -> bool:
        """Tell whether a reply is here in part."""
        return bool(self._arriving)

    def fetch(self, waited_for: Set[str]) -> list[Message]:
        """Return the replies that are complete by now, or an error in the place of one that is no good."""
        self._arriving = [each for each in self._arriving if each.question in waited_for]  # or it was given up
        replies = [*self._announced(waited_for)]
        for each in list(self._arriving):
            if (reply := self._advanced(each)) is not None:
                self._arriving.remove(each)
                self._confirm(each.announced)
                replies.append(reply)
        return replies

    def _announced(self, waited_for: Set[str]) -> Iterable[Message]:
        """Ask for announcements. One that is no answer to an open question is dropped, whoever made it."""
        asked = waited_for - self._known
        if not asked:
            return
        response = self._client.PullMessages(PullAppMessagesRequest(message_ids=asked))
        strays = 0
        for announced, tree in zip(response.messages_list, response.message_object_trees, strict=True):
            question = announced.metadata.reply_to_message_id
            if question not in asked or question in self._known:
                # A SuperNode can write to the ServerApp without being asked, in the name of the SuperLink.
                strays += 1
                if strays <= _MOST_STRAYS:
                    self._confirm(announced)
                continue
            self._known.add(question)
            arriving = _Arriving(announced, [], self._bound, Spill(self._scratch) if self._scratch else None)
            if (names := _names(tree, self._bound.pieces)) is None:
                self._confirm(announced)
                yield self._error(
                    arriving,
                    REFUSED,
                    f"it has more than {self._bound.pieces} pieces, and the model gives no reason for so many",
                )
                continue
            arriving.missing = names
            self._arriving.append(arriving)
        if strays:
            logger.warning("%d messages came that nobody was asked for. They are dropped.", strays)

    def _advanced(self, arriving: _Arriving) -> Message | None:
        """Fetch what is there of a reply; return it when it is complete, or an error."""
        try:
            if not self._fetched(arriving):
                return None
            return in_own_words(arriving.unpacked(self._scratch))
        except _UnavailableError as error:
            return self._error(arriving, ErrorCode.MESSAGE_UNAVAILABLE, str(error))
        except _RefusedError as error:
            return self._error(arriving, REFUSED, str(error))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            return self._error(arriving, REFUSED, f"it cannot be read: {error}")
        except Exception as error:
            if type(error).__module__.startswith("google."):  # of the decoder of messages
                return self._error(arriving, REFUSED, f"it cannot be read: {error}")
            raise

    def _fetched(self, arriving: _Arriving) -> bool:
        """Tell whether every piece is here; the first that is not there yet ends this try."""
        stop = threading.Event()

        def pull(name: str) -> None:
            if stop.is_set():
                return
            try:
                content = self._piece(name)
                if content is None:
                    stop.set()
                else:
                    arriving.take(name, content)
            except BaseException:
                stop.set()
                raise

        with ThreadPoolExecutor(get_num_workers(FLWR_PRIVATE_MAX_CONCURRENT_OBJ_PULLS)) as pool:
            pulls = [pool.submit(pull, name) for name in arriving.missing]
        for each in pulls:
            each.result()
        arriving.missing = [name for name in arriving.missing if name not in arriving.pieces]
        return not arriving.missing

    def _piece(self, name: str) -> bytes | None:
        request = PullObjectRequest(node=self._grid.node, run_id=self._run_id, object_id=name)
        response = cast(PullObjectResponse, self._client.PullObject(request))
        if not response.object_found:
            raise _UnavailableError("the reply was not sent completely before the SuperLink forgot it")
        return response.object_content if response.object_available else None

    def _confirm(self, announced: Announced) -> None:
        """Tell the SuperLink that it may forget a message."""
        self._client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(
                node=self._grid.node,
                run_id=self._run_id,
                message_object_id=announced.metadata.message_id,
            )
        )

    @property
    def _client(self) -> Any:
        return self._grid._runtime_client

    @staticmethod
    def _error(arriving: _Arriving, code: int, reason: str) -> Message:
        arriving.pieces.clear()
        return make_message(metadata_from_proto(arriving.announced.metadata), error=Error(code, reason))


def can_fetch(grid: Grid) -> bool:
    """Tell whether a grid fetches over the Runtime API; one that fetches in another way is asked to do so itself."""
    return hasattr(type(grid), "_runtime_client")


def in_own_words(reply: Message) -> Message:
    """Have an error of a site say no more than that it failed: it is not for a site to tell what Flower tells of it."""
    if reply.has_error() and reply.metadata.src_node_id != SUPERLINK_NODE_ID and reply.error.code in _NOT_A_SITES:
        reply.error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reply.error.reason)
    return reply


_NOT_A_SITES = (
    REFUSED,
    ErrorCode.MESSAGE_UNAVAILABLE,
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
    ErrorCode.NODE_UNAVAILABLE,
)


def _names(tree: ObjectTree, most: int) -> list[str] | None:
    """Return the pieces of a tree, each once; None when there are too many."""
    names: list[str] = []
    for count, piece in enumerate(iterate_object_tree(tree)):
        if count >= most:
            return None
        names.append(piece.object_id)
    return list(dict.fromkeys(names))
