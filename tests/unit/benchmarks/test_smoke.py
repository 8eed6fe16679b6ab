# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every benchmark has a smallest run in test-all, and a run that does nothing is none."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import smoke

ROOT = Path(__file__).parents[3]


def test_every_benchmark_is_run() -> None:
    benchmarks = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if path.stem != "smoke" and "new_parser(__doc__)" in path.read_text("utf-8")
    }
    assert benchmarks == {*smoke.SMOKES, *smoke.SCENARIOS}


@pytest.mark.parametrize(("name", "scenario"), smoke.SCENARIOS.items())
def test_a_scenario_that_stands_in_for_a_smoke_runs_the_benchmark(name: str, scenario: str) -> None:
    assert f"benchmarks/{name}.py" in (ROOT / "molecule" / scenario / "verify.yml").read_text("utf-8")


def test_they_are_part_of_test_all() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (recipe,) = [part for part in makefile.split("\n\n") if part.startswith(".PHONY: test-all\n")]
    assert {"smoke-benchmarks", "molecule-long"} <= set(recipe.split())
    assert not {*smoke.SCENARIOS.values()} - set(makefile.split("\nLONG := ")[1].splitlines()[0].split())


class BegunError(Exception):
    """The benchmark has taken its arguments."""


@pytest.mark.parametrize("name", smoke.SMOKES)
def test_a_benchmark_takes_the_arguments_of_its_smoke(name: str, tmp_path: Path, monkeypatch) -> None:
    def begin(*dummy: object, **more: object) -> None:
        raise BegunError

    module = importlib.import_module(name)
    for step in ("machine", "measure", "Federation"):  # the first thing that it does is one of them
        monkeypatch.setattr(module, step, begin, raising=False)
    for what in ("podman", "nvflare"):
        monkeypatch.setattr(module, f"require_{what}", lambda parser: None, raising=False)
    monkeypatch.setattr("shutil.which", lambda command: command)
    with pytest.raises(BegunError):
        module.main(smoke.SMOKES[name].command(name, tmp_path, smoke.SMOKES[name].shares)[2:])


@pytest.fixture
def benchmarks(tmp_path, monkeypatch):
    """Have benchmarks whose programs are here."""
    monkeypatch.setattr(smoke, "BENCHMARKS", tmp_path)
    smokes: dict[str, smoke.Smoke] = {}
    monkeypatch.setattr(smoke, "SMOKES", smokes)

    def add(name: str, program: str, **more: bool) -> None:
        smokes[name] = smoke.Smoke(("--megabytes", "1"), **more)
        (tmp_path / f"{name}.py").write_text(f"import pathlib, sys\nresults = sys.argv[4]\n{program}")

    return add


WRITES = "pathlib.Path(results, pathlib.Path(sys.argv[0]).stem + '.json').write_text('{}')"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (WRITES, "a: well"),
        (f"{WRITES}\nsys.exit(1)", "a: it ended with 1"),
        ("", "a: it wrote nothing, not a.json"),
        ("pathlib.Path(results, 'b.json').write_text('{}')", "a: it wrote ['b.json'], not a.json"),
    ],
)
def test_a_benchmark_must_end_well_and_write_its_figures(benchmarks, capsys, program: str, said: str) -> None:
    benchmarks("a", program)
    benchmarks("after", WRITES)
    assert smoke.main([]) == (0 if said == "a: well" else 1)
    told = capsys.readouterr().out
    assert said in told
    assert "after: well" in told  # whatever became of the one before


def test_hosts_are_left_for_those_that_share_them_and_no_longer(benchmarks, monkeypatch) -> None:
    for name in ("a", "b", "c"):
        benchmarks(name, "", hosts=True, shares=name != "b")
    kept = {}
    monkeypatch.setattr(smoke, "run", lambda name, keep_hosts: kept.update({name: keep_hosts}) or "")
    assert smoke.main([]) == 0
    assert kept == {"a": True, "b": False, "c": False}
    kept.clear()
    assert smoke.main(["a"]) == 0
    assert kept == {"a": False}
    assert smoke.SMOKES["a"].command("a", Path("r"), True)[-3:] == ["--results", "r", "--keep-hosts"]


def test_those_that_need_hosts_can_be_left_out(benchmarks, monkeypatch) -> None:
    benchmarks("a", "", hosts=True)
    benchmarks("b", "")
    ran = []
    monkeypatch.setattr(smoke, "run", lambda name, keep_hosts: ran.append(name) or "")
    assert smoke.main(["--without-hosts"]) == 0
    assert ran == ["b"]


def test_a_benchmark_that_is_none_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        smoke.main(["chekpoint"])
    assert "chekpoint is none of checkpoint," in capsys.readouterr().err
    assert Path(sys.executable).name in smoke.SMOKES["checkpoint"].command("checkpoint", Path("r"), False)[0]
