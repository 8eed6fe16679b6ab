# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which nodes are sent packed messages, and what they reply to them."""

from __future__ import annotations

from collections.abc import Iterable

from flwr.app import Error, Message, RecordDict
from flwr.app.message import make_message
from flwr.common.constant import SUPERLINK_NODE_ID

from .bound import Bound
from .flaws import plain
from .packing import NOT_READ, PACKED, PARTS, Made, PackingError, pack, unpack
from .publish import logger
from .pulling import REFUSED

# What a ClientApp of our own says that looks for arrays where they are before they are packed.
_NOT_FOUND = repr("arrays")


class Packer:
    """Packs messages to those nodes that unpack them, as far as is known of them."""

    def __init__(self, presumed: bool = False) -> None:
        self._presumed = presumed  # that a node unpacks which has not replied yet
        self._announced: set[int] = set()  # nodes that say that they unpack
        self._proved: set[int] = set()  # and have replied packed
        self._unable: set[int] = set()

    def pack(self, messages: Iterable[Message]) -> list[Message]:
        """Return the messages that go instead."""
        made: Made = {}
        given = list(messages)  # as long as it is there, an array is known by its identity
        return [
            _with_content(each, pack(each.content, made)) if self._packs_for(each.metadata.dst_node_id) else each
            for each in given
        ]

    def open(self, node: int, reply: Message, bound: Bound) -> Message:
        """Return a reply with its arrays, or an error in the place of one that is packed wrongly."""
        if not reply.has_content() or PACKED not in reply.content:
            return reply
        (self._proved if PARTS in reply.content else self._announced).add(node)
        try:
            reply.content = unpack(reply.content, bound)
        except PackingError as error:
            return make_message(reply.metadata, error=Error(REFUSED, str(error)))
        except Exception as error:  # whatever a client can send, it must not end the run
            return make_message(reply.metadata, error=Error(REFUSED, f"it cannot be read: {error}"))
        return reply

    def was_not_read(self, node: int, reply: Message) -> bool:
        """Tell whether a node has failed because it cannot unpack; from then on it is sent what it can read."""
        if not reply.has_error() or reply.metadata.src_node_id == SUPERLINK_NODE_ID or node in self._proved:
            return False
        reason = plain(reply.error.reason or "")
        # One that has announced it may have another mod before ours, which fails in a way of its own.
        if node not in self._announced and _NOT_FOUND not in reason and NOT_READ not in reason:
            return False
        logger.warning(
            "Node %d cannot read packed arrays, and is sent them one by one, which takes longer. It says: %s. Where its"
            " ClientApp has several mods, packed comes first.",
            node,
            reason,
        )
        self._unable.add(node)
        return True

    def _packs_for(self, node: int) -> bool:
        return node not in self._unable and (self._presumed or node in self._announced or node in self._proved)


def _with_content(message: Message, content: RecordDict) -> Message:
    about = message.metadata
    return Message(
        content,
        about.dst_node_id,
        about.message_type,
        ttl=about.ttl,
        group_id=about.group_id,
        dst_task_id=about.dst_task_id,
    )
