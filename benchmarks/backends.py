# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare saving a checkpoint on a disk with ext4, on one with xfs, and on NFS, side by side on one virtual machine.

Our own roles mount each, and the app's own code saves in one after the other, beginning with another one each time.
Each turn gives a ratio to ext4. Seconds tell nothing where QEMU has to translate: hashing takes far longer then than on
a machine of one's own, which makes the ratios of large models smaller than they are there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from common import ROOT, Spread, machine, new_parser, write_json
from federation import HOME, BenchmarkError, Federation

BASIS = "ext4"
STORAGES = (
    {"name": "ext4", "backend": "disk", "disk": "SERIAL=empty"},
    {"name": "xfs", "backend": "disk", "disk": "SERIAL=xfs"},
    {"name": "nfs", "backend": "nfs"},
)


def compared(seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Return the seconds of each storage, and how many times those of the basis they are, turn by turn."""
    return {
        name: {
            "seconds": asdict(Spread.of(taken)),
            "ratio": asdict(Spread.of([own / basis for own, basis in zip(taken, seconds[BASIS], strict=True)])),
        }
        for name, taken in seconds.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Boot the machines, save, write what it took, and remove the machines."""
    parser = new_parser(__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 10, 50], help="sizes of the model")
    parser.add_argument("--repeats", type=int, default=11, help="saves in each storage (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the machines, for the next time")
    options = parser.parse_args(arguments)
    machines = Federation("backends")
    taken = machines.data.with_name("seconds.json")
    try:
        machines.play("testbed/vm/up.yml")
        machines.play(
            "benchmarks/backends/site.yml",
            variables={
                "backends_storages": [{**each, "place": f"{each['name']}={HOME}/{each['name']}"} for each in STORAGES],
                "backends_megabytes": [str(size) for size in options.megabytes],
                "backends_repeats": str(options.repeats),
                "backends_results": str(taken),
            },
        )
        results = {int(size): compared(seconds) for size, seconds in json.loads(taken.read_text("utf-8")).items()}
    finally:
        if not options.keep:
            machines.play("testbed/vm/down.yml")
    for size, storages in results.items():
        for name, result in storages.items():
            seconds, ratio = (result[key]["median"] for key in ("seconds", "ratio"))
            print(f"{size:4d} MB   {name:5s} {seconds:8.3f} s   {ratio:.2f} x {BASIS}")
    write_json(
        options.results / "backends.json",
        {"machine": machine(ROOT), "basis": BASIS, "repeats": options.repeats, "results": results},
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
