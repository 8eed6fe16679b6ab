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
from common import Spread
from federation import BenchmarkError
from memory_watch import Peaks

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
    monkeypatch.setattr(benchmark, "PYTHON", sys.executable)
    monkeypatch.setattr(benchmark, "JOB", script)
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
    result = benchmark.measure(benchmark.NVFLARE, CASE, Watch(server=10**6), lambda: proof.train(CASE, 4))
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


def test_memory_is_the_servers_and_that_of_the_site_that_took_most() -> None:
    watch = Watch(server=600 * 10**6, **{"site-1": 200 * 10**6, "site-2": 300 * 10**6})
    result = benchmark.measure(benchmark.OURS, CASE, watch, lambda: [2.0, 4.0, 3.0])
    assert (result.seconds, result.server_megabytes, result.site_megabytes) == (Spread(3.0, 2.5, 3.5), 600, 300)
    assert "44 MB in 60 arrays" in benchmark.told(result)
    assert "3.00 s a round (3 rounds)   server 600 MB, a site 300 MB" in benchmark.told(result)


def test_the_picture_opens_where_one_system_failed(tmp_path: Path) -> None:
    results = [
        benchmark.measure(system, case, Watch(server=10**6, site=10**6), lambda: [2.0, 3.0])
        for case in (CASE, benchmark.Case(1, 1))
        for system in (benchmark.OURS, benchmark.NVFLARE)
    ]
    results.append(benchmark.Result(benchmark.BARE, 44, 60, 0, None, 0, 0, "it failed"))
    benchmark.draw(results, tmp_path / "nvflare.png")
    assert (tmp_path / "nvflare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "44"], "--cases are 44 but must look like 44:60, megabytes and arrays"),
        (["--cases", "44:x"], "must look like"),
        (["--cases", "1:0", "1:250001"], "no such models: 1 MB in 0 arrays, 1 MB in 250001 arrays"),
        (["--rounds", "3"], "--rounds is 3 but must be at least 4"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], said: str, capsys) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert said in capsys.readouterr().err
