# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Flower's grid, made steady: nodes in a fixed order, waiting with an end, replies fetched soon after they arrive."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any, cast

import httpx
from flwr.app import ArrayRecord, Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.inflatable import inflatable_utils
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, ObjectPushError
from flwr.supercore.run import Run

from .asked import Asked
from .bound import Bound
from .errors import SuperLinkLostError, TooFewNodesError
from .packer import Packer
from .patience import PatientClient, about
from .pulling import Fetching, can_fetch, in_own_words
from .pushing import push_few_at_a_time
from .records import array_records
from .scratch import Scratch
from .sites import REGISTRY, Sites

# Seconds between two looks for replies, as Flower's own grid has them. Here they are a tenth of that at first, and
# later a tenth of the time since the last reply: those of one round come close together.
_LONGEST_PAUSE, _SHARE = 3.0, 0.1
_REALLY_WAITING = 5.0  # seconds; whoever asks for nodes still then does not have enough


class SteadyGrid(Grid):
    """A grid around a grid. Strategies take it for the real one."""

    def __init__(
        self,
        grid: Grid,
        node_wait_timeout: float,
        while_waiting: Callable[[], None] = lambda: None,
        packer: Packer | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        self.outages = 0  # how often the SuperLink could not be reached so far
        if can_fetch(grid):
            whole = cast(Any, grid)
            self._notice_outages(getattr(whole, "_retry_invoker", None))
            whole._client = PatientClient(whole._runtime_client)
            push_few_at_a_time(inflatable_utils)
        self._grid = grid
        self._packer = packer or Packer()
        self._scratch = scratch or Scratch()
        self._while_waiting = while_waiting  # for nodes; may raise
        self._budget = node_wait_timeout
        self._waiting_since: float | None = None
        self.sites = Sites(os.environ.get(REGISTRY))
        self._asked = Asked(self, (), self._packer)  # the messages of the last exchange
        self.online: list[int] = []  # by the last look

    def wait_for_nodes(self, minimum: int) -> int:
        """Wait until enough nodes are online and return how many are; raise when the budget is spent."""
        self.begin_wait()
        while len(online := self._poll(minimum)) < minimum:
            time.sleep(1)
        return len(online)

    def begin_wait(self) -> None:
        """Start the clock of the budget anew: each round may wait as long."""
        self._waiting_since = time.monotonic()

    def pause(self) -> None:
        """Wait a second for nodes, unless whatever may end that does."""
        self._while_waiting()
        time.sleep(1)

    def get_node_ids(self) -> Iterable[int]:
        """Return the nodes that are online, by name and then by number.

        Flower polls this without end while too few are online; the budget ends that here.
        """
        return self._poll(None)

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Return the nodes of the federation that are online, in the same order."""
        with reaching_the_superlink():
            nodes = sorted(self._grid.get_nodes(), key=lambda node: (node.name, node.node_id))
        self.sites.see({node.node_id: node.name for node in nodes})
        members = self.sites.members(node.node_id for node in nodes)
        found = [node for node in nodes if node.node_id in members]
        self.online = [node.node_id for node in found]
        return found

    def _poll(self, minimum: int | None) -> list[int]:
        nodes = [node.node_id for node in self.get_nodes()]
        waited = 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since
        too_few = minimum is None or len(nodes) < minimum
        if too_few and waited > _REALLY_WAITING:
            self._while_waiting()
        if too_few and waited > self._budget:
            needed = "" if minimum is None else f" of {minimum}"
            raise TooFewNodesError(
                f"Only {len(nodes)}{needed} SuperNodes were online after {self._budget:g} seconds"
                f" (fl_node_wait_timeout). Start the missing ones, or lower fl_min_available_clients"
                " and fl_min_fit_clients."
            )
        return nodes

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send messages and return their replies, or those that came before the timeout: a list, as Flower's grid."""
        self._waiting_since = None
        asked = self._asked = Asked(self, messages, self._packer)
        scratch = self._scratch if self._scratch.serves(asked.bound.model, asked.count) else None
        fetching = Fetching(self._grid, asked.bound, scratch) if can_fetch(self._grid) else None
        open_messages = asked.push()
        give_back_memory()
        end = None if timeout is None else time.monotonic() + timeout
        replies: list[Message] = []
        latest = time.monotonic()
        while open_messages:
            arrived, again = asked.opened(self._arrived(open_messages, fetching))
            replies.extend(arrived)
            if scratch:
                for reply in arrived:
                    scratch.store(array_records(reply.content).values() if reply.has_content() else ())
            if arrived:
                give_back_memory()
            open_messages.difference_update(message.metadata.reply_to_message_id for message in (*arrived, *again))
            open_messages.update(asked.ask_again(again))
            lost = asked.lost(open_messages, bool(arrived))
            replies.extend(lost)
            open_messages.difference_update(message.metadata.reply_to_message_id for message in lost)
            if not open_messages or (end is not None and time.monotonic() >= end):
                break
            now = time.monotonic()
            if arrived or (fetching and fetching.is_under_way):
                latest = now
            pause = about(min(_LONGEST_PAUSE, _SHARE * max(_LONGEST_PAUSE, now - latest)))
            time.sleep(pause if end is None else min(pause, max(end - now, 0)))
        asked.end()
        return replies

    def store_model(self, model: ArrayRecord, messages: Iterable[Message]) -> None:
        """Have a model that is about to be sent lie where the replies to it will, until it is needed again."""
        asked = list(messages)
        if asked and self._scratch.serves(Bound.of(asked).model, len(asked)):
            self._scratch.store(
                [model, *(each for message in asked for each in array_records(message.content).values())]
            )

    def send_more(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Do the same with more messages of one round: whose its earlier replies are stays known."""
        before = self._asked.addressees
        replies = self.send_and_receive(messages, timeout=timeout)
        self._asked.addressees.update(before)
        return replies

    def _notice_outages(self, invoker: Any) -> None:
        """Count how often Flower's client has to try again, which it does until the SuperLink is back."""
        if invoker is None:
            return
        told = invoker.on_backoff

        def noticed(state: Any) -> None:
            self.outages += 1
            if told is not None:
                told(state)

        invoker.on_backoff = noticed

    def node_of(self, reply: Message) -> int:
        """Return whose reply it is: what Flower says in a node's place comes from the SuperLink."""
        return self._asked.addressees.get(reply.metadata.reply_to_message_id, reply.metadata.src_node_id)

    def _arrived(self, waited_for: Set[str], fetching: Fetching | None) -> list[Message]:
        """Return the replies that are complete by now, one for each message."""
        if fetching is not None:
            with reaching_the_superlink():
                return fetching.fetch(waited_for)
        replies: dict[str, Message] = {}
        for reply in self.pull_messages(waited_for):
            if (question := reply.metadata.reply_to_message_id) in waited_for:
                replies.setdefault(question, in_own_words(reply))
        return list(replies.values())

    def set_run(self, run: Run) -> None:
        """Pass on."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """Pass on."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Pass on."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Pass on."""
        with reaching_the_superlink():
            return list(self._grid.push_messages(messages))

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Pass on."""
        with reaching_the_superlink():
            return list(self._grid.pull_messages(message_ids))


@contextmanager
def reaching_the_superlink() -> Iterator[None]:
    """Tell a SuperLink that is lost from an app that fails: the training goes on with another run.

    Flower tries most errors again. It does not where TLS is broken off, as by a SuperLink that stands still in a
    handshake, nor where a part of a message was taken and the SuperLink died before it said so.
    """
    try:
        yield
    except (httpx.HTTPError, ObjectPushError, ObjectPullError) as error:
        raise SuperLinkLostError(f"The SuperLink was lost: {error}") from error


def give_back_memory() -> None:
    """Give free memory back to the system, where the C library can.

    A model goes and comes in pieces of some megabytes. glibc keeps such pieces for later, and a model's worth of them
    after every message is what it would come to.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
