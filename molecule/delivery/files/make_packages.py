# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the digits on a grid in this process, and pack rounds of it, signed by an authority.

The last but one has a large file beside its weights, so that its download takes a while.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path += [str(ROOT / folder) for folder in ("testbed", "files/fab", ".ansible/collections")]

from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import verify
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import plan, signer_of
from simulated import Federation

LARGE = 96 << 20  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("authority", type=Path)
    parser.add_argument("into", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    signer = signer_of(str(asked.authority / "ca.crt"), str(asked.authority / "ca.key"))
    with tempfile.TemporaryDirectory() as folder:
        federation = Federation(Path(folder), 3)
        federation.train(num_rounds=asked.rounds, training_name="digits")
        large = Path(folder, "large.dat")
        large.write_bytes(random.Random(1).randbytes(LARGE))
        made = []
        for number in range(1, asked.rounds + 1):
            checkpoint = verify(next(str(path) for path in Path(folder).rglob(f"checkpoint_round_{number}.npz")))
            beside = {large.name: str(large)} if number == asked.rounds - 1 else {}
            packing = plan(checkpoint, "digits", None, beside)
            for old in asked.into.glob(f"{packing.package}.*"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=asked.into) as work:
                packing.write(work, signer)
                for path in Path(work).glob(f"{packing.file}*"):
                    path.rename(asked.into / path.name)
            made.append(packing.file)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
