# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training that was harmed is told to have come to."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest
import recovery
from drills import DRILLS, HOST_DRILLS, SERVER, SITE, VICTIMS, Act, Drill

from fedops_app import task
from fedops_app.settings import Settings

FOLDER = "/opt/flower/trainings/recovery-1"
PUBLISHED = "/opt/flower/published/recovery-1"


@pytest.fixture
def exercise(tmp_path: Path) -> recovery.Exercise:
    """An exercise on a host whose files are here."""
    federation = SimpleNamespace(
        superlink="superlink1",
        supernodes=["supernode1"],
        root=lambda dummy: tmp_path,
        processes=lambda dummy: {1: recovery.SERVER_APP},
    )
    made = recovery.Exercise(federation, rounds=3, task=tmp_path)
    made.story = recovery.Story(federation, FOLDER)
    made.round_seconds = 0.01
    for folder in (FOLDER, PUBLISHED):
        (tmp_path / folder.lstrip("/")).mkdir(parents=True)
    return made


def tell(root: Path, *rounds: int, name: str = "history.jsonl", moment: str = "") -> None:
    moment = moment or datetime.now(UTC).isoformat()
    lines = ({"round": number, "time": moment, "failed": []} for number in rounds)
    with (root / PUBLISHED.lstrip("/") / name).open("a") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)


def test_the_story_is_what_is_whole_of_it(exercise, tmp_path) -> None:
    assert (exercise.story.round, exercise.story.supervision(), exercise.story.result()) == (0, {}, {})
    tell(tmp_path, 1, 2)
    with (tmp_path / PUBLISHED.lstrip("/") / "history.jsonl").open("a") as stream:
        stream.write('{"round": 3, "ti')
    assert exercise.story.round == 2


def test_while_the_host_is_down_the_story_is_what_was_known(exercise, tmp_path) -> None:
    tell(tmp_path, 1)
    assert exercise.story.round == 1

    def no_process(_host: str) -> Path:
        raise recovery.BenchmarkError("it is down")

    exercise.federation.root = no_process
    assert exercise.story.round == 1
    assert exercise.story.supervision() == {}


@pytest.mark.parametrize(
    ("rounds", "sha256", "expected"),
    [
        ((1, 2, 3), "a", []),
        ((1, 3), "a", ["The rounds are [1, 3], but 3 were asked for."]),
        ((1, 2, 2, 3), "a", ["Rounds were trained twice: [2]."]),
        ((1, 2, 3), "b", ["The model is b, undisturbed it is a."]),
    ],
)
def test_a_training_that_ends_otherwise_than_the_undisturbed_one_is_a_problem(
    exercise, tmp_path, rounds, sha256, expected
) -> None:
    tell(tmp_path, *rounds)
    assert recovery.problems(exercise, {"sha256": sha256}, {"sha256": "a"}) == expected


def test_a_drill_harms_waits_ends_and_counts(exercise, tmp_path) -> None:
    tell(tmp_path, 1)
    done = []

    def end(_federation: object) -> None:
        done.append("end")
        Timer(0.3, tell, (tmp_path, 2)).start()

    outcome = exercise.run(Drill("x", done.append, end, 0.02))
    assert done == [exercise.federation, "end"]
    assert (outcome.round, outcome.lost, outcome.failed, outcome.repeated) == (2, [], [], [])
    assert 0.1 <= outcome.next_round < 5


def test_a_drill_begins_when_the_next_serverapp_is_there(exercise, tmp_path) -> None:
    tell(tmp_path, 1)
    looks = [{}, {1: "flower-superexec"}, {1: "flower-superexec", 2: recovery.SERVER_APP}]
    exercise.federation.processes = lambda dummy: looks.pop(0)

    def harm(_federation: object) -> None:
        assert not looks
        Timer(0.3, tell, (tmp_path, 2)).start()

    assert exercise.run(Drill("x", harm)).round == 2


def test_a_round_that_a_clock_ahead_tells_of_was_finished_when_it_was_seen(exercise, tmp_path) -> None:
    tell(tmp_path, 1, moment="2026-11-25T20:00:00+00:00")
    tell(tmp_path, 2, moment="2999-01-01T00:00:00+00:00")
    told, seen = exercise.story.finished(0)
    assert datetime.fromtimestamp(told, UTC).isoformat() == "2026-11-25T20:00:00+00:00"
    assert seen <= time.time()
    assert exercise.story.finished(0) == [told, seen]


def test_a_drill_is_prepared_and_taken_back_in_peace(exercise, tmp_path) -> None:
    tell(tmp_path, 1)
    done = []

    def go_on(what: str) -> Act:
        def act(_federation: object) -> None:
            done.append(what)
            for rounds in (1, 2):
                Timer(0.2 * rounds, tell, (tmp_path, len(done) * 2 + rounds - 1)).start()

        return act

    drill = Drill("x", go_on("harm"), prepare=go_on("prepare"), take_back=go_on("take back"))
    outcome = exercise.run(drill)
    assert done == ["prepare", "harm", "take back"]
    assert outcome.round == 4


def test_what_was_counted_is_held_against_the_target(exercise, tmp_path) -> None:
    tell(tmp_path, 1)
    drill = Drill("x", lambda dummy: tell(tmp_path, 2), target=10)
    outcome = replace(exercise.run(drill), delay=9.0)
    assert recovery.said(outcome).endswith("target 10 s: met")
    assert recovery.said(replace(outcome, delay=10.1)).endswith("target 10 s: MISSED")
    assert "target" not in recovery.said(replace(outcome, target=None))


def test_the_slow_task_comes_to_what_the_own_one_comes_to(tmp_path, monkeypatch) -> None:
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    settings = Settings(learning_rate=0.1, local_epochs=1, batch_size=8, proximal_mu=0.0, seed=1)
    pixels = np.random.default_rng(1).integers(0, 17, (20, 64)).astype(np.float32)
    np.savez(tmp_path / "train.npz", x=pixels, y=np.arange(20) % 10)
    with recovery.slow_task() as path:
        spec = spec_from_file_location("fedops_app.slow_task", path)
        slow = module_from_spec(spec)
        spec.loader.exec_module(slow)
    arrays = task.initial_arrays(1)
    ours, theirs = (module.train(arrays, tmp_path, settings) for module in (task, slow))
    assert ours[1] == theirs[1]
    assert {name: array.tobytes() for name, array in ours[0].items()} == {
        name: array.tobytes() for name, array in theirs[0].items()
    }
    assert pauses == [4.0]


def test_kills_at_random_are_the_same_for_a_seed() -> None:
    first, second = (list(recovery.at_random(9, random.Random(5))) for dummy in range(2))
    assert [(drill.name, moment) for drill, moment in first] == [(drill.name, moment) for drill, moment in second]
    assert {drill.harm for drill, _moment in first} <= set(VICTIMS.values())


def test_every_drill_has_a_name_of_its_own_and_an_end_where_it_lasts() -> None:
    every = DRILLS + HOST_DRILLS
    assert len({drill.name for drill in every}) == len(every)
    assert all(drill.end for drill in every if drill.seconds)
    assert all(drill.watched for drill in every if drill.counts == "online")
    assert all(drill.prepare for drill in every if drill.take_back)


@pytest.mark.parametrize("unit", [*SERVER, *SITE])
def test_what_is_harmed_are_units_of_ours(unit) -> None:
    name, at, _instance = unit.partition("@")
    assert list(Path(__file__).parents[3].glob(f"roles/*/templates/{name}{at}.service.j2"))
