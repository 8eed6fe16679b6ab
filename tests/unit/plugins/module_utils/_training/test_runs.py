# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.privacy import Privacy
from ansible_collections.fedops.flower.plugins.module_utils._config.stopping import Stopping
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import Run
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import (
    Asked,
    Decision,
    Known,
    RunConflictError,
    decide,
    known_runs,
)

COMPLETED = Known("1", "completed", "h", 3)
REPORTED = Known("1", "completed", "h", 3, reports=True)
CODED = Known("1", "completed", "h", 3, reports=True, code="a")
SILENT = Known("1", "completed", "h", 3, code="a")
FAILED = Known("2", "failed", "h", 3, reports=True)
STOPPED = Known("2", "stopped", "h", 3, reports=True)
LOST = Known("1", "lost", "h", 3)
ALIVE = Known("3", "running", "h", 3, alive=True)
PENDING = Known("3", "pending", "h", 3, alive=True)
OLDER = Known("1", "running", "h", 3, alive=True)
OTHER = Known("3", "running", "other", 3, alive=True)
RESULT = {"run_id": "1", "configuration_hash": "h", "rounds": 3}


@pytest.mark.parametrize(
    ("known", "result", "wanted", "expected"),
    [
        pytest.param([], None, ("h", 3), Decision("submit", None), id="nothing is there"),
        pytest.param([ALIVE], None, ("h", 3), Decision("adopt", ALIVE), id="alive"),
        pytest.param([PENDING], None, ("h", 3), Decision("adopt", PENDING), id="pending is alive"),
        pytest.param([ALIVE], None, ("h", 9), Decision("adopt", ALIVE), id="alive, with fewer rounds"),
        pytest.param([OTHER], None, (None, None), Decision("adopt", OTHER), id="alive, and any configuration will do"),
        pytest.param([OLDER, FAILED], None, ("h", 3), Decision("adopt", OLDER), id="alive, and a newer one has failed"),
        pytest.param([OLDER, ALIVE], None, ("h", 3), Decision("adopt", ALIVE), id="two are alive"),
        pytest.param([REPORTED, ALIVE], RESULT, ("h", 3), Decision("adopt", ALIVE), id="alive after a finished one"),
        pytest.param([REPORTED], RESULT, ("h", 3), Decision("finished", REPORTED), id="finished"),
        pytest.param([REPORTED], RESULT, ("h", 2), Decision("finished", REPORTED), id="finished with more rounds"),
        pytest.param([REPORTED], RESULT, ("h", 4), Decision("submit", REPORTED), id="lengthened"),
        pytest.param([REPORTED], RESULT, ("other", 3), Decision("submit", REPORTED), id="another configuration"),
        pytest.param([REPORTED], RESULT, (None, None), Decision("finished", REPORTED), id="finished, nothing asked"),
        pytest.param([REPORTED, FAILED], RESULT, ("h", 3), Decision("finished", REPORTED), id="failed after the end"),
        pytest.param([], RESULT, ("h", 3), Decision("finished", Known("1", "completed")), id="the ledger is lost"),
        pytest.param([REPORTED], None, ("h", 3), Decision("submit", REPORTED), id="completed without a result"),
        pytest.param([COMPLETED], None, ("h", 3), Decision("finished", COMPLETED), id="an app that leaves no files"),
        pytest.param([COMPLETED], None, ("h", 4), Decision("submit", COMPLETED), id="the same, lengthened"),
        pytest.param([COMPLETED], None, ("other", 3), Decision("submit", COMPLETED), id="the same, another hash"),
        pytest.param([CODED], RESULT, ("h", 3, "a"), Decision("finished", CODED), id="finished with this code"),
        pytest.param([CODED], RESULT, ("h", 3, "b"), Decision("submit", CODED), id="finished with other code"),
        pytest.param([CODED], RESULT, ("h", 3, "b", "new"), Decision("submit", CODED), id="the same, said aloud"),
        pytest.param([CODED], RESULT, ("h", 3, "b", "continue"), Decision("finished", CODED), id="it is the same"),
        pytest.param([CODED], RESULT, ("h", 3, ""), Decision("finished", CODED), id="nobody has told the code"),
        pytest.param([REPORTED], RESULT, ("h", 3, "b"), Decision("finished", REPORTED), id="nobody knew the code"),
        pytest.param([SILENT], None, ("h", 3, "b"), Decision("submit", SILENT), id="no files, and other code"),
        pytest.param([SILENT], None, ("h", 3, "a"), Decision("finished", SILENT), id="no files, and the same code"),
        pytest.param([FAILED], None, ("h", 3), Decision("submit", FAILED), id="failed"),
        pytest.param([STOPPED], None, ("h", 3), Decision("submit", STOPPED), id="stopped"),
        pytest.param([LOST], None, ("h", 3), Decision("submit", LOST), id="the database is lost"),
    ],
)
def test_what_is_done_follows_from_what_is_there(known, result, wanted, expected) -> None:
    assert decide(known, result, Asked(*wanted)) == expected


EARLY = Stopping(patience=2, min_delta=0.0, metric="loss", mode="auto", warmup_rounds=0)
ENDED = {**RESULT, "early_stopping": {**EARLY.told, "best": 0.5, "best_round": 1, "over": True, "ended": True}}


@pytest.mark.parametrize("num_rounds", [3, 50, 500])
def test_a_training_that_was_ended_early_is_finished_whatever_rounds_are_asked_for(num_rounds: int) -> None:
    wanted = Asked("h", num_rounds, stopping=EARLY)
    assert decide([REPORTED], ENDED, wanted) == Decision("finished", REPORTED)


@pytest.mark.parametrize(
    "stopping",
    [
        None,
        *(replace(EARLY, **one) for one in ({"patience": 3}, {"min_delta": 0.1}, {"metric": "auc"}, {"mode": "max"})),
    ],
)
def test_it_goes_on_when_something_else_is_to_end_it(stopping: Stopping | None) -> None:
    assert decide([REPORTED], ENDED, Asked("h", 50, stopping=stopping)) == Decision("submit", REPORTED)


PRIVATE = Privacy("central_fixed", 1.0, 1.0, 0.5, 0.2, 0.0, 1e-5, epsilon_budget=8.0, seed=0)
SPENT = {**RESULT, "privacy": {**PRIVATE.told, "epsilon": 7.9, "over": True, "ended": True}}


def test_a_training_whose_privacy_budget_is_used_up_is_finished_until_that_is_raised() -> None:
    assert decide([REPORTED], SPENT, Asked("h", 500, privacy=PRIVATE)) == Decision("finished", REPORTED)
    more = replace(PRIVATE, epsilon_budget=9.0)
    assert decide([REPORTED], SPENT, Asked("h", 500, privacy=more)) == Decision("submit", REPORTED)
    assert decide([REPORTED], SPENT, Asked("h", 500)) == Decision("submit", REPORTED)


def test_a_result_that_early_stopping_has_not_ended_is_judged_by_its_rounds() -> None:
    goes_on = {**ENDED, "early_stopping": {**ENDED["early_stopping"], "over": False}}
    assert decide([REPORTED], goes_on, Asked("h", 50, stopping=EARLY)) == Decision("submit", REPORTED)
    assert decide([REPORTED], ENDED, Asked("other", 3, stopping=EARLY)) == Decision("submit", REPORTED)


def test_another_configuration_that_is_alive_is_a_conflict() -> None:
    with pytest.raises(RunConflictError, match=r"^Run 3 is running with another configuration \(other, asked for: h\)"):
        decide([OTHER], RESULT, Asked("h", 3))


def test_another_configuration_is_a_conflict_also_when_a_newer_run_is_as_asked() -> None:
    with pytest.raises(RunConflictError, match=r"^Run 3 is running with another configuration"):
        decide([OTHER, Known("4", "running", "h", 3, alive=True)], None, Asked("h", 3))


@pytest.mark.parametrize("change", ["new", "continue"])
def test_other_code_that_is_alive_is_a_conflict_whatever_is_to_become_of_it(change: str) -> None:
    alive = Known("3", "running", "h", 3, alive=True, code="a" * 64)
    assert decide([alive], None, Asked("h", 3, "a" * 64)) == Decision("adopt", alive)
    with pytest.raises(
        RunConflictError,
        match=r"^Run 3 is running with other code \(aaaaaaaa, asked for: bbbbbbbb\)\. Wait for its end",
    ):
        decide([alive], None, Asked("h", 3, "b" * 64, change))
    assert decide([alive], None, Asked("h", 3, "b" * 64, change), force=True) == Decision("submit", None, (alive,))


def test_force_replaces_all_that_are_alive() -> None:
    assert decide([OLDER, FAILED, OTHER], None, Asked("h", 3), force=True) == Decision("submit", None, (OLDER, OTHER))


def test_force_replaces_whatever_is_alive_and_repeats_what_is_finished() -> None:
    assert decide([REPORTED, OTHER], RESULT, Asked("h", 3), force=True) == Decision("submit", None, (OTHER,))


def test_a_run_belongs_to_a_training_by_the_ledger_and_not_by_what_a_serverapp_claims(home) -> None:
    home.ledger(("1", "h1", 3), ("2", "h2", 3))
    home.training(effective={"run_id": "4"}, result={"run_id": "1"})
    runs = [
        Run("4", "running", None, "f4", "2026-01-04"),
        Run("3", "running", None, "f3", "2026-01-03"),
        Run("2", "failed", "why", "f2", "2026-01-02"),
    ]
    assert known_runs(TrainingFolder(str(home.path), "default"), runs) == [
        Known("1", "completed", "h1", 3, "f", reports=True),  # lost by the SuperLink, but its result is there
        Known("2", "failed", "h2", 3, "f2", "why"),
    ]
