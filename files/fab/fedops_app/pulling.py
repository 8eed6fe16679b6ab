# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Fetching replies from the SuperLink, and giving up on those of which only a half was ever sent.

A SuperNode announces its reply and then sends it in pieces. When it dies in between, Flower's grid tries to fetch the
missing pieces until the SuperLink forgets the reply, for three minutes, and looks for no other reply meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Set
from typing import Any, cast

from flwr.proto.message_pb2 import PullObjectRequest, PullObjectResponse
from flwr.proto.runtime_pb2 import PullAppMessagesRequest, PullAppMessagesResponse
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError

_PATIENCE = 5.0  # seconds that a piece must be missing before it is asked what has become of its sender
STARTED_ANEW = "the SuperNode was started anew, and what it was working at is lost"


class PullingClient:
    """Flower's client of the Runtime API, for senders that may die."""

    def __init__(self, client: Any, started_anew: Callable[[], Set[int]]) -> None:
        self._client = client
        self._started_anew = started_anew  # the nodes that were, since they were asked
        self._lock = threading.Lock()  # pieces are fetched from several threads
        self._senders: dict[str, int] = {}
        self._missing: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def PullMessages(self, request: PullAppMessagesRequest) -> PullAppMessagesResponse:
        """Fetch what is announced, and remember whose the pieces are."""
        response = cast(PullAppMessagesResponse, self._client.PullMessages(request))
        self._senders = {
            piece.object_id: message.metadata.src_node_id
            for message, tree in zip(response.messages_list, response.message_object_trees, strict=True)
            for piece in iterate_object_tree(tree)
        }
        self._missing = {}
        return response

    def PullObject(self, request: PullObjectRequest) -> PullObjectResponse:
        """Fetch a piece; raise ObjectPullError when it will not come any more."""
        response = cast(PullObjectResponse, self._client.PullObject(request))
        if response.object_found and not response.object_available and self._will_not_come(request.object_id):
            raise ObjectPullError(request.object_id, STARTED_ANEW)
        return response

    def _will_not_come(self, piece: str) -> bool:
        sender, now = self._senders.get(piece), time.monotonic()
        with self._lock:  # one thread at a time asks for the nodes
            since = self._missing.setdefault(piece, now)
            return sender is not None and now - since > _PATIENCE and sender in self._started_anew()


def give_up_on_half_sent(grid: Grid, started_anew: Callable[[], Set[int]]) -> None:
    """Have Flower's grid give up on them; one that fetches in another way stays as it is."""
    client = getattr(grid, "_runtime_client", None)
    if client is not None and hasattr(grid, "_client"):
        grid._client = PullingClient(client, started_anew)
