# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation that is simulated on one host: who its sites are, and what becomes of its runs."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import digest
from ansible_collections.fedops.flower.plugins.module_utils._flower.simulated import (
    Simulation,
    SimulationError,
    simulated_sites,
)

FINISHES = r"""
import json, pathlib, sys
spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
told = pathlib.Path(sys.argv[1]).parent
result = {"configuration_hash": "h", "rounds": 2}
print("it works")
(told / "result.json").write_text(json.dumps(result))
(told / "history.jsonl").write_text('{"round": 2, "loss": 1}\n{"round": 1}\n{"round": 2, "loss": 3}\n')
"""
FAILS = """
import json, pathlib, sys
print("the last words")
(pathlib.Path(sys.argv[1]).parent / "failure.json").write_text(json.dumps({"message": "no data"}))
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
    simulation.run(sys.executable, str(path), {"app": "x"})


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
    with pytest.raises(SimulationError, match="its program has ended with status 0"):
        run(simulation, tmp_path, "")
    with pytest.raises(SimulationError, match="/nowhere/python cannot be run: .*Set simulation_python."):
        simulation.run("/nowhere/python", "x", {"app": "x"})


def test_what_it_was_told_is_written_for_the_program(simulation: Simulation, tmp_path: Path) -> None:
    run(simulation, tmp_path, FINISHES)
    assert json.loads(Path(simulation.published, "simulation.json").read_text()) == {"app": "x"}


def test_a_history_that_is_damaged_is_told(simulation: Simulation, tmp_path: Path) -> None:
    run(simulation, tmp_path, FINISHES)
    Path(simulation.published, "history.jsonl").write_text("{")
    with pytest.raises(SimulationError, match="history.jsonl cannot be read"):
        print(simulation.history)
