# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark beside NVFlare: what is seen of its processes and made of its rounds. NVFlare itself does not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

import nvflare as benchmark
import proof_of_concept
from common import Spread
from federation import BenchmarkError
from memory_watch import Peaks
from phases import PHASES

CASE = benchmark.Case(44, 60)


class Watch:
    """Has seen what it is told."""

    def __init__(self, **hosts: int) -> None:
        self._peaks = Peaks(hosts=hosts)

    def start(self) -> None:
        """Begin."""

    def stop(self) -> Peaks:
        return self._peaks


def job(place: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> benchmark.ProofOfConcept:
    """A proof of concept whose job is a script of so many lines; ``given`` are its options."""
    script = place / "job.py"
    script.write_text(f"import sys\ngiven = dict(word[2:].split('=') for word in sys.argv[1:])\n{lines}")
    monkeypatch.setattr(proof_of_concept, "PYTHON", sys.executable)
    monkeypatch.setattr(proof_of_concept, "JOB", script)
    return benchmark.ProofOfConcept(place)


def test_rounds_are_between_the_moments_that_the_controller_told(tmp_path: Path, monkeypatch) -> None:
    proof = job(
        tmp_path,
        monkeypatch,
        "open(given['moments'], 'w').write('\\n'.join(['10', '30', '32.5', '36.5']))\n"
        "print('FINISHED:COMPLETED' if [given[name] for name in ('megabytes', 'arrays', 'clients', 'rounds')]"
        " == ['44', '60', '3', '4'] else given)\n",
    )
    assert proof.train(CASE, 4) == [2.5, 4.0]  # the first round starts what is started once


@pytest.mark.parametrize("lines", ["print('FINISHED:ABORTED')", "print('FINISHED:COMPLETED')\nsys.exit(1)"])
def test_a_training_that_ended_otherwise_has_no_rounds(tmp_path: Path, monkeypatch, lines: str) -> None:
    proof = job(tmp_path, monkeypatch, lines)
    with pytest.raises(BenchmarkError, match=r"NVFlare did not end its training"):
        proof.train(CASE, 4)
    block = benchmark.measure(Watch(server=10**6), lambda: benchmark.Trained(proof.train(CASE, 4)))
    result = benchmark.result_of(benchmark.NVFLARE, CASE, [block])
    assert (result.rounds, result.seconds, result.server_megabytes) == (0, None, 1)
    assert benchmark.told(result).endswith("NVFlare        NVFlare did not end its training:")


def test_the_processes_of_a_site_are_those_that_name_its_directory() -> None:
    proof = benchmark.ProofOfConcept(Path("/nowhere"))
    command = [sys.executable, "-c", "print(flush=True); input()", "-m", "/x/example_project/prod_00/site-2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert proof.processes("site-2") == {process.pid: "site-2"}
        assert proof.processes("site-1") == {}
        process.communicate(b"\n")
    assert proof.processes("site-2") == {}


def result(system: str, case: benchmark.Case, *blocks: benchmark.Block) -> benchmark.Result:
    return benchmark.result_of(system, case, blocks or [benchmark.Block(benchmark.Trained([2.0, 3.0]), 0, 0, 0.5)])


def test_memory_is_the_servers_and_that_of_the_site_that_took_most() -> None:
    watch = Watch(server=600 * 10**6, **{"site-1": 200 * 10**6, "site-2": 300 * 10**6})
    block = benchmark.measure(watch, lambda: benchmark.Trained([2.0, 4.0, 3.0]))
    found = result(benchmark.OURS, CASE, block)
    assert (found.seconds, found.server_megabytes, found.site_megabytes) == (Spread(3.0, 2.5, 3.5), 600, 300)
    assert "44 MB in 60 arrays" in benchmark.told(found)
    assert "3.00 s a round (3 rounds)   server 600 MB, a site 300 MB" in benchmark.told(found)


def test_the_trainings_of_a_system_are_put_together() -> None:
    phases = [dict.fromkeys(PHASES, seconds) for seconds in (0.1, 0.3)]
    blocks = [
        benchmark.Block(benchmark.Trained([1.0, 2.0], phases), 5 * 10**6, 10**6, 0.5),
        benchmark.Block(benchmark.Trained([3.0]), 4 * 10**6, 2 * 10**6, 1.5),
    ]
    found = result(benchmark.OURS, CASE, *blocks)
    assert (found.rounds, found.seconds, found.load_average) == (3, Spread(2.0, 1.5, 2.5), 1.0)
    assert (found.server_megabytes, found.site_megabytes) == (5, 2)
    assert found.phases == dict.fromkeys(PHASES, 0.2)
    assert result(benchmark.NVFLARE, CASE).phases is None


def test_systems_and_models_take_turns_and_what_fails_is_left_out() -> None:
    trained: list[str] = []
    small, large = benchmark.Case(1, 4), CASE

    def training(system: str, case: benchmark.Case) -> benchmark.Block:
        trained.append(f"{system}{case.megabytes}")
        fails = (system, case) == ("b", large)
        return benchmark.Block(benchmark.Trained(), 0, 0, 0.0, "no" if fails else None)

    *_before, found = benchmark.compare({small: ["a", "b"], large: ["a", "b", "c"]}, 3, training)
    assert trained == [*("a1", "b1", "a44", "b44", "c44"), *("c44", "a44", "b1", "a1"), *("a1", "b1", "c44", "a44")]
    assert {key: len(blocks) for key, blocks in found.items()} == {
        **{(small, "a"): 3, (small, "b"): 3},
        **{(large, "a"): 3, (large, "b"): 1, (large, "c"): 3},
    }


def test_the_picture_opens_where_one_system_failed(tmp_path: Path) -> None:
    cases, systems = (CASE, benchmark.Case(1, 1)), (benchmark.OURS, benchmark.NVFLARE)
    results = [result(system, case) for case in cases for system in systems]
    results.append(result(benchmark.BARE, CASE, benchmark.Block(benchmark.Trained(), 0, 0, 0.0, "it failed")))
    benchmark.draw(results, 3, tmp_path / "nvflare.png")
    assert (tmp_path / "nvflare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "44"], "--cases are 44 but must look like 44:60, megabytes and arrays"),
        (["--cases", "44:x"], "must look like"),
        (["--cases", "1:0", "1:250001"], "no such models: 1 MB in 0 arrays, 1 MB in 250001 arrays"),
        (["--blocks", "0"], "--blocks is 0 but must be at least 1"),
        (["--rounds", "3"], "--rounds is 3 but must be at least 4"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], said: str, capsys) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert said in capsys.readouterr().err
