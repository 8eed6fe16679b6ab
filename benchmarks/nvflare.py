# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a round of models of some sizes with NVFlare's and with bare Flower's, in turn on one machine.

NVFlare runs as its own proof of concept: a server and as many clients, as processes of this machine, with TLS and its
own FedAvg. Ours and bare Flower run on the test hosts: bare Flower is its own programs, with an app as its quickstart
has it. All carry the same arrays, hardly train, and save nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from common import ROOT, Spread, bars, machine, new_parser, save, subplots, write_json
from federation import BenchmarkError, Federation, require_podman
from memory_watch import MemoryWatch
from phases import PHASES
from plain_flower import plain_flower
from proof_of_concept import MEGABYTE, PYTHON, SITES, Case, ProofOfConcept
from round import BARE, DROPPED, OURS, train, variables
from watched import WatchedHosts, sized_task, watched

CASES = ((1, 4), (44, 1), (44, 60), (44, 120), (44, 400))  # megabytes, arrays
FEWEST = DROPPED + 3  # rounds: the last one has no end that all three tell, and quartiles need two
MANY = 60  # arrays, with which bare Flower trains no more rounds than it must

NVFLARE = "NVFlare"
SYSTEMS = (OURS, NVFLARE, BARE)

T = TypeVar("T")


@dataclass(frozen=True)
class Trained:
    """The rounds of a training, and what each of them went into, where a system tells."""

    seconds: Sequence[float] = ()
    phases: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Block:
    """One training of one system."""

    trained: Trained
    server: int  # bytes: the most that all processes of its host took at the same moment
    site: int  # the same of the site that took most
    load: float  # of the machine when it began
    failure: str | None = None


@dataclass(frozen=True)
class Result:
    """What was measured of one system with one model."""

    system: str
    megabytes: int
    arrays: int
    rounds: int
    seconds: Spread | None  # of a round
    server_megabytes: int
    site_megabytes: int
    phases: Mapping[str, float] | None  # means, which add up to that of a round
    load_average: float  # mean over the beginnings of the trainings
    failure: str | None = None


def measure(watch: MemoryWatch, trained: Callable[[], Trained]) -> Block:
    """Have a system train, under the eyes of a watch; a failure is a result too."""
    found, failure, load = Trained(), None, os.getloadavg()[0]
    watch.start()
    try:
        found = trained()
    except BenchmarkError as error:
        failure = str(error).strip().splitlines()[0]
    server, *sites = watch.stop().hosts.values() or [0]
    return Block(found, server, max(sites, default=0), load, failure)


def result_of(system: str, case: Case, blocks: Sequence[Block]) -> Result:
    """Put the trainings of one system with one model together."""
    seconds = [each for block in blocks for each in block.trained.seconds]
    phases = [each for block in blocks for each in block.trained.phases]
    return Result(
        system=system,
        megabytes=case.megabytes,
        arrays=case.arrays,
        rounds=len(seconds),
        seconds=Spread.of(seconds) if len(seconds) > 1 else None,
        server_megabytes=round(max(block.server for block in blocks) / MEGABYTE),
        site_megabytes=round(max(block.site for block in blocks) / MEGABYTE),
        phases={name: round(statistics.fmean(each[name] for each in phases), 3) for name in PHASES} if phases else None,
        load_average=round(statistics.fmean(block.load for block in blocks), 2),
        failure=next((block.failure for block in blocks if block.failure), None),
    )


def _flower(name: str, case: Case, rounds: int, federation: Federation, hosts: WatchedHosts) -> Trained:
    with sized_task(case.megabytes, case.arrays) as task:
        found = train(federation, hosts, variables(name, task), rounds)
    return Trained([each.seconds for each in found], [each.round.phases for each in found])


def with_nvflare(case: Case, rounds: int, sites: int = SITES) -> Block:
    """Have NVFlare train with one model, with processes of its own."""
    with tempfile.TemporaryDirectory(prefix="nvflare-") as scratch:
        proof = ProofOfConcept(Path(scratch), sites)
        return measure(MemoryWatch(proof), lambda: Trained(proof.train(case, rounds)))


def with_flower(system: str, case: Case, rounds: int, federation: Federation, hosts: WatchedHosts) -> Block:
    """Have our app, or the bare one, train with one model, with processes that know no other one."""
    with plain_flower(federation) if system == BARE else nullcontext():
        federation.restart()
        return measure(MemoryWatch(federation), partial(_flower, system, case, rounds, federation, hosts))


def compare(
    cases: Mapping[Case, Sequence[str]], blocks: int, trained: Callable[[str, Case], Block]
) -> Iterator[dict[tuple[Case, str], list[Block]]]:
    """Have every system train with every model, in turn: what else the machine does then, it does to all of them.

    Yields what has been measured after each block, which begins with another model and system than the one before.
    """
    found: dict[tuple[Case, str], list[Block]] = {(case, system): [] for case in cases for system in cases[case]}
    for number in range(blocks):
        for case in _turned(list(cases), number):
            for system in _turned(cases[case], number):
                measured = found[case, system]
                if not any(block.failure for block in measured):
                    measured.append(trained(system, case))
                    print(told(result_of(system, case, measured[-1:])), flush=True)
        yield found


def _turned(things: Sequence[T], number: int) -> list[T]:
    shift = number % len(things)
    return [*things[shift:], *things[:shift]]


def told(result: Result) -> str:
    """Say one result in a line."""
    case = f"{Case(result.megabytes, result.arrays)!s:22}   {result.system:12}"
    if not result.seconds:
        return f"{case}   {result.failure or 'too few rounds'}"
    return (
        f"{case}   {result.seconds.median:6.2f} s a round ({result.rounds} rounds)"
        f"   server {result.server_megabytes} MB, a site {result.site_megabytes} MB   load {result.load_average:.1f}"
    )


def draw(results: Sequence[Result], sites: int, path: Path) -> None:
    """Draw the rounds and the memory of every system, model by model."""
    figure, axes = subplots(3, figsize=(16, 4.8))
    cases = list(dict.fromkeys(Case(result.megabytes, result.arrays) for result in results))
    systems = [system for system in SYSTEMS if any(result.system == system for result in results)]
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        own = [result for result in results if result.system == system and result.seconds]
        places = [cases.index(Case(each.megabytes, each.arrays)) + width * (number + 0.5) - 0.4 for each in own]
        bars(axes[0], places, [each.seconds for each in own if each.seconds], width=width, label=system)
        for side, name in ((axes[1], "server_megabytes"), (axes[2], "site_megabytes")):
            side.bar(places, [getattr(each, name) for each in own], width, label=system)
    axes[0].set(title="A round", ylabel="seconds (median, quartiles)")
    axes[1].set(title="Memory of the server's processes", ylabel="MB at most, all together")
    axes[2].set(title="Memory of a site's processes", ylabel="MB at most, all together")
    for each in axes:
        each.set_xticks(range(len(cases)), [f"{case.megabytes} MB\n{case.arrays}" for case in cases])
        each.set_xlabel("model, and its arrays")
        each.grid(axis="y", alpha=0.3)
        each.set_ylim(top=1.25 * each.get_ylim()[1])
        each.legend(loc="upper left", ncols=len(systems))
    figure.suptitle(f"{sites} sites, hardly any training")
    save(figure, path)


def require_nvflare(parser: argparse.ArgumentParser) -> None:
    """Refuse to start without NVFlare's environment."""
    if not PYTHON.exists():
        parser.error("NVFlare's environment is missing: make bench-nvflare installs it.")


def main(arguments: list[str] | None = None) -> int:
    """Boot the hosts, measure every case, write the figures and the picture, and remove the hosts."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--cases", nargs="+", metavar="MEGABYTES:ARRAYS", default=[f"{size}:{arrays}" for size, arrays in CASES]
    )
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM")
    parser.add_argument(
        "--bare-up-to", type=int, default=120, metavar="ARRAYS",
        help="leave bare Flower out with more arrays: a round takes minutes, or fails (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--blocks", type=int, default=2, help="how often every system trains (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each training (default: %(default)s)")
    parser.add_argument("--sites", type=int, default=SITES, help="of each federation (default: %(default)s)")
    parser.add_argument("--keep-hosts", action="store_true", help="leave the hosts for another time")
    options = parser.parse_args(arguments)
    try:
        cases = [Case(*(int(number) for number in case.split(":"))) for case in options.cases]
    except (TypeError, ValueError):
        parser.error(f"--cases are {' '.join(options.cases)} but must look like 44:60, megabytes and arrays")
    if unfit := [str(case) for case in cases if not 1 <= case.arrays <= case.megabytes * MEGABYTE // 4]:
        parser.error(f"no such models: {', '.join(unfit)}")
    if options.rounds < FEWEST:
        parser.error(f"--rounds is {options.rounds} but must be at least {FEWEST}")
    if options.sites < 1:
        parser.error(f"--sites is {options.sites} but must be at least 1")
    if options.blocks < 1:
        parser.error(f"--blocks is {options.blocks} but must be at least 1")
    require_podman(parser)
    require_nvflare(parser)
    facts, results = machine(ROOT), list[Result]()
    federation = Federation("benchmarks", options.sites)
    with watched(federation, options.keep_hosts) as hosts:

        def trained(system: str, case: Case) -> Block:
            if system == NVFLARE:
                return with_nvflare(case, options.rounds, options.sites)
            rounds = FEWEST if system == BARE and case.arrays >= MANY else options.rounds
            return with_flower(system, case, rounds, federation, hosts)

        wanted = {
            case: [name for name in options.systems if name != BARE or case.arrays <= options.bare_up_to]
            for case in cases
        }
        for found in compare(wanted, options.blocks, trained):  # written after each: all of them take long
            results = [result_of(system, case, blocks) for (case, system), blocks in found.items()]
            content = {"machine": facts, "sites": options.sites, "results": [asdict(result) for result in results]}
            write_json(options.results / "nvflare.json", content)
    print(*("", *map(told, results)), sep="\n")
    draw(results, options.sites, options.results / "nvflare.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
