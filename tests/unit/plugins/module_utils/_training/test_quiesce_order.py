# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order that all trainings stand still."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training import quiesce_order
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TRAINING_NAME
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import (
    QUIESCE_MARKER,
    QuiescedError,
    give_order,
    lift_order,
    standing_order,
)


@pytest.fixture
def trainings(tmp_path, own_account) -> str:
    return str(tmp_path / "trainings")


def test_an_order_stands_until_it_is_lifted(trainings) -> None:
    assert standing_order(trainings) is None
    assert give_order(trainings, 60) is True
    order = standing_order(trainings)
    assert 55 < order.left <= 60
    lift_order(trainings)
    lift_order(trainings)
    assert standing_order(trainings) is None


def test_the_end_of_an_order_can_only_become_sooner(trainings) -> None:
    give_order(trainings, 60)
    first = standing_order(trainings)
    assert (give_order(trainings, 90), standing_order(trainings)) == (False, first)
    assert give_order(trainings, 10) is False
    sooner = standing_order(trainings)
    assert (sooner.since, sooner.until < first.until) == (first.since, True)


@pytest.mark.parametrize(
    ("first", "then", "purpose"),
    [("upgrade", "upgrade", "upgrade"), ("upgrade", "", ""), ("", "upgrade", ""), ("", "", "")],
)
def test_an_order_is_an_operators_once_one_has_asked_for_it(trainings, first, then, purpose) -> None:
    give_order(trainings, 60, first)
    given = standing_order(trainings)
    assert give_order(trainings, 90, then) is False
    assert standing_order(trainings) == replace(given, purpose=purpose)


def test_a_refusal_says_what_the_order_is_for(trainings) -> None:
    give_order(trainings, 60, "upgrade")
    with pytest.raises(QuiescedError, match=r"^The federation is quiesced for its upgrade since .*run it again\.$"):
        standing_order(trainings).refuse()


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_that_is_stepped_neither_shortens_nor_lengthens_the_time_that_is_left(
    trainings, monkeypatch, step
) -> None:
    give_order(trainings, 60)
    real = time.time
    monkeypatch.setattr(quiesce_order.time, "time", lambda: real() + step)
    assert 55 < standing_order(trainings).left <= 60
    give_order(trainings, 90)
    assert 55 < standing_order(trainings).left <= 60
    give_order(trainings, 10)
    assert 5 < standing_order(trainings).left <= 10


def test_after_a_boot_the_clock_of_the_world_counts(trainings, monkeypatch) -> None:
    give_order(trainings, 60)
    monkeypatch.setattr(quiesce_order, "boot_seconds", lambda: 1.0)
    assert 55 < standing_order(trainings).left <= 60


@pytest.mark.parametrize("content", ["", "[]", '{"since": 1, "until": "soon"}'])
def test_an_order_that_is_damaged_stands_and_lets_every_round_be_finished(trainings, content) -> None:
    os.makedirs(trainings)
    with open(os.path.join(trainings, QUIESCE_MARKER), "w") as stream:
        stream.write(content)
    order = standing_order(trainings)
    assert (order.since, order.left) == ("an unknown time", math.inf)
    assert give_order(trainings, 10) is False
    assert standing_order(trainings).until <= time.time() + 10


def test_a_refusal_says_since_when_and_what_to_do(trainings) -> None:
    give_order(trainings, 60)
    order = standing_order(trainings)
    with pytest.raises(QuiescedError, match=rf"^The federation is quiesced since {order.since[:10]}.*resume first\.$"):
        order.refuse()


def test_the_file_is_not_taken_for_a_training() -> None:
    assert TRAINING_NAME.fullmatch(QUIESCE_MARKER) is None
