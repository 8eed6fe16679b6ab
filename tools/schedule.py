# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a schedule of a rate by round before it is used: tools/schedule.py 'cosine T_max=50' --rate 0.1 --rounds 50."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))  # without Ansible

from module_utils._config.schedule_plot import plotted
from module_utils._config.schedules import Schedule, curve
from module_utils._config.values import BadValue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schedule")
    parser.add_argument("--rate", type=float, default=1.0, help="that it begins with")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--losses", type=float, nargs="*", default=[], help="of the rounds, for one that looks at them")
    given = parser.parse_args()
    try:
        print(Schedule.of(given.schedule).text)
        print(plotted(curve(given.schedule, given.rate, given.rounds, given.losses)))
    except BadValue as bad:
        print(f"The schedule is {given.schedule!r} but {bad}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
