# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destroy the SuperLink host in the middle of a training, and build another one around its kept disk.

What is kept is the disk with the checkpoints, and nothing else: the new host has other keys, another certificate and no
database. ``site`` and ``train`` with the variables of before are all that is done. What the training
comes to is held against the same training on a simulated grid, which nothing has disturbed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import ROOT, machine, new_parser, write_json
from federation import HOME, BenchmarkError, Federation, require_podman
from story import Story

ROUNDS, DESTROYED_AFTER = 8, 4
SIZE = "64M"
TRAINING = "redeploy"
CHECKPOINTS = f"{HOME}/checkpoints"


@dataclass(frozen=True)
class Outcome:
    """What it has come to. Times are seconds from the moment at which the new host could be reached."""

    destroyed_after_round: int
    site: float
    train: float  # until the run was submitted
    next_round: float


class KeptDisk:
    """A file of this machine as a disk, which a host has as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["truncate", "--size", SIZE, path], check=True)
        self.device = self._say("losetup", "--find", "--show", str(path))

    @property
    def identity(self) -> str:
        """The identity of the file system on it, which every formatting makes anew."""
        return self._say("blkid", "--probe", "--output", "value", "--match-tag", "UUID", self.device)

    def attach(self, federation: Federation, host: str) -> None:
        """Give it to a host."""
        number = self.device.removeprefix("/dev/loop")
        federation.on(host, "sh", "-c", f"[ -b {self.device} ] || mknod {self.device} b 7 {number}")

    def remove(self) -> None:
        """Forget it and what is on it."""
        self._say("losetup", "--detach", self.device)
        self._path.unlink()

    @staticmethod
    def _say(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{command[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def variables(disk: KeptDisk, nodes: int) -> dict[str, Any]:
    """Return what is asked for, before and afterwards."""
    return {
        "fl_training_name": TRAINING,
        "fl_num_rounds": ROUNDS,
        "fl_min_fit_clients": nodes,
        "fl_min_available_clients": nodes,
        "fl_fraction_evaluate": 0,
        "fl_checkpoint_enabled": True,
        "fl_checkpoint_interval": 1,
        "fl_checkpoint_path": CHECKPOINTS,
        "checkpoints_backend": "disk",
        "checkpoints_disk_device": disk.device,
    }


def redeploy(federation: Federation, disk: KeptDisk, asked: Mapping[str, Any]) -> Outcome:
    """Train, destroy the host, build it again, and go on until another round is finished."""
    host, story = federation.superlink, Story(federation, f"{HOME}/trainings/{TRAINING}")
    federation.train(asked)
    story.wait(DESTROYED_AFTER - 1)
    time.sleep(2)  # in the middle of the next one
    done = story.round
    federation.destroy(host)

    federation.boot()
    back = time.monotonic()
    disk.attach(federation, host)
    federation.play("playbooks/site.yml", variables=asked)
    site = time.monotonic()
    # The data of the server lay on the host as well. Any other federation would bring them from where they are kept.
    federation.play("testbed/deal.yml")
    dealt = time.monotonic() - site
    federation.train(asked)
    train = time.monotonic() - dealt
    story = Story(federation, f"{HOME}/trainings/{TRAINING}")
    next_round = story.wait(done) - dealt
    return Outcome(done, round(site - back, 1), round(train - back, 1), round(next_round - back, 1))


def problems(
    outcome: Outcome, rounds: list[int], result: Mapping[str, Any], undisturbed: Mapping[str, Any]
) -> list[str]:
    """Return what is wrong with what the training has come to."""
    found = []
    wanted = list(range(outcome.destroyed_after_round + 1, ROUNDS + 1))
    if rounds != wanted:
        found.append(f"The new host has trained the rounds {rounds}, but {wanted} were left.")
    if result["sha256"] != undisturbed["sha256"]:
        found.append(f"The model is {result['sha256']}, undisturbed it is {undisturbed['sha256']}.")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Boot the hosts, do it, write what it came to, and remove the hosts."""
    parser = new_parser(__doc__)
    parser.add_argument("--testbed", help="use the hosts of this testbed, and leave them")
    options = parser.parse_args(arguments)
    require_podman(parser)
    with Federation.at(options.testbed, Federation.boot) as federation, _disk(federation) as disk:
        asked = variables(disk, len(federation.supernodes))
        disk.attach(federation, federation.superlink)
        federation.play("playbooks/site.yml", variables=asked)
        federation.play("testbed/deal.yml")
        before = disk.identity
        outcome = redeploy(federation, disk, asked)
        found = [] if disk.identity == before else ["The kept disk was formatted."]
        story = Story(federation, f"{HOME}/trainings/{TRAINING}")
        result = story.end(ROUNDS, budget=60)
        # The first line tells of the checkpoint that it goes on from: nobody has counted its seconds.
        rounds = [line["round"] for line in story.lines() if line["seconds"] is not None]
        found += problems(outcome, rounds, result, story.undisturbed())
    print(
        f"Destroyed after round {outcome.destroyed_after_round}. From the moment at which the new host could be reached"
        f" until site was done {outcome.site:.1f} s, the run submitted {outcome.train:.1f} s,"
        f" the next round finished {outcome.next_round:.1f} s."
    )
    print(
        *found or ["Nothing was formatted, no round was trained twice, and the model is the same, byte for byte."],
        sep="\n",
    )
    write_json(
        options.results / "redeploy.json",
        {
            "machine": machine(ROOT),
            "supernodes": len(federation.supernodes),
            "rounds": ROUNDS,
            "problems": found,
            "result": asdict(outcome),
        },
    )
    return 1 if found else 0


@contextmanager
def _disk(federation: Federation) -> Iterator[KeptDisk]:
    disk = KeptDisk(federation.data.parent.with_name(f"{federation.data.parent.name}-kept.img"))
    try:
        yield disk
    finally:
        # Whoever still has it mounted keeps it until then.
        disk.remove()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
