# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What was asked in one exchange, and whose answer will not come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Set

from flwr.app import Error, Message
from flwr.app.message.message import remove_content_from_message
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from .bound import Bound
from .packer import Packer

STARTED_ANEW = "the SuperNode was started anew, and what it was working at is lost"
_GRACE = 5.0  # seconds that a SuperNode which was started anew has beyond what the others took


class Asked:
    """The messages of one exchange, and which of them are lost because their SuperNode was started anew.

    What a SuperNode has taken up is in its memory alone. Flower waits for its reply until the timeout all the same: to
    the SuperLink the node is online, and one that restarts within its heartbeats has never been away.
    """

    def __init__(self, grid: Grid, messages: Iterable[Message], packer: Packer) -> None:
        self._grid = grid
        self._packer = packer
        self._messages = list(messages)
        self.bound = Bound.of(self._messages)  # of the replies
        self.count = len(self._messages)
        self._open: dict[str, Message] = {}  # without content
        self._given: dict[str, Message] = {}  # what was packed, by the message that went instead
        self.addressees: dict[str, int] = {}  # by message
        self._activated = {} if not self._messages else self._activations()
        self._restarted: dict[str, float] = {}
        self._slowest = 0.0  # seconds until the last reply so far

    def push(self) -> set[str]:
        """Send them; return the ids of those that were accepted."""
        messages, self._messages = self._messages, []
        accepted = self._push(messages)
        self._begin = time.monotonic()
        return accepted

    def _push(self, messages: list[Message]) -> set[str]:
        going = self._packer.pack(messages)
        accepted: set[str] = set()
        for message_id, message, sent in zip(self._grid.push_messages(going), messages, going, strict=True):
            if not message_id:
                continue
            accepted.add(message_id)
            self._open[message_id] = remove_content_from_message(sent)
            self.addressees[message_id] = sent.metadata.dst_node_id
            if sent is not message:
                self._given[message_id] = message
        return accepted

    def opened(self, replies: Iterable[Message]) -> tuple[list[Message], list[Message]]:
        """Part replies, with their arrays, from errors of nodes that could not read what they were sent."""
        opened: list[Message] = []
        unread: list[Message] = []
        for reply in replies:
            question = reply.metadata.reply_to_message_id
            node = self.addressees[question]
            if question in self._given and self._packer.was_not_read(node, reply):
                unread.append(reply)
            else:
                opened.append(self._packer.open(node, reply, self.bound))
        return opened, unread

    def ask_again(self, unread: Iterable[Message]) -> set[str]:
        """Send to nodes what they can read; return the ids."""
        messages = [self._given.pop(reply.metadata.reply_to_message_id) for reply in unread]
        return self._push(messages) if messages else set()

    def end(self) -> None:
        """Let go of the model, which is soon an old one."""
        self._given.clear()

    def lost(self, waited_for: Set[str], some_arrived: bool) -> list[Message]:
        """Return an error in the place of each reply that will not come."""
        now = time.monotonic()
        if some_arrived:
            self._slowest = now - self._begin
        if not waited_for:
            return []
        started_anew = self.started_anew()
        for message_id in waited_for - self._restarted.keys():
            if self._open[message_id].metadata.dst_node_id in started_anew:
                self._restarted[message_id] = now
        # It may not have taken the message up before, and then has as long for it as the others.
        patience = (self._slowest or now - self._begin) + _GRACE
        overdue = [each for each in waited_for if now - self._restarted.get(each, now) > patience]
        return [Message(Error(ErrorCode.NODE_UNAVAILABLE, STARTED_ANEW), reply_to=self._open[each]) for each in overdue]

    def started_anew(self) -> set[int]:
        """Return the nodes that were. One that is offline has no moment; Flower itself answers for it."""
        return {node for node, moment in self._activations().items() if moment != self._activated.get(node)}

    def _activations(self) -> dict[int, str]:
        return {node.node_id: node.last_activated_at for node in self._grid.get_nodes()}
