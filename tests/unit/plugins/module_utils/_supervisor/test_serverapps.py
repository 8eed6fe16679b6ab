# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import Process
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.serverapps import (
    ends_with_its_process,
    of_others,
    own_processes,
    told_process,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

TOLD = {"run_id": "1", "process": {"pid": 7, "ticks": 70}}


@pytest.fixture
def training(home):
    def make(name: str = "mine", **files: dict) -> TrainingFolder:
        """Write the files of a training whose runs are those that the files speak of."""
        home.ledger(*{(value["run_id"], "h", 3) for value in files.values()}, name=name)
        home.training(name, **files)
        return TrainingFolder(str(home.path), name)

    return make


def test_a_serverapp_tells_which_process_it_is(training) -> None:
    assert told_process(training(effective=TOLD), "1") == Process(7, 70)
    assert told_process(training(effective=TOLD), "2") is None
    assert told_process(training("nothing"), "1") is None


@pytest.mark.parametrize("process", [None, {}, {"pid": 7}, [7, 70], {"pid": None, "ticks": 1}, "7"])
def test_what_is_no_process_is_not_taken_for_one(training, process) -> None:
    assert told_process(training(effective={"run_id": "1", "process": process}), "1") is None


def test_what_is_told_counts_more_than_what_was_guessed(training) -> None:
    memory = Memory(run_id="1", processes=[[8, 80], [9, 90]])
    assert own_processes(training(), memory) == [Process(8, 80), Process(9, 90)]
    assert own_processes(training(effective=TOLD), memory) == [Process(7, 70)]


def test_others_know_a_process_by_being_told_or_where_only_one_fits(training) -> None:
    mine = training(effective=TOLD)
    training("told", effective={"run_id": "2", "process": {"pid": 8, "ticks": 80}})
    training("sure", supervision={"run_id": "3", "processes": [[9, 90]]})
    training("unsure", supervision={"run_id": "4", "processes": [[10, 100], [11, 110]]})
    training("damaged", supervision={"run_id": "5", "processes": None}, effective={"run_id": "5", "process": 3})
    assert of_others(mine) == {Process(8, 80), Process(9, 90)}
    memory = Memory(run_id="6", processes=[[9, 90], [12, 120]])
    assert own_processes(mine, memory) == [Process(12, 120)]


def test_a_claim_to_a_process_that_a_supervisor_knows_as_another_trainings_counts_nothing(training) -> None:
    theirs = training("theirs", supervision={"run_id": "3", "processes": [[7, 70]]})
    mine = training(effective=TOLD)
    assert (told_process(mine, "1"), own_processes(mine, Memory(run_id="1"))) == (None, [])
    assert own_processes(theirs, Memory(run_id="3", processes=[[7, 70]])) == [Process(7, 70)]


class Table:
    """The ServerApps that live."""

    def __init__(self, *living: Process) -> None:
        self.living = living

    def lives(self, process: Process) -> bool:
        return process in self.living

    def serverapps(self) -> list[Process]:
        return list(self.living)


@pytest.mark.parametrize(
    ("living", "sure"),
    [
        ([], True),  # it has ended
        ([Process(7, 70)], True),
        ([Process(7, 70), Process(8, 80)], True),
        ([Process(9, 90)], True),  # another training's
        ([Process(8, 80)], False),  # what it has told is not there, and what is there may be the run's
    ],
)
def test_a_process_that_is_told_and_not_there_is_no_proof_of_the_end(training, living, sure) -> None:
    mine = training(effective=TOLD)
    training("other", supervision={"run_id": "3", "processes": [[9, 90]]})
    assert ends_with_its_process(mine, Memory(run_id="1"), Table(*living)) is sure


def test_without_a_process_the_end_of_one_proves_nothing(training) -> None:
    assert ends_with_its_process(training(), Memory(run_id="1"), Table()) is False
