# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When storage fails inside a run: the training goes on, loudly, and nothing of the model is other than it would be."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import pytest
from simulated import Federation, Killed

from fedops_kit import npz, saving
from fedops_kit.errors import NotSavedError, RunFailedError
from fedops_kit.knowledge._checkpoint import directory as layout

write = npz.write


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "FINAL_PAUSES", (0.0, 0.0))


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, logger="flwr"):
        yield lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Let something happen in the middle of the n-th save of arrays."""

    def install(happens: Callable[[int], None]) -> None:
        saves = iter(range(1, 1000))

        def failing(stream: FileIO, arrays: object) -> npz.Written:
            stream.write(b"a part of it")
            happens(next(saves))
            stream.seek(0)
            return write(stream, arrays)

        monkeypatch.setattr(npz, "write", failing)

    return install


def full_in(*saves: int) -> Callable[[int], None]:
    def happens(number: int) -> None:
        if number in saves:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return happens


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.glob("checkpoint_*"))


def test_a_training_goes_on_and_saves_again_as_soon_as_it_can(
    federation: Federation, storage: Callable, warnings: Callable
) -> None:
    federation.train("undisturbed", checkpoint_interval=2)
    storage(full_in(2, 3))
    federation.train(checkpoint_interval=2)
    history = federation.published("history.jsonl")
    problem = f"The checkpoint of round {{}} cannot be saved in {federation.checkpoints()}: No space left on device."
    assert [(line["round"], line["checkpoint"], line["checkpoint_problem"]) for line in history] == [
        (1, None, None),
        (2, "checkpoint_round_2.npz", None),
        (3, None, None),
        (4, None, problem.format(4)),
        (5, None, problem.format(5)),
        (6, "checkpoint_round_6.npz", None),
    ]
    told = warnings()
    assert len(told) == 3
    for number, warning in zip((4, 5), told[:2], strict=True):
        expected = (
            re.escape(problem.format(number)) + r" The last good one is of round 2, \d+ seconds old\. The tr.* on"
        )
        assert re.match(expected, warning)
    assert told[2] == f"Checkpoints are saved again: {federation.checkpoints()}/checkpoint_round_6.npz"
    assert federation.arrays(6) == federation.arrays(6, "undisturbed")
    assert layout.inspect(str(federation.checkpoints())).problems == ()


def test_a_save_is_tried_again_although_no_interval_is_due(federation: Federation, storage: Callable) -> None:
    storage(full_in(1))
    federation.train(checkpoint_interval=2)
    saved = [line["checkpoint"] for line in federation.published("history.jsonl")]
    assert [name and name[17] for name in saved] == [None, None, "3", "4", None, "6"]


def test_nothing_is_left_of_a_save_that_has_failed(federation: Federation, storage: Callable) -> None:
    seen = []

    def happens(number: int) -> None:
        if number == 3:
            seen.extend(files(federation.checkpoints()))
        full_in(2)(number)

    storage(happens)
    federation.train(num_rounds=3)
    assert seen == [
        "checkpoint_latest.json",
        "checkpoint_latest.npz",
        "checkpoint_round_1.json",
        "checkpoint_round_1.npz",
        "checkpoint_round_3.npz.partial",
    ]


def test_a_killed_training_resumes_from_the_checkpoint_before_the_failure(
    federation: Federation, storage: Callable
) -> None:
    federation.train("undisturbed", strategy="FedAdam")
    storage(full_in(3, 4))
    with pytest.raises(Killed):
        federation.train(strategy="FedAdam", grid={"killed_in_round": 5})
    assert layout.latest_good(str(federation.checkpoints())).round == 2
    federation.train(strategy="FedAdam")
    assert federation.published("effective.json")["resumed_from"]["round"] == 2
    assert federation.arrays(6) == federation.arrays(6, "undisturbed")


def test_required_checkpoints_fail_the_run(federation: Federation, storage: Callable) -> None:
    storage(full_in(2))
    with pytest.raises(RunFailedError, match=r"of round 2 cannot be saved in .*: No space left on device"):
        federation.train(checkpoint_required=True)
    assert layout.latest_good(str(federation.checkpoints())).round == 1


def test_a_final_model_that_cannot_be_saved_is_no_success(federation: Federation, storage: Callable) -> None:
    storage(full_in(*range(2, 100)))
    with pytest.raises(RunFailedError) as failure:
        federation.train(num_rounds=3, checkpoint_interval=2)
    assert re.search(
        r"round 3 cannot be saved in .*: No space left on device\. All rounds are trained, but the model of the last"
        r" one ends with this run\. The last good one is of round 2, \d+ seconds old\. Mend the storage, then train",
        str(failure.value),
    )
    assert not (federation.root / "trainings/default/result.json").exists()


def test_a_final_model_is_saved_as_soon_as_there_is_room(federation: Federation, storage: Callable) -> None:
    federation.train("undisturbed", num_rounds=2)
    storage(full_in(2, 3))
    federation.train(num_rounds=2)
    assert federation.published("result.json")["checkpoint"] == "checkpoint_round_2.npz"
    lines = [(line["round"], line["checkpoint"]) for line in federation.published("history.jsonl")]
    assert lines == [(1, "checkpoint_round_1.npz"), (2, None), (2, "checkpoint_round_2.npz")]  # the later line counts
    assert federation.arrays(2) == federation.arrays(2, "undisturbed")


@pytest.mark.parametrize("strategy", ["FedAdam", "FedYogi", "FedAdagrad", "FedAvgM"])
def test_storage_that_does_not_answer_holds_no_round_and_saves_what_it_was_given(
    federation: Federation, storage: Callable, monkeypatch: pytest.MonkeyPatch, strategy: str, warnings: Callable
) -> None:
    """An NFS server that is away for a while: the call hangs, the model goes on, and its state must not be mixed."""
    federation.train("undisturbed", strategy=strategy)
    answers = threading.Event()

    def happens(number: int) -> None:
        if number == 2:
            assert answers.wait(300)

    def away_from_round_2_to_5(site: str, message: object) -> None:
        if not message.has_content() or "config" not in message.content:
            return
        server_round = message.content["config"]["server-round"]
        # Patience is short while nothing answers anyway: a busy machine may be slow to save the other rounds.
        monkeypatch.setattr(saving, "PATIENCE", 0.3 if 2 <= server_round < 5 else 300)
        if server_round == 5:
            answers.set()
            for thread in threading.enumerate():
                if thread.name == "checkpoint":
                    thread.join()

    storage(happens)
    federation.train(strategy=strategy, grid={"on_the_way": away_from_round_2_to_5})
    history = federation.published("history.jsonl")
    assert [line["checkpoint_problem"] is not None for line in history] == [False, True, True, True, False, False]
    assert "the storage has not answered for 0 seconds" in history[1]["checkpoint_problem"]
    assert len([warning for warning in warnings() if "has not answered" in warning]) == 3
    for number in (2, 5, 6):
        assert federation.arrays(number) == federation.arrays(number, "undisturbed")
    assert layout.inspect(str(federation.checkpoints())).problems == ()


def test_storage_that_never_answers_does_not_hold_the_end(
    federation: Federation, storage: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "PATIENCE", 0.1)
    answers = threading.Event()
    storage(lambda number: answers.wait(60))
    with pytest.raises(RunFailedError, match=r"has not answered for .* seconds\. All rounds .* No checkpoint of this"):
        federation.train(num_rounds=1)
    answers.set()


def test_required_checkpoints_fail_the_run_when_the_storage_does_not_answer(
    federation: Federation, storage: Callable, monkeypatch: pytest.MonkeyPatch, warnings: Callable
) -> None:
    answers = threading.Event()

    def happens(number: int) -> None:
        if number == 2:
            answers.wait(60)

    def impatient_from_round_2(site: str, message: object) -> None:
        # A busy machine may be slow to save the first round.
        if message.has_content() and "config" in message.content:
            monkeypatch.setattr(saving, "PATIENCE", 0.2 if message.content["config"]["server-round"] == 2 else 300)

    storage(happens)
    with pytest.raises(NotSavedError, match=r"round 2 cannot be saved in .* storage has not answered for \d+ seconds"):
        federation.train(checkpoint_required=True, grid={"on_the_way": impatient_from_round_2})
    answers.set()
    (warning,) = warnings()
    assert re.search(r"has not answered .* The last good one is of round 1, .* \(fl_checkpoint_required\), so", warning)
    assert federation.published("failure.json")["reason"] == "not_saved"
    assert [line["round"] for line in federation.published("history.jsonl")] == [1]


HANGING = """
import os, sys, time
from fedops_kit import saving
from fedops_kit.checkpoints import CheckpointDirectory

class Hangs(CheckpointDirectory):
    def save(self, *arguments):
        os.open(os.path.join(self.path, "pipe"), os.O_RDONLY)  # nobody ever writes to it: a call into the kernel

saving.PATIENCE = 0.2
close, os.close = os.close, lambda descriptor: time.sleep(3600)
checkpoints = sys.modules["fedops_kit.checkpoints"]
checkpoints._FAREWELL = 0.2
directory = Hangs(sys.argv[1], 0, False)
with directory.locked():
    saving.Saver(directory, True, None).save({}, {}, {"round": 1})
"""


def test_calls_that_hang_in_the_kernel_do_not_keep_the_process(tmp_path: Path) -> None:
    """Neither the save nor the lock, which storage that is away does not even let go of."""
    os.mkfifo(tmp_path / "pipe")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", HANGING, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("fedops_kit.errors.NotSavedError: The checkpoint of round 1")
