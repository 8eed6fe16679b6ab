# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a session begins: a table. How a continuous training lives is in test_supervisor."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._sessions import (
    Between,
    newcomers,
    next_step,
    rounds_after,
)


def between(**values: object) -> Between:
    given = {"sessions": 1, "online": ("a", "b"), "missing": (), "needed": 2, "before": ("a", "b"), "newcomers": (),
             "since": 10.0, "interval": 0.0}  # fmt: skip
    return Between(**{**given, **values})


@pytest.mark.parametrize(
    ("seen", "kind", "reason"),
    [
        ({"sessions": 0}, "begin", "first"),
        ({"sessions": 0, "online": ("a",), "missing": ("b",)}, "wait", "nodes"),
        ({}, "idle", "session"),
        ({"online": ("a", "b", "c")}, "begin", "nodes"),
        ({"before": ("a",)}, "begin", "nodes"),
        ({"newcomers": ("b",)}, "begin", "nodes"),
        ({"newcomers": ("gone",)}, "idle", "session"),
        ({"online": ("b",), "missing": ("a",), "newcomers": ("b",)}, "wait", "nodes"),
        ({"interval": 10.0}, "begin", "interval"),
        ({"interval": 10.5}, "idle", "session"),
        ({"interval": 1.0, "online": ("a",), "missing": ("b",)}, "wait", "nodes"),
    ],
)
def test_a_session_begins_with_enough_supernodes_and_a_reason(seen, kind, reason) -> None:
    step = next_step(between(**seen))
    assert (step.kind, step.reason, bool(step.text)) == (kind, reason, True)


def test_who_came_while_too_few_were_there_counts_when_enough_are() -> None:
    first = between(online=("c",), before=("a", "b"), missing=("a", "b"))
    assert newcomers(first) == ("c",)
    second = between(online=("a", "c"), before=("c",), newcomers=newcomers(first))
    assert (newcomers(second), next_step(second).names) == (("a", "c"), ("a", "c"))
    # Gone again before there were enough: nobody came.
    assert newcomers(between(online=("a", "b"), before=("a", "b", "c"), newcomers=("c",))) == ()


@pytest.mark.parametrize(
    ("result", "rounds"),
    [
        (None, 5),
        ({"configuration_hash": "h", "rounds": 10}, 15),
        ({"configuration_hash": "other", "rounds": 10}, 5),
        ({"configuration_hash": "h", "rounds": None}, 5),
    ],
)
def test_a_session_adds_its_rounds_to_those_of_the_same_training(result, rounds) -> None:
    assert rounds_after(result, "h", 5) == rounds
