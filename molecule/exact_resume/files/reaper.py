# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill the ServerApp of one training at random moments of its life, and tell what each kill met.

measure  watch a ServerApp that is left alone: how long do the stretches of its life take?
kill     kill one ServerApp after another, each at a moment drawn at random
judge    hold what the training left against the kills

Runs on the SuperLink host, as root. It only looks and kills: the training's supervisor submits and stops the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NoReturn

from traces import Traces, judge, read_lines, read_object

PROGRAM = b"flwr-serverapp"
LOOK = 0.001  # seconds between two looks at a ServerApp; a save takes some milliseconds
PATIENCE = 240.0  # seconds until the next ServerApp must have been started, or have got on
SAFE = 0.5  # of a stretch that must not be left: it may be shorter than it was when it was measured


@dataclass(frozen=True)
class Lengths:
    """How many seconds the stretches of a ServerApp's life take."""

    start: float  # from the process to the configuration that it publishes: imports, app, checkpoint
    round: float
    save: float  # from the first byte of a checkpoint to the line in the history
    end: float  # from the first byte of the last checkpoint to the end of the process


# A moment is drawn from the beginning of a stretch to so many seconds later.
STRETCHES: dict[str, Callable[[Lengths], float]] = {
    "start": lambda lengths: lengths.start,
    "round": lambda lengths: 2 * lengths.round,  # waiting for nodes, training, aggregation, saves that come by
    "save": lambda lengths: lengths.save,
    "end": lambda lengths: SAFE * lengths.end,
}


def plan(kills: int, rng: random.Random) -> list[str]:
    """Return in which stretch each kill is to fall, each stretch at least once. The end comes last, and on top."""
    kinds = ["start", "round", "save"]
    kinds = [*kinds, *rng.choices(kinds, k=kills)][:kills]
    rng.shuffle(kinds)
    return [*kinds, "end"]


class ServerApp:
    """A ServerApp's process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)  # a number may be given to another process, this is not
        self.started = int(self._status()[19]) / os.sysconf("SC_CLK_TCK")

    def alive(self) -> bool:
        """Tell whether the process still runs; a zombie does not."""
        status = self._status()
        return bool(status) and status[0] not in "ZX"

    def kill(self) -> bool:
        """Kill the process; tell whether it was this that ended it."""
        try:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return False
        _until(lambda: not self.alive())
        # The zombie says what it died of. SuperExec does not pick it up before it starts its next process.
        status = self._status()
        return bool(status) and int(status[49]) & 0x7F == signal.SIGKILL

    def beginning(self, checkpoints: Path) -> str:
        """Say how far a ServerApp is that has not published anything yet."""
        try:
            imported = "numpy" in Path(f"/proc/{self.pid}/maps").read_text()
            held = [os.readlink(link) for link in Path(f"/proc/{self.pid}/fd").iterdir()]
        except OSError:
            return "gone"
        if not imported:
            return "importing"
        return "reading the checkpoint" if str(checkpoints / ".lock") in held else "loading the app"

    def _status(self) -> list[str]:
        """Return the fields of the process's status from the third, its state, on."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return []


def next_serverapp(known: set[int]) -> ServerApp | None:
    """Wait for a ServerApp that is not known yet."""
    end = _now() + PATIENCE
    while _now() < end:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            pid = int(path.parent.name)
            try:
                arguments = path.read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if pid not in known and any(os.path.basename(argument) == PROGRAM for argument in arguments[:2]):
                known.add(pid)
                try:
                    return ServerApp(pid)
                except (ProcessLookupError, IndexError):
                    continue  # it has ended by itself meanwhile
        time.sleep(20 * LOOK)
    return None


def measure(traces: Traces, rounds: int) -> Lengths:
    """Watch the ServerApp of a new training from its start to its end."""
    serverapp = next_serverapp(set())
    if serverapp is None:
        _give_up("no ServerApp was started")
    published = _until(lambda: traces.publication() is not None)
    saves = []
    for number in range(1, rounds + 1):
        begun = _until(lambda number=number: traces.begun(number))
        saves.append((begun, _until(lambda number=number: len(traces.history()) >= number)))
    ended = _until(lambda: not serverapp.alive())
    return Lengths(
        start=published - serverapp.started,
        round=(saves[-1][0] - published) / rounds,
        save=median(told - begun for begun, told in saves),
        end=ended - saves[-1][0],
    )


@dataclass
class Reaper:
    """Kills the ServerApps of one training, and writes a line about each."""

    traces: Traces
    rounds: int
    lengths: Lengths
    rng: random.Random

    def reap(self, kills: int, report: Path) -> None:
        """Kill one ServerApp after another."""
        known: set[int] = set()
        last = None
        for kind in plan(kills, self.rng):
            share = self.rng.random()
            while True:
                serverapp = next_serverapp(known)
                if serverapp is None:
                    return
                line = self._kill(serverapp, kind, share)
                # Flower starts a ServerApp once more that died before it said a word, while the supervisor may already
                # stop the run: that one ends by itself, and the kill is for the next.
                if line["hit"] or kind == "end":
                    break
            moment = line.pop("moment")
            line["after_last"] = round(serverapp.started - last, 3) if last else None
            last = moment
            with report.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def _kill(self, serverapp: ServerApp, kind: str, share: float) -> dict[str, object]:
        """Kill a ServerApp at its moment; return what is to be told of it."""
        before, done = self.traces.publication(), self.traces.done()
        stretch = kind if kind == "end" or done < self.rounds else "start"  # nothing is left to train
        self.wait_for_moment(serverapp, stretch, share * STRETCHES[stretch](self.lengths), before, done)
        beginning = serverapp.beginning(self.traces.checkpoints)
        moment, hit = _now(), serverapp.kill()
        published = self.traces.publication() != before
        return {
            "drawn": stretch,
            "hit": hit,
            "age": round(moment - serverapp.started, 3),
            "phase": self.traces.phase(True, self.rounds) if published else f"starting: {beginning}",
            "done": self.traces.done(),
            "told": len(self.traces.history()),
            "runs": len(self.traces.runs()),
            "moment": moment,
        }

    def wait_for_moment(
        self, serverapp: ServerApp, stretch: str, delay: float, before: tuple[int, int] | None, done: int
    ) -> None:
        """Wait for the beginning of a stretch, and then for the moment in it."""
        begins = {
            "start": lambda: True,
            "round": lambda: True,
            "save": lambda: self.traces.begun(done + 1),
            "end": lambda: done == self.rounds or self.traces.begun(self.rounds),
        }[stretch]
        begin = serverapp.started if stretch == "start" else None
        while serverapp.alive():
            # Only what it publishes says that it has removed the half files of the one before.
            published = self.traces.publication() != before
            if begin is None and published and begins():
                begin = _now()
            # The last checkpoint must not be completed before the last kill: nothing would be left to kill.
            too_late = published and stretch != "end" and done < self.rounds and self.traces.begun(self.rounds)
            if too_late or (begin is not None and _now() >= begin + delay):
                return
            time.sleep(LOOK)


def _now() -> float:
    """Return the time on the clock that the kernel dates processes by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _until(condition: Callable[[], bool]) -> float:
    end = _now() + PATIENCE
    while not condition():
        if _now() > end:
            _give_up("the ServerApp did not get on")
        time.sleep(LOOK)
    return _now()


def _give_up(why: str) -> NoReturn:
    sys.exit(f"Within {PATIENCE:g} seconds {why}.")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["measure", "kill", "judge"])
    parser.add_argument("--folder", type=Path, required=True, help="where the lengths and the report are")
    parser.add_argument("--training", type=Path, required=True, help="folder of what is asked of the training")
    parser.add_argument("--published", type=Path, required=True, help="folder of what its ServerApps tell")
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed")
    given = parser.parse_args()
    traces = Traces(given.training, given.published, given.checkpoints)
    lengths, report = given.folder / "lengths.json", given.folder / "kills.jsonl"
    if given.command == "measure":
        lengths.write_text(json.dumps(asdict(measure(traces, given.rounds))), encoding="utf-8")
    elif given.command == "kill":
        measured = Lengths(**read_object(lengths))
        Reaper(traces, given.rounds, measured, random.Random(given.seed)).reap(given.kills, report)
    else:
        kills = read_lines(report)
        problems = judge(traces.runs(), traces.history(), kills, given.rounds)
        print(json.dumps({"kills": kills, "lengths": read_object(lengths), "problems": problems}))


if __name__ == "__main__":
    main()
