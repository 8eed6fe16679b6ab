# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation that is simulated on one host: who its sites are, and what becomes of its runs."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import digest
from ansible_collections.fedops.flower.plugins.module_utils._flower.simulated import (
    Simulation,
    SimulationError,
    simulated_sites,
    simulation_settings,
)

PROGRAM = Path(__file__).resolve().parents[5] / "roles/simulation/files/simulate.py"

FINISHES = r"""
import json, pathlib, sys
spec = json.loads(pathlib.Path(sys.argv[-1]).read_text())
told = pathlib.Path(sys.argv[-1]).parent
result = {"configuration_hash": "h", "rounds": 2}
print("it works")
(told / "result.json").write_text(json.dumps(result))
(told / "history.jsonl").write_text('{"round": 2, "loss": 1}\n{"round": 1}\n{"round": 2, "loss": 3}\n')
"""
FAILS = """
import json, pathlib, sys
print("the last words")
(pathlib.Path(sys.argv[-1]).parent / "failure.json").write_text(json.dumps({"message": "no data"}))
sys.exit(3)
"""


def names(found: list[dict[str, str]]) -> list[str]:
    return [site["name"] for site in found]


@pytest.mark.parametrize(
    ("asked", "folders", "found"),
    [
        (None, None, ["site-1", "site-2", "site-3"]),
        ("", None, ["site-1", "site-2", "site-3"]),
        (2, None, ["site-1", "site-2"]),
        ("2", None, ["site-1", "site-2"]),
        ("a, b", None, ["a", "b"]),
        (["a"], None, ["a"]),
        ("", ["/data/z", "/data/b"], ["b", "z"]),
        ("1", ["/data/z", "/data/b"], ["b"]),
        ("z", ["/data/z", "/data/b"], ["z"]),
    ],
)
def test_sites_are_a_number_or_names_or_all_that_have_data(asked: object, folders: list | None, found: list) -> None:
    sites = simulated_sites(asked, "/data", folders)
    assert names(sites) == found
    assert [site["data"] for site in sites] == [f"/data/{name}" for name in found]


@pytest.mark.parametrize(
    ("asked", "folders", "said"),
    [
        (0, None, "simulation_sites is 0 but must be 1 or more"),
        (3, ["/data/a"], "simulation_sites is 3 but must be 1 or more, and at most the folders of data that there are"),
        ("a,a", None, "there is none, or one twice"),
        ("a,../b", None, "Not so: ../b"),
        ("a,b", ["/data/a"], "Not so: b"),
        ("", [], "there is none, or one twice"),
    ],
)
def test_what_names_no_sites_is_refused(asked: object, folders: list | None, said: str) -> None:
    with pytest.raises(SimulationError, match=said):
        simulated_sites(asked, "/data", folders)


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation(str(tmp_path / "own"), "digits")


def run(simulation: Simulation, tmp_path: Path, program: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(program)
    simulation.begin(sys.executable, str(path), {"app": "x"})
    assert not simulation.look(99, 30.0)
    simulation.expect_result()


def test_an_app_is_put_in_place_once_and_again_where_it_was_changed(simulation: Simulation, tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text("one = 1")
    files = {"app/source.py": str(source), "simulate.py": str(source)}
    checksum, archive = digest(files), tmp_path / "files.tar"
    with tarfile.open(archive, "w") as tar:
        for name, path in files.items():
            tar.add(path, arcname=name)
    assert not simulation.has(checksum)
    for _time in range(2):
        simulation.put(checksum, str(archive))
        assert simulation.has(checksum)
        placed = Path(simulation.source(checksum), "app/source.py")
        assert placed.read_text() == "one = 1"
        placed.write_text("one = 2")
        assert not simulation.has(checksum)


def test_a_run_that_ends_well_is_not_run_again(simulation: Simulation, tmp_path: Path) -> None:
    assert not simulation.is_finished("h", "", 2)
    run(simulation, tmp_path, FINISHES)
    assert simulation.history == [{"round": 1}, {"round": 2, "loss": 3}]
    assert Path(simulation.log).read_text() == "it works\n"
    assert simulation.is_finished("h", "", 2)
    assert [simulation.is_finished(*other) for other in (("h", "", 3), ("x", "", 2), ("h", "code", 2))] == [False] * 3


def test_a_run_that_fails_tells_why_and_where_its_log_is(simulation: Simulation, tmp_path: Path) -> None:
    run(simulation, tmp_path, FINISHES)
    with pytest.raises(SimulationError, match="has failed: no data. Its log is .*simulation.log.\nthe last words"):
        run(simulation, tmp_path, FAILS)
    assert not simulation.is_finished("h", "", 2)
    with pytest.raises(SimulationError, match=r"its program has ended\. Its log is"):
        run(simulation, tmp_path, "")
    with pytest.raises(SimulationError, match="/nowhere/python cannot be run: .*Set simulation_python."):
        simulation.begin("/nowhere/python", "x", {"app": "x"})
    assert simulation.at_work == ""


def test_what_has_ended_before_its_last_round_is_not_run_again(simulation: Simulation) -> None:
    config = 'early-stopping-patience = 2\nearly-stopping-min-delta = 0.0\nearly-stopping-metric = "loss"\n'
    config += 'early-stopping-mode = "auto"\nearly-stopping-warmup-rounds = 0\n'
    settings = {"patience": 2, "min_delta": 0.0, "metric": "loss", "mode": "auto", "warmup_rounds": 0}
    result = {"configuration_hash": "h", "rounds": 2, "early_stopping": {**settings, "over": True}}
    Path(simulation.published).mkdir(parents=True)
    Path(simulation.published, "result.json").write_text(json.dumps(result))
    assert simulation.is_finished("h", "", 9, config)
    assert not simulation.is_finished("h", "", 9, config.replace("patience = 2", "patience = 3"))


TRAINS = """
import json, os, pathlib, sys, time
told = pathlib.Path(sys.argv[-1]).parent
(told / "effective.json").write_text('{"run_id": "7"}')
with (told / "history.jsonl").open("w") as history:
    for number in (1, 2, 3):
        while not (told / f"go_{number}").exists():
            time.sleep(0.02)
        print(json.dumps({"round": number, "run_id": "7"}), file=history, flush=True)
(told / "result.json").write_text('{"rounds": 3}')
"""


def test_each_round_is_seen_when_it_is_finished(simulation: Simulation, tmp_path: Path) -> None:
    program, told = tmp_path / "program.py", Path(simulation.published)
    program.write_text(TRAINS)
    spec = {"app": "x"}
    assert not simulation.is_begun(spec)
    simulation.begin(sys.executable, str(program), spec)
    assert (simulation.is_begun(spec), simulation.at_work) == (True, "digits")
    (told / "history.jsonl").write_text('{"round": 1, "run_id": "6"}\n')  # of the run before
    assert (simulation.look(1, 0.0), simulation.new_rounds) == (True, [])
    (told / "go_1").touch()
    assert simulation.look(1, 30.0)
    assert [event["round"] for event in simulation.new_rounds] == [1]
    with pytest.raises(SimulationError, match="The training digits is being simulated in .*not as is asked for now"):
        simulation.is_begun({"app": "y"})
    for busy in (simulation, Simulation(simulation.directory, "other")):
        with pytest.raises(SimulationError, match="The training digits is being simulated"):
            busy.begin(sys.executable, str(program), spec)
    (told / "go_2").touch()
    (told / "go_3").touch()
    assert not simulation.look(9, 30.0)
    simulation.expect_result()
    assert [event["round"] for event in simulation.history] == [1, 2, 3]


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    found = importlib.util.spec_from_file_location("simulate", PROGRAM)
    assert found is not None
    assert found.loader is not None
    program = importlib.util.module_from_spec(found)
    found.loader.exec_module(program)
    return program


@pytest.mark.parametrize(("code", "status"), [("", 0), ("import sys; sys.exit(3)", 3)])
def test_the_program_that_keeps_it_tells_how_it_has_ended(keeper, tmp_path: Path, code: str, status: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import os; assert os.path.isdir(os.environ['RAY_TMPDIR'])\n{code}")
    (tmp_path / "simulation.followed").touch()
    assert keeper.keep(str(tmp_path / "simulation.json"), str(program)) == 0
    assert json.loads((tmp_path / "simulation.status").read_text()) == {"status": status}


@pytest.mark.parametrize("removed", [False, True])
def test_it_ends_with_all_that_it_has_started_when_nobody_looks_any_more(
    keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd, removed: bool
) -> None:
    program, child = tmp_path / "program.py", tmp_path / "child"
    program.write_text(
        "import pathlib, subprocess, time; one = subprocess.Popen(['sleep', '600']);"
        f"pathlib.Path({str(child)!r}).write_text(str(one.pid)); time.sleep(600)"
    )
    if not removed:
        (tmp_path / "simulation.followed").touch()
    monkeypatch.setattr(keeper, "PATIENCE", 1.0)
    if removed:
        monkeypatch.setattr(keeper, "_unseen", lambda followed: 2.0 if child.exists() else 0.0)
    keeper.keep(str(tmp_path / "simulation.json"), str(program))
    assert json.loads((tmp_path / "simulation.status").read_text()) == {"status": -signal.SIGTERM}
    assert "Nobody looks at this simulation any more" in capfd.readouterr().out
    number = int(child.read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{number}/stat").exists() and " Z " not in Path(f"/proc/{number}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("empty", [None, "", " "])
def test_numbers_that_were_left_empty_have_their_defaults(empty: object) -> None:
    found = simulation_settings({"cpus": empty, "gpus": empty})
    assert found == {"cpus": 1.0, "gpus": 0.0, "alpha": 0.5, "problems": []}
    assert simulation_settings({"cpus": "2", "gpus": 0.25, "alpha": "0.1"})["cpus"] == 2.0


def test_numbers_that_are_none_are_all_told() -> None:
    assert simulation_settings({"cpus": 0, "gpus": "-1", "alpha": "few"})["problems"] == [
        "simulation_cpus is 0 but must be a number above 0. Leave it unset for 1.",
        "simulation_gpus is '-1' but must be a number at least 0. Leave it unset for 0.",
        "simulation_alpha is 'few' but must be a number above 0. Leave it unset for 0.5.",
    ]
    assert len(simulation_settings({"cpus": True, "gpus": "inf", "alpha": "nan"})["problems"]) == 3


def test_what_it_was_told_is_written_for_the_program(simulation: Simulation, tmp_path: Path) -> None:
    run(simulation, tmp_path, FINISHES)
    assert json.loads(Path(simulation.published, "simulation.json").read_text()) == {"app": "x"}


def test_a_history_that_is_damaged_is_told(simulation: Simulation, tmp_path: Path) -> None:
    run(simulation, tmp_path, FINISHES)
    history = Path(simulation.published, "history.jsonl")
    history.write_text('{"round": 1}\n{"rou')
    assert simulation.history == [{"round": 1}]  # the next one is being written
    history.write_text("{\n")
    with pytest.raises(SimulationError, match="history.jsonl cannot be read"):
        print(simulation.history)
