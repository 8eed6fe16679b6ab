# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a session begins: a table. How a continuous training lives is in test_continuous."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.sessions import (
    Between,
    Trained,
    newcomers,
    next_step,
    rounds_after,
    trained,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import LedgerEntry
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import Asked


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
        ({"interval": -1.0}, "idle", "session"),
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
    ("had", "rounds"),
    [
        ({}, 5),  # nothing yet
        ({"finished": 10, "last": 10, "asked": 10}, 15),
        ({"finished": 10, "last": 10, "asked": 15}, 15),  # the run of the next session has not begun
        ({"last": 12, "asked": 15}, 15),  # cut short: it is finished
        ({"asked": 5}, 5),
        ({"last": 15, "asked": 15}, 16),  # before its result was written: at least one is trained
        ({"last": 5, "asked": 3}, 6),
        ({"last": 5, "asked": 100}, 10),  # by a training that was no session
        ({"last": 5}, 10),  # a ledger that is lost
    ],
)
def test_a_session_adds_its_rounds_to_those_that_are_finished_or_finishes_one_that_was_cut_short(had, rounds) -> None:
    assert rounds_after(Trained(**had), 5) == rounds


def test_only_what_was_trained_of_the_same_configuration_counts() -> None:
    def line(number: int, configuration_hash: str) -> dict:
        return {"round": number, "configuration_hash": configuration_hash}

    def folder(result: dict | None, history: list[dict], *ledger: LedgerEntry) -> SimpleNamespace:
        return SimpleNamespace(result=result, history=history, ledger=list(ledger))

    ours, other = LedgerEntry("1", "h", "f", 9, ""), LedgerEntry("2", "other", "f", 7, "")
    done = {"configuration_hash": "h", "rounds": 6}
    assert trained(folder(done, [line(6, "h")], ours), Asked("h")) == Trained(finished=6, last=6, asked=9)
    assert trained(folder(None, [line(8, "h")], other, ours), Asked("h")) == Trained(last=8, asked=9)
    # Another training had the name since: what is old is put away.
    assert (
        trained(folder({"configuration_hash": "other", "rounds": 7}, [line(7, "other")], ours, other), Asked("h"))
        == Trained()
    )
    assert trained(folder({"configuration_hash": "h", "rounds": None}, []), Asked("h")) == Trained()
    coded = LedgerEntry("1", "h", "f", 9, "", code="a")
    for code, had in (("a", Trained(finished=6, last=6, asked=9)), ("b", Trained())):
        told = folder({**done, "run_id": "1"}, [{**line(6, "h"), "run_id": "1"}], coded)
        assert trained(told, Asked("h", None, code)) == had
    assert trained(folder(done, [line(6, "h")], other), Asked()) == Trained(finished=6, last=6, asked=7)
