# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mirror asks of rclone, with a directory for the bucket: `mirror:bucket/…` lies in bucket/….

The endpoint is the directory of the buckets. It answers as rclone 1.60 does, and fails while there is a
file `outage`, or for a file that holds this word.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

NOT_FOUND = 3
WITH_VALUE = {"--contimeout", "--timeout", "--retries", "--retries-sleep", "--low-level-retries", "--max-depth"}


def words(arguments: list[str]) -> list[str]:
    found, skip = [], False
    for argument in arguments:
        if not skip and (argument == "-" or not argument.startswith("-")):
            found.append(argument)
        skip = argument in WITH_VALUE or argument == "--config"
    return found


def main() -> int:
    root = Path(os.environ["RCLONE_CONFIG_MIRROR_ENDPOINT"])
    command, *rest = [word for word in words(sys.argv[1:]) if word != "-"]
    paths = [root / word.removeprefix("mirror:") if word.startswith("mirror:") else Path(word) for word in rest]
    with (root / "calls").open("a") as log:
        names = sys.stdin.read().split() if "--files-from-raw" in sys.argv else []
        log.write(" ".join([command, *(word.rpartition("/")[2] for word in rest[-1:]), *names]) + "\n")
    if (root / "outage").exists() or (command == "cat" and paths[0].read_bytes() == b"outage"):
        print(
            '2026/11/25 10:00:00 Failed: send request failed\ncaused by: Get "x": connection refused', file=sys.stderr
        )
        return 1
    if command == "lsjson":
        if not paths[0].is_dir():
            print("2026/11/25 10:00:00 Failed to lsjson: error in ListJSON: directory not found", file=sys.stderr)
            return NOT_FOUND
        files = [path for path in paths[0].rglob("*") if path.is_file()]
        print(
            json.dumps(
                [{"Path": str(p.relative_to(paths[0])), "Size": p.stat().st_size, "IsDir": False} for p in files]
            )
        )
    elif command == "cat":
        sys.stdout.buffer.write(paths[0].read_bytes())
    else:
        for name in names:
            if command == "delete":
                (paths[0] / name).unlink(missing_ok=True)
                continue
            if not (paths[0] / name).exists():
                print(f"2026/11/25 10:00:00 ERROR : {name}: not found", file=sys.stderr)
                return 1
            paths[1].mkdir(parents=True, exist_ok=True)
            (shutil.copy if command == "copy" else shutil.move)(paths[0] / name, paths[1] / name)
    return 0


sys.exit(main())
