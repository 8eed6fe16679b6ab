# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the app and the simulated grid on the path."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(ROOT / "testbed"), str(ROOT / "files/fab")]

from bench import Bench
from simulated import Federation, digits
from use_cases import SHIPPED, Shipped


@pytest.fixture(autouse=True)
def quick_collections() -> Iterator[None]:
    """Flower collects garbage after every reply of some strategies: slow in a process as large as pytest."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    """Each task that the collection brings."""
    return SHIPPED[request.param]


@pytest.fixture
def task(shipped: Shipped, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same in the place of the app's own."""
    return shipped.put_in_place(monkeypatch)


@pytest.fixture
def federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Federation:
    """Seven sites with data of their own, a server with a test set, and no waiting between repetitions."""
    federation = Federation(tmp_path, sites=7)
    digits(tmp_path / "server" / "test.npz", seed=99)
    monkeypatch.setenv("FEDOPS_DATA_DIR", str(tmp_path / "server"))
    monkeypatch.setenv("FEDOPS_TRAININGS_DIR", str(tmp_path / "trainings"))
    monkeypatch.setattr("fedops_kit.exact.RETRY_PAUSES", (0.0, 0.0, 0.0))
    return federation


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """What starts strategies of others, without waiting between repetitions."""
    monkeypatch.setenv("FEDOPS_TRAININGS_DIR", str(tmp_path / "trainings"))
    monkeypatch.setattr("fedops_kit.exact.RETRY_PAUSES", (0.0, 0.0, 0.0))
    return Bench(tmp_path)
