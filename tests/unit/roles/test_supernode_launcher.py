# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher of the SuperNode, held against the real SuperNode when a run is stopped at a bad moment."""

from __future__ import annotations

import os
import runpy
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message, Metadata, RecordDict
from flwr.app.message.message import make_message
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.logger import FLOWER_LOGGER
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run, RunNotRunningException
from flwr.supernode import start_client_internal as flower
from flwr.supernode.nodestate import NodeStateFactory

LAUNCHER = Path(__file__).parents[3] / "roles" / "supernode" / "files" / "flower-supernode.py"
RUN, NODE = 7, 11


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
