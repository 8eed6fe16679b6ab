# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message is sent whole, without all of it being made first."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.supercore.inflatable import inflatable_utils

from fedops_kit.pushing import PUSH, push_few_at_a_time

WORKERS = 2


def fresh() -> Any:
    """Flower's module as it is: in the one that others import, a grid may have changed the function."""
    spec = importlib.util.find_spec(inflatable_utils.__name__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def module() -> SimpleNamespace:
    """Flower's module, as far as it is concerned."""
    made = SimpleNamespace(__name__="flower", get_num_workers=lambda dummy: WORKERS, **{PUSH: getattr(fresh(), PUSH)})
    push_few_at_a_time(made)
    return made


class Pieces:
    """Pieces that know how many of them are there at the same time."""

    def __init__(self, count: int) -> None:
        self.count, self.there, self.most = count, 0, 0
        self.sent: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for number in range(self.count):
            with self._lock:
                self.there += 1
                self.most = max(self.most, self.there)
            yield str(number), bytes([number])

    def send(self, name: str, content: bytes) -> None:
        time.sleep(0.002)
        with self._lock:
            self.there -= 1
            self.sent[name] = content


def test_all_is_sent_and_little_of_it_is_made_ahead(module: Any) -> None:
    pieces = Pieces(50)
    getattr(module, PUSH)(pieces, pieces.send, max_concurrent_pushes=7)
    assert pieces.sent == {str(number): bytes([number]) for number in range(50)}
    assert pieces.most <= 2 * WORKERS + 1


def test_flower_itself_makes_all_of_them_first() -> None:
    pieces = Pieces(50)
    flower = fresh()
    flower.push_object_contents_from_iterable(pieces, pieces.send)
    assert pieces.most > 2 * flower.get_num_workers(50) + 1


@pytest.mark.parametrize("at", [0, 1, 30, 49])
def test_a_piece_that_cannot_be_sent_ends_it(module: Any, at: int) -> None:
    pieces = Pieces(50)

    def send(name: str, content: bytes) -> None:
        pieces.send(name, content)
        if name == str(at):
            raise inflatable_utils.ObjectPushError(name, 1, "session")

    with pytest.raises(inflatable_utils.ObjectPushError):
        getattr(module, PUSH)(pieces, send)
    assert len(pieces.sent) <= at + 1 + WORKERS


def test_a_piece_that_cannot_be_made_ends_it_too(module: Any) -> None:
    def pieces() -> Iterator[tuple[str, bytes]]:
        yield "0", b""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        getattr(module, PUSH)(pieces(), lambda *dummy: None)


def test_a_release_that_pushes_otherwise_is_left_alone(capsys: pytest.CaptureFixture) -> None:
    for functions in ({}, {PUSH: lambda contents, push: None}):
        made = SimpleNamespace(__name__="flower", get_num_workers=int, **functions)
        push_few_at_a_time(made)
        assert vars(made).get(PUSH) is functions.get(PUSH)
        assert "pushes in another way (flower)" in capsys.readouterr().err
