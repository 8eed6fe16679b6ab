#!/usr/bin/env python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Make episodes of an arm with two joints that reaches for targets, a data set in the layout of LeRobot for each site.

Each site's targets lie in a part of the space of its own. The same seed makes the same bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

JOINTS = 2
FRAMES, SECONDS_A_FRAME = 20, 0.1
GAIN, FASTEST = 3.0, 1.0  # the demonstrator turns each joint towards its target, at most so fast (radians a second)


def episode(rng: np.random.Generator, middle: NDArray) -> list[dict[str, object]]:
    """Return the frames of one episode: the angles of the joints and of the target, and how fast the joints turn."""
    target = middle + rng.uniform(-0.4, 0.4, JOINTS)
    angles = rng.uniform(-np.pi / 2, np.pi / 2, JOINTS)
    frames = []
    for number in range(FRAMES):
        action = np.clip(GAIN * (target - angles), -FASTEST, FASTEST)
        frames.append(
            {
                "observation.state": np.round(np.concatenate([angles, target]), 6).tolist(),
                "action": np.round(action, 6).tolist(),
                "timestamp": round(number * SECONDS_A_FRAME, 3),
                "frame_index": number,
            }
        )
        angles = angles + SECONDS_A_FRAME * action
    return frames


def write(directory: Path, site: int, seed: int, episodes: int, tests: int) -> None:
    """Write the data set of one site; its last episodes are for tests."""
    rng = np.random.default_rng([seed, site])
    middle = rng.uniform(-0.8, 0.8, JOINTS)
    chunk = directory / "data" / "chunk-000"
    chunk.mkdir(parents=True, exist_ok=True)
    for number in range(episodes):
        frames = [{**frame, "episode_index": number} for frame in episode(rng, middle)]
        lines = "".join(json.dumps(frame) + "\n" for frame in frames)
        (chunk / f"episode_{number:06}.jsonl").write_text(lines, "utf-8")
    info = {
        "codebase_version": "v2.1",
        "robot_type": "two_joints",
        "fps": round(1 / SECONDS_A_FRAME),
        "total_episodes": episodes,
        "total_frames": episodes * FRAMES,
        "splits": {"train": f"0:{episodes - tests}", "test": f"{episodes - tests}:{episodes}"},
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.jsonl",
        "features": {
            "observation.state": {"dtype": "float32", "shape": [2 * JOINTS]},
            "action": {"dtype": "float32", "shape": [JOINTS]},
        },
    }
    (directory / "meta").mkdir(exist_ok=True)
    (directory / "meta" / "info.json").write_text(json.dumps(info, indent=2) + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Write a data set for each site."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sites", nargs="+", metavar="SITE", help="name of a site")
    parser.add_argument("--output", type=Path, required=True, help="directory to write to")
    parser.add_argument("--episodes", type=int, default=40, help="of each site (default: %(default)s)")
    parser.add_argument("--tests", type=int, default=8, help="how many of them are for tests (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=42, help="the same seed makes the same (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not 0 < options.tests < options.episodes:
        parser.error(f"--tests is {options.tests} but must be above 0 and below --episodes ({options.episodes})")
    for number, site in enumerate(options.sites):
        write(options.output / site, number, options.seed, options.episodes, options.tests)
        print(f"{site}: {options.episodes} episodes of {FRAMES} frames in {options.output / site}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
