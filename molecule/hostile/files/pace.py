# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long the rounds of a history took while there was a load, and without.

What is read is {"history": lines, "loads": [{"begin": seconds, "end": seconds}]}.
"""

import json
import sys
from datetime import datetime
from statistics import median

told = json.load(sys.stdin)
seconds: dict[str, list[float]] = {"under": [], "without": []}
for line in told["history"][1:]:  # the first round waits for the sites
    end = datetime.fromisoformat(line["time"]).timestamp()
    begin = end - line["seconds"]
    if any(load["begin"] <= begin and end <= load["end"] for load in told["loads"]):
        seconds["under"].append(line["seconds"])
    elif all(end < load["begin"] or load["end"] < begin for load in told["loads"]):
        seconds["without"].append(line["seconds"])
print(json.dumps({name: {"rounds": len(took), "seconds": median(took or [0])} for name, took in seconds.items()}))
