# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill what a training needs, one thing after another, and see that it goes on by itself and ends with the same bytes.

All drills happen to one training, each in the middle of a round. What the training comes to is held against the same
training on a simulated grid, which nothing has disturbed.
"""

from __future__ import annotations

import itertools
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import ROOT, busy_processors, machine, new_parser, write_json
from drills import DRILLS, HOST_DRILLS, VICTIMS, Drill
from federation import HOME, BenchmarkError, Federation, require_podman
from flower_processes import SERVER_APP
from story import BUDGET, LOOK, Story
from watched import slow_task

FIRST = 3  # rounds before the first harm, which tell how long a round takes
ROUND_TIMEOUT = 120


@dataclass(frozen=True)
class Outcome:
    """What one drill has come to. Times are seconds from the end of the harm."""

    drill: str
    round: int  # in which it happened
    next_round: float  # until the next round was finished
    delay: float  # of that, beyond what the round still needed when it was harmed
    submitted: float | None  # until the next run was submitted, where there was one
    online: float | None  # until the SuperNode took part again, where that was looked at
    lost: Sequence[str]  # why runs were lost
    failed: Sequence[str]  # whose work was lost, and why
    repeated: Sequence[int]  # rounds that were trained again
    target: float | None
    counts: str

    @property
    def counted(self) -> float | None:
        """The seconds that the target is about."""
        return getattr(self, self.counts)


class Exercise:
    """The drills of one training."""

    def __init__(self, federation: Federation, rounds: int, task: Path) -> None:
        self.federation = federation
        self.rounds = rounds
        self.task = task
        self.name = f"recovery-{time.time():.0f}"  # hosts that are used again know older ones
        self.folder = f"{HOME}/trainings/{self.name}"
        self.story = Story(federation, self.folder)
        self.round_seconds = 0.0

    def begin(self) -> None:
        """Start the training and leave it to itself."""
        nodes = len(self.federation.supernodes)
        self.federation.train(
            {
                "app_overlay": {"fedops_app/task.py": str(self.task)},
                "fl_training_name": self.name,
                "fl_num_rounds": self.rounds,
                "fl_min_fit_clients": nodes,
                "fl_min_available_clients": nodes,
                "fl_fraction_evaluate": 0,
                "fl_round_timeout": ROUND_TIMEOUT,
                "fl_checkpoint_enabled": True,
                "fl_checkpoint_interval": 1,
                "fl_checkpoint_path": f"{HOME}/checkpoints/{self.name}",
                # So many runs in an hour would be a failure otherwise.
                "training_restarts_per_hour": 200,
            }
        )
        moments = [self.story.wait(number) for number in range(FIRST)]
        self.round_seconds = statistics.median(later - sooner for sooner, later in itertools.pairwise(moments))

    def run(self, drill: Drill, moment: float = 0.5) -> Outcome:
        """Do harm at some fraction of a round, and wait until another round is finished."""
        if drill.prepare:
            drill.prepare(self.federation)
            self._come_to_rest()
        self._await_serverapp()  # the drill before may have ended while the next one was on its way
        before, since = self.story.lines(), time.time()
        lost_before = len(self.story.supervision().get("restarts", []))
        run_before = self.story.supervision().get("run_id")
        time.sleep(self.round_seconds * moment)
        number = self.story.round
        harmed = time.time()
        drill.harm(self.federation)
        self.story.watch(drill.seconds)
        if drill.end:
            drill.end(self.federation)
        ended = time.time() if drill.end or drill.late else harmed
        submitted = None
        while (finished := self._finished(number, ended)) is None:
            if submitted is None and self.story.supervision().get("run_id", run_before) != run_before:
                submitted = time.time() - ended
            if time.time() > ended + BUDGET:
                raise BenchmarkError(
                    f"{drill.name}: no round was finished within {BUDGET:g} s: {self.story.supervision()}"
                )
            time.sleep(LOOK)
        new = self.story.lines()[len(before) :]
        # A round that was finished under the harm has left the next one a whole round to go. What a harm that waits for
        # its moment has left nobody knows: nothing is on the safe side.
        under_harm = self._finished(number, 0.0) < ended
        left = self.round_seconds * (0.0 if drill.late else 1.0 if under_harm else 1 - moment % 1)
        outcome = Outcome(
            drill=drill.name,
            round=number + 1,
            next_round=round(finished - ended, 1),
            delay=round(max(0.0, finished - ended - left), 1),
            submitted=None if submitted is None else round(submitted, 1),
            online=self._online(drill.watched, since, ended) if drill.watched else None,
            lost=[lost["reason"] for lost in self.story.supervision().get("restarts", [])[lost_before:]],
            failed=[f"{each['site']}: {each['reason']}" for line in new for each in line["failed"]],
            repeated=[line["round"] for line in new if line["round"] <= number],
            target=drill.target,
            counts=drill.counts,
        )
        if drill.take_back:
            drill.take_back(self.federation)
            self._come_to_rest()
        return outcome

    def _await_serverapp(self) -> None:
        end = time.time() + BUDGET
        while SERVER_APP not in self.federation.processes(self.federation.superlink).values():
            if time.time() > end:
                raise BenchmarkError(f"No ServerApp runs after {BUDGET:g} s: {self.story.supervision()}")
            time.sleep(LOOK)

    def _come_to_rest(self) -> None:
        """Wait until a round began and ended in peace."""
        self.story.wait(self.story.round)
        self.story.wait(self.story.round)

    def _finished(self, number: int, ended: float) -> float | None:
        """Return when the first round after this one was finished, once the harm was over."""
        return min((moment for moment in self.story.finished(number) if moment >= ended), default=None)

    def _online(self, host: str, since: float, ended: float) -> float | None:
        """Return how long it took until the SuperNode knew its number again."""
        for moment, line in self.federation.journal(host, "flower-supernode", since):
            if "SuperNode ID" in line:
                return round(moment - ended, 1)
        return None


def at_random(kills: int, rng: random.Random) -> Iterator[tuple[Drill, float]]:
    """Yield kills of anything at any moment of a round."""
    for number in range(1, kills + 1):
        name = rng.choice(list(VICTIMS))
        yield Drill(f"kill {number}: {name}", VICTIMS[name]), rng.uniform(0.0, 1.5)


def problems(exercise: Exercise, result: dict[str, Any], undisturbed: dict[str, Any]) -> list[str]:
    """Return what is wrong with what the training has come to."""
    rounds = [line["round"] for line in exercise.story.lines()]
    found = []
    if sorted(set(rounds)) != list(range(1, exercise.rounds + 1)):
        found.append(f"The rounds are {rounds}, but {exercise.rounds} were asked for.")
    if len(rounds) != len(set(rounds)):
        found.append(
            f"Rounds were trained twice: {sorted(number for number in set(rounds) if rounds.count(number) > 1)}."
        )
    if result["sha256"] != undisturbed["sha256"]:
        found.append(f"The model is {result['sha256']}, undisturbed it is {undisturbed['sha256']}.")
    return found


def said(outcome: Outcome) -> str:
    """Say an outcome in a line."""
    parts = [f"{outcome.drill:48s} round {outcome.round:3d}   next round after {outcome.next_round:6.1f} s"]
    parts.append(f"delay {outcome.delay:6.1f} s")
    parts += [f"submitted after {outcome.submitted:.1f} s"] if outcome.submitted is not None else []
    parts += [f"online after {outcome.online:.1f} s"] if outcome.online is not None else []
    parts += [f"lost: {', '.join(outcome.lost)}"] if outcome.lost else []
    parts += [f"failed: {'; '.join(outcome.failed)}"] if outcome.failed else []
    if outcome.target is not None and outcome.counted is not None:
        parts.append(f"target {outcome.target:g} s: {'met' if outcome.counted <= outcome.target else 'MISSED'}")
    return "   ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Boot the hosts, do the drills, write what they came to, and remove the hosts."""
    parser = new_parser(__doc__)
    parser.add_argument("--slow", action="store_true", help="also the drills that take minutes")
    parser.add_argument("--hosts", action="store_true", help="instead: what happens to hosts and to what they know")
    parser.add_argument("--only", metavar="TEXT", help="only the drills whose name has this text, also slow ones")
    parser.add_argument("--kills", type=int, default=0, help="instead: so many kills of anything at random")
    parser.add_argument("--seed", type=int, default=1, help="of these (default: %(default)s)")
    parser.add_argument("--busy", action="store_true", help="while others compute on every processor")
    parser.add_argument("--testbed", help="use the federation on this testbed, and leave it")
    options = parser.parse_args(arguments)
    require_podman(parser)
    if options.kills:
        chosen = list(at_random(options.kills, random.Random(options.seed)))
    else:
        named = [drill for drill in DRILLS + HOST_DRILLS if options.only and options.only in drill.name]
        drills = HOST_DRILLS if options.hosts else DRILLS
        usual = [drill for drill in drills if not drill.rare and (options.slow or not drill.slow)]
        chosen = [(drill, 0.5) for drill in (named if options.only else usual)]
    if not chosen:
        parser.error(f"no drill has {options.only!r} in its name")
    # A kill in the middle of a round meets a site at work, as with a real model, and the rounds outlast the drills.
    others = busy_processors() if options.busy else nullcontext()
    with Federation.at(options.testbed, Federation.up) as federation, slow_task() as task, others as dummy_busy:
        prepared = sum(drill.prepare is not None for drill, _moment in chosen)
        exercise = Exercise(federation, rounds=FIRST + 4 * len(chosen) + 4 * prepared + 6, task=task)
        exercise.begin()
        outcomes = []
        for drill, moment in chosen:
            outcomes.append(exercise.run(drill, moment))
            print(said(outcomes[-1]), flush=True)
        result = exercise.story.end(exercise.rounds)
        undisturbed = exercise.story.undisturbed()
        found = problems(exercise, result, undisturbed)
    print(*found or ["No round is lost, none was trained twice, and the model is the same, byte for byte."], sep="\n")
    if not options.only:
        kind = "_random" if options.kills else "_hosts" if options.hosts else ""
        write_json(
            options.results / f"recovery{kind}{'_busy' if options.busy else ''}.json",
            {
                "machine": machine(ROOT),
                "supernodes": len(federation.supernodes),
                "round_seconds": round(exercise.round_seconds, 1),
                "rounds": exercise.rounds,
                "problems": found,
                "results": [asdict(outcome) for outcome in outcomes],
            },
        )
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
