# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare site.yml with a script that an administrator would write by hand, and count what it costs by host.

Both make a federation of a SuperLink and some SuperNodes on fresh hosts, in turn, and each pair gives a ratio. Then
site.yml runs once more, which must change nothing. With --sizes, site.yml is run for federations of these sizes
instead, which shows how its cost grows.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import ROOT, Spread, machine, new_parser, write_json
from counting import Modules, invocations, modules_of
from deploy_drawing import MODULES_GOALS, RATIO_GOAL, draw
from hosts import Cost, Hosts, HostsError

PARTS = ROOT / "benchmarks" / "deploy"
LOCK = ROOT / "roles" / "runtime" / "files" / "requirements.txt"
WHEELHOUSE = ROOT / ".cache" / "wheelhouse"
SUPERNODES = 3
FORKS = 20
# As root, whom both kinds of deployment let in; each keeps the settings of the command line in a place of its own.
LISTING = """
cd /opt/flower
home=$(dirname "$(ls control/.flwr/config.toml app/.flwr/config.toml 2>/dev/null | head -1)")
FLWR_HOME=/opt/flower/$home FLWR_TELEMETRY_ENABLED=0 venv/bin/flwr supernode list local --format json
"""


@dataclass(frozen=True)
class Run:
    """One run of site.yml."""

    cost: Cost
    modules: Modules


@dataclass(frozen=True)
class Line:
    """The straight line that is closest to some points."""

    intercept: float
    slope: float
    r_squared: float

    @classmethod
    def through(cls, xs: Sequence[float], ys: Sequence[float]) -> Line:
        """Fit at least two different points by least squares."""
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum(
            (x - mean_x) ** 2 for x in xs
        )
        intercept = mean_y - slope * mean_x
        residue = sum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
        total = sum((y - mean_y) ** 2 for y in ys)
        return cls(round(intercept, 3), round(slope, 3), round(1 - residue / total if total else 1.0, 5))


class Bench:
    """Deploys federations on fresh hosts of one size."""

    def __init__(self, supernodes: int, forks: int) -> None:
        self.hosts = Hosts("bench-deploy", supernodes)
        self._forks = forks
        self._told = 0  # by journals, so far
        self._log = ROOT / ".cache" / "bench-deploy.log"

    def boot(self) -> None:
        """Have fresh hosts."""
        self.hosts.boot()
        self._told = 0

    def site(self, changes: bool) -> Run:
        """Run site.yml; say whether it is expected to change anything."""
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            record = Path(scratch) / "modules"
            command = ["ansible-playbook", "--inventory", str(self.hosts.inventory), f"--forks={self._forks}"]
            variables = {
                "ANSIBLE_CALLBACK_PLUGINS": str(PARTS / "callbacks"),
                "ANSIBLE_CALLBACKS_ENABLED": "count_modules",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{scratch}/cp",
                "COUNT_MODULES_FILE": str(record),
            }
            cost = self.hosts.cost([*command, "playbooks/site.yml"], variables, self._log)
            rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
        if changes != any(row["changed"] for row in rows if "summary" in row):
            raise HostsError(f"site.yml should{'' if changes else ' not'} have changed something. See {self._log}.")
        self._check(sum("module" in row and row["on"] != "localhost" for row in rows))
        self._await_federation()
        return Run(cost, modules_of(rows, self.hosts.superlink, self.hosts.supernodes))

    def by_hand(self) -> Cost:
        """Run the script."""
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            config = self.hosts.ssh_config(scratch)
            script = [str(PARTS / "by_hand.sh"), config, LOCK, WHEELHOUSE, f"{scratch}/ca", *self.hosts.names]
            cost = self.hosts.cost(["bash", *map(str, script)], {}, self._log)
        self._await_federation()
        return cost

    def _check(self, counted: int) -> None:
        """Hold the count against what the hosts themselves have seen."""
        # All of a message: otherwise one of more than 4096 bytes is null.
        journal = ["journalctl", "--quiet", "--all", "--output=json", "--output-fields=SYSLOG_IDENTIFIER,MESSAGE"]
        told = sum(invocations(self.hosts.on(host, *journal)) for host in self.hosts.names)
        seen, self._told = told - self._told, told
        if seen != counted:
            raise HostsError(
                f"{counted} executions of modules were counted, but the journals of the hosts tell {seen}."
            )

    def _await_federation(self) -> None:
        """Make sure that what was timed has done its work: as many SuperNodes as there are, online."""
        said = self.hosts.on(self.hosts.superlink, "sh", "-c", LISTING)
        online = sum(node["status"] == "online" for node in json.loads(said)["nodes"])
        if online != len(self.hosts.supernodes):
            raise HostsError(f"{online} SuperNodes are online, but there are {len(self.hosts.supernodes)}.")


def compare(bench: Bench, pairs: int) -> dict[str, Any]:
    """Deploy in both ways, each time beginning with the other one, and return what it costs."""
    sites: list[Run] = []
    scripts: list[Cost] = []
    reruns: list[Run] = []
    for pair in range(pairs):
        for way in ("site", "by hand") if pair % 2 else ("by hand", "site"):
            bench.boot()
            if way == "site":
                sites.append(bench.site(changes=True))
                reruns.append(bench.site(changes=False))
            else:
                scripts.append(bench.by_hand())
        ratio = sites[-1].cost.seconds / scripts[-1].seconds
        print(
            f"pair {pair + 1}   site {_brief(sites[-1].cost)}   by hand {_brief(scripts[-1])}   ratio {ratio:.2f}",
            flush=True,
        )
    both = list(zip([run.cost for run in sites], scripts, strict=True))
    return {
        "supernodes": len(bench.hosts.supernodes),
        "pairs": pairs,
        "ratio": asdict(Spread.of([site.seconds / script.seconds for site, script in both])),
        "cpu_ratio": asdict(Spread.of([_cpu(site) / _cpu(script) for site, script in both])),
        "site": _spreads([run.cost for run in sites]),
        "by_hand": _spreads(scripts),
        "again": _spreads([run.cost for run in reruns]),
        "modules": {"first": _same(sites), "again": _same(reruns)},
    }


def grow(sizes: Sequence[int], forks: int) -> dict[str, Any]:
    """Deploy federations of several sizes and return what each costs, and how it grows."""
    rows = []
    for size in sizes:
        bench = Bench(size, forks)
        try:
            bench.boot()
            first, again = bench.site(changes=True), bench.site(changes=False)
        finally:
            bench.hosts.remove()
        rows.append({"supernodes": size, "first": asdict(first), "again": asdict(again)})
        for name, run in (("first", first), ("again", again)):
            print(f"{size:3d} SuperNodes, {name:5s}   {_brief(run.cost)}   {run.modules.all} modules", flush=True)
    fits = {
        run: asdict(Line.through(sizes, [row[run]["cost"]["controller_cpu_seconds"] for row in rows]))
        for run in ("first", "again")
    }
    return {"forks": forks, "controller_cpu_seconds_fit": fits, "runs": rows}


def _cpu(cost: Cost) -> float:
    return cost.controller_cpu_seconds + cost.hosts_cpu_seconds


def _spreads(costs: Sequence[Cost]) -> dict[str, Any]:
    fields = asdict(costs[0])
    return {field: asdict(Spread.of([getattr(cost, field) for cost in costs])) for field in fields}


def _same(runs: Sequence[Run]) -> dict[str, int]:
    """Return the most executions of all runs: those that wait for something vary."""
    counts = [asdict(run.modules) for run in runs]
    return {field: max(count[field] for count in counts) for field in counts[0]}


def _brief(cost: Cost) -> str:
    return (
        f"{cost.seconds:5.1f} s, CPU {cost.controller_cpu_seconds:.1f} + {cost.hosts_cpu_seconds:.1f} s,"
        f" others {cost.processors_used_by_others:.0%}"
    )


def told(compared: Mapping[str, Any]) -> str:
    """Say the outcome of the comparison in a line."""
    ratio, first, again = compared["ratio"], compared["modules"]["first"], compared["modules"]["again"]
    return (
        f"site.yml takes {ratio['median']:.2f} times as long as the script"
        f" ({ratio['lower_quartile']:.2f} to {ratio['upper_quartile']:.2f}, {compared['pairs']} pairs)"
        f"   modules per SuperNode {first['supernode']}, again {again['supernode']}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the figures and the picture beside those of the other measurement."""
    parser = new_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=4, help="pairs of deployments, at least 2 (default: %(default)s)")
    parser.add_argument("--supernodes", type=int, default=SUPERNODES, help="of each deployment (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of SuperNodes, at least two, instead of pairs")
    parser.add_argument(
        "--forks", type=int, default=FORKS, help="hosts that Ansible works on at once (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.supernodes < 1:
        parser.error(f"--supernodes is {options.supernodes} but must be at least 1")
    if options.pairs < 2:
        parser.error(f"--pairs is {options.pairs} but must be at least 2")
    if options.sizes and (len(set(options.sizes)) < 2 or min(options.sizes) < 1):
        parser.error(
            f"--sizes is {' '.join(map(str, options.sizes))} but must be different numbers, at least two, from 1 on"
        )
    if not shutil.which("podman"):
        parser.error("podman is missing: the test hosts are its containers. make bootstrap installs it.")

    path = options.results / "deploy.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    facts = machine(ROOT)
    content["goals"] = {"ratio": RATIO_GOAL, "modules_per_supernode": MODULES_GOALS}
    if options.sizes:
        content["growth"] = {"machine": facts, **grow(sorted(set(options.sizes)), options.forks)}
    else:
        bench = Bench(options.supernodes, options.forks)
        try:
            content["comparison"] = {"machine": facts, **compare(bench, options.pairs)}
        finally:
            bench.hosts.remove()
        print(told(content["comparison"]))
    write_json(path, content)
    draw(content, options.results / "deploy.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
