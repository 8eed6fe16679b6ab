# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Average adapters of PEFT, weighted by their examples. It says what it made as one object of JSON.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import typing as t

from .adapters import MOST_ADAPTER_BYTES, AdapterError
from .averaging import average_adapters

NOT_MADE = 1


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="aggregate-adapters", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--adapters",
        nargs="+",
        action="append",
        required=True,
        metavar="PATH:EXAMPLES",
        help="folder of an adapter, and how many examples it was trained on",
    )
    parser.add_argument("--output", required=True, help="folder to write, which must not be there")
    parser.add_argument("--most-bytes", type=int, default=MOST_ADAPTER_BYTES, help="refuse larger weights")
    asked = parser.parse_args(arguments)
    if importlib.util.find_spec("numpy") is None:
        sys.stderr.write("NumPy is not here: install python3-numpy.\n")
        return NOT_MADE
    try:
        made = average_adapters([one for group in asked.adapters for one in group], asked.output, asked.most_bytes)
    except AdapterError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_MADE
    sys.stdout.write(json.dumps(made) + "\n")
    return 0
