# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a round of our app with one of bare Flower on the same hosts, and see what a round is made of.

Bare Flower is Flower's own programs, with an app as its quickstart has it; ours has the collection's launchers too.
Both train the same model on the same data with the same code, and are submitted with train.yml. They run in turn, with
everything started anew. A round lasts from one moment in which the ServerApp begins to send the model to the next such
moment. The model is the small one of the demo, or one of so many megabytes and arrays that is hardly trained at all.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import ROOT, Spread, bars, machine, new_parser, save, subplots, write_json
from federation import HOME, Federation, require_podman
from phases import PHASES, Round, rounds_of
from plain_flower import plain_flower
from processor_watch import ProcessorWatch, Usage
from watched import ARRAYS, FAB, WatchedHosts, sized_task, watched

PARTS = ROOT / "benchmarks" / "round"
RATIO_GOAL = 0.45
DROPPED = 1  # first rounds of a run, which also start what is started once
BUDGET = 600.0  # seconds for a run

# Of the parts in PHASES: waiting in grays, work in colours.
COLORS = ("tab:blue", "0.8", "0.65", "tab:orange", "tab:red", "tab:green", "0.5", "tab:purple", "tab:brown")

BESIDE_TASK = ("settings.py", "measuring.py", "descent.py")  # what our task imports

BARE, OURS, SAVING = "bare Flower", "fedops", "fedops, saving each round"
VARIANTS = (BARE, OURS, SAVING)


def variables(name: str, task: Path) -> dict[str, Any]:
    """Return what distinguishes a variant: the app, and what it is told beyond the others. All share one task."""
    if name == BARE:
        overlay = {"bare_app/task.py": str(task), **{f"bare_app/{name}": str(FAB / name) for name in BESIDE_TASK}}
        unknown = dict.fromkeys(("fl_min_fit_clients", "fl_checkpoint_path"), "")  # to this app
        return {"app_path": str(PARTS / "bare_app"), "app_overlay": overlay, **unknown}
    saving = {"fl_checkpoint_enabled": True, "fl_checkpoint_interval": 1} if name == SAVING else {}
    return {"app_overlay": {"fedops_app/task.py": str(task)}, **saving}


@dataclass(frozen=True)
class Result:
    """What was measured of one app."""

    name: str
    rounds: int
    seconds: Spread
    ratio: float  # of the medians over all rounds, to the bare app's
    ratio_by_block: Spread | None  # the same within each block, in which the apps ran one after the other
    superlink_processor_seconds: Spread  # of the SuperLink host, in a round
    supernodes_processor_seconds: Spread  # of all SuperNode hosts together, in a round
    processors_used_by_others: float  # of 1.0, median over the rounds
    phases: Mapping[str, float]  # means, which add up to the mean of a round


@dataclass(frozen=True)
class Measured:
    """A round, and the processor time that was used in it."""

    round: Round
    superlink: float
    supernodes: float
    others: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.round.seconds


Block = Mapping[str, Sequence[Measured]]


def results_of(blocks: Sequence[Block]) -> list[Result]:
    """Put the rounds of all blocks together."""
    everything = {name: [each for block in blocks for each in block[name]] for name in VARIANTS}
    bare = _median(everything[BARE])
    return [
        Result(
            name=name,
            rounds=len(rounds),
            seconds=Spread.of([each.seconds for each in rounds]),
            ratio=round(_median(rounds) / bare, 3),
            ratio_by_block=(
                Spread.of([_median(block[name]) / _median(block[BARE]) for block in blocks])
                if len(blocks) > 1
                else None
            ),
            superlink_processor_seconds=Spread.of([each.superlink for each in rounds]),
            supernodes_processor_seconds=Spread.of([each.supernodes for each in rounds]),
            processors_used_by_others=round(statistics.median(each.others for each in rounds), 2),
            phases={phase: round(statistics.fmean(each.round.phases[phase] for each in rounds), 4) for phase in PHASES},
        )
        for name, rounds in everything.items()
    ]


def _median(rounds: Sequence[Measured]) -> float:
    return statistics.median(each.seconds for each in rounds)


def measure(federation: Federation, hosts: WatchedHosts, task: Path, blocks: int, rounds: int) -> list[Block]:
    """Train with every app in turn, as often as wished, each time beginning with another one."""
    measured = []
    for block in range(1, blocks + 1):
        shift = (block - 1) % len(VARIANTS)
        found = {}
        for name in VARIANTS[shift:] + VARIANTS[:shift]:
            with plain_flower(federation) if name == BARE else nullcontext():
                federation.restart()
                found[name] = train(federation, hosts, variables(name, task), rounds)
            print(
                f"block {block}   {name:26s}   {', '.join(f'{each.seconds:.2f}' for each in found[name])}", flush=True
            )
        measured.append(found)
    return measured


def train(federation: Federation, hosts: WatchedHosts, variant: Mapping[str, Any], rounds: int) -> list[Measured]:
    """Have one app train, and return its rounds but for the first."""
    training = f"round-{time.time():.0f}"  # hosts that were kept know older ones
    watch = ProcessorWatch([federation.first_process(host) for host in federation.hosts])
    watch.start()
    exchange = hosts.run(
        {
            "fl_training_name": training,
            "fl_num_rounds": rounds,
            "fl_min_fit_clients": len(federation.supernodes),
            "fl_min_available_clients": len(federation.supernodes),
            "fl_fraction_evaluate": 0,
            "fl_checkpoint_path": f"{HOME}/checkpoints/{training}",
            **variant,
        },
        BUDGET,
    )
    usage = watch.stop()
    return [_measured(each, usage) for each in rounds_of(exchange)[DROPPED:]]


def _measured(each: Round, usage: Usage) -> Measured:
    during = (each.begin, each.begin + each.seconds)
    superlink, *supernodes = usage.of(*during)
    return Measured(each, superlink, sum(supernodes), usage.others(*during))


def told(result: Result) -> str:
    """Say one result in a line."""
    return (
        f"{result.name:26s}   {result.seconds.median:.2f} s a round"
        f" ({result.seconds.lower_quartile:.2f} to {result.seconds.upper_quartile:.2f}, {result.rounds} rounds)"
        f"   {result.ratio:.2f} of bare Flower"
        f"   processors: {result.superlink_processor_seconds.median:.2f} s SuperLink,"
        f" {result.supernodes_processor_seconds.median:.2f} s SuperNodes,"
        f" {result.processors_used_by_others:.0%} others"
    )


def draw(results: Sequence[Result], model: str, path: Path) -> None:
    """Draw the rounds of each app, what they go into, and the processor time that they take."""
    figure, (seconds, stack, processors) = subplots(3, figsize=(16, 4.8), width_ratios=(3, 5, 3))
    places = range(len(results))
    labels = [result.name.replace(", ", ",\n") for result in results]
    bars(seconds, places, [result.seconds for result in results], width=0.5, color="tab:green")
    for place, result in zip(places, results, strict=True):
        seconds.annotate(f"{result.ratio:.2f}", (place, 0.2), ha="center", color="white")
    bare = next(result for result in results if result.name == BARE)
    goal = RATIO_GOAL * bare.seconds.median
    seconds.axhline(goal, color="gray", linestyle="--", label=f"goal: {RATIO_GOAL} × bare Flower")
    seconds.set(title="A round, and its ratio to bare Flower", ylabel="seconds (median, quartiles)")
    seconds.legend(loc="upper right")
    seconds.set_ylim(top=1.2 * seconds.get_ylim()[1])

    below = [0.0] * len(results)
    for part, color in zip(dict.fromkeys(PHASES.values()), COLORS, strict=True):
        heights = [sum(value for phase, value in result.phases.items() if PHASES[phase] == part) for result in results]
        stack.bar(places, heights, 0.5, bottom=below, label=part, color=color)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    stack.set_ylim(top=1.05 * max(below))
    stack.set(title="What a round goes into", ylabel="seconds (means, on the way of the last reply)")
    handles, names = stack.get_legend_handles_labels()
    stack.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1, 0.5))

    for shift, label, field in ((-0.2, "SuperLink host", "superlink"), (0.2, "SuperNode hosts", "supernodes")):
        spreads = [getattr(result, f"{field}_processor_seconds") for result in results]
        bars(processors, [place + shift for place in places], spreads, width=0.4, label=label)
    processors.set(title="Processor time of a round", ylabel="seconds (median, quartiles)")
    processors.legend(loc="upper left")
    processors.set_ylim(top=1.2 * processors.get_ylim()[1])
    for axes in (seconds, stack, processors):
        axes.set_xticks(list(places), labels)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(f"Three SuperNodes, model: {model}")
    save(figure, path)


def main(arguments: list[str] | None = None) -> int:
    """Boot the hosts, measure, write the figures and the picture, and remove the hosts."""
    parser = new_parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=0, help="size of the model (default: the demo's own)")
    parser.add_argument("--arrays", type=int, help=f"arrays of a model with a size (default: {ARRAYS})")
    parser.add_argument("--blocks", type=int, default=4, help="how often every app trains (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each training (default: %(default)s)")
    parser.add_argument("--keep-hosts", action="store_true", help="leave the hosts for another time")
    options = parser.parse_args(arguments)
    fewest = DROPPED + 3
    if options.rounds < fewest:
        parser.error(f"--rounds is {options.rounds} but must be at least {fewest}")
    if options.blocks < 1:
        parser.error(f"--blocks is {options.blocks} but must be at least 1")
    if options.megabytes < 0:
        parser.error(f"--megabytes is {options.megabytes} but must be at least 0")
    if options.arrays is not None and not options.megabytes:
        parser.error("--arrays needs --megabytes: the demo's model has the arrays that it has")
    arrays = ARRAYS if options.arrays is None else options.arrays
    most = max(1, options.megabytes) * 10**6 // 4
    if not 1 <= arrays <= most:
        parser.error(f"--arrays is {arrays} but must be from 1 to {most}")
    require_podman(parser)
    facts = machine(ROOT)
    federation = Federation("benchmarks")
    task = sized_task(options.megabytes, arrays) if options.megabytes else nullcontext(FAB / "task.py")
    with watched(federation, options.keep_hosts) as hosts, task as path:
        results = results_of(measure(federation, hosts, path, options.blocks, options.rounds))
    for result in results:
        print(told(result))
    name, model = "round", "digits, 0.02 MB in 4 arrays"
    if options.megabytes:
        name = f"round_{options.megabytes}mb" + (f"_{arrays}_arrays" if options.arrays else "")
        model = f"{options.megabytes} MB in {arrays} arrays"
    content = {"goals": {"ratio": RATIO_GOAL}, "machine": facts, "model": model}
    write_json(options.results / f"{name}.json", {**content, "results": [asdict(result) for result in results]})
    draw(results, model, options.results / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
