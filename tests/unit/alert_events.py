# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of an operator's is told when a training has failed."""

from __future__ import annotations

from typing import Any

FAILED_EVENT: dict[str, Any] = {
    "format": "fedops.flower/alert",
    "version": 1,
    "id": "0290a27d-1",
    "alert": "training_failed",
    "state": "standing",
    "severity": "error",
    "time": "2027-01-15T08:01:00+00:00",
    "since": "2027-01-15T08:00:00+00:00",
    "host": "aggregator",
    "training": "default",
    "site": None,
    "path": None,
    "reason": "app",
    "run_id": "7",
    "round": None,
    "waiting_for": [],
    "message": "The training default has failed. The data went away.",
    "action": "Read the end of the log of the run, correct the app or its data, and train again.",
}
