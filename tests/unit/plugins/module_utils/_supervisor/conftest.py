# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import EVENTS
from ansible_collections.fedops.flower.plugins.module_utils._training import quiesce_order

from .world import EPOCH, World


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(submission.time, "time", lambda: EPOCH + world.at)  # one module, wherever it is read
    monkeypatch.setattr(quiesce_order, "boot_seconds", world.monotonic)
    yield world
    for event in world.events if isinstance(world.journal, io.StringIO) else ():
        assert set(event) == {"event", "training", "time", "message", *EVENTS[event["event"]].facts}
