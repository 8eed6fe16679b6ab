# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that the status playbook shows."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils import _status


def test_what_the_modules_find_makes_one_picture() -> None:
    found = {
        "host": "superlink",
        "health": 200,
        "certificate_days": 12,
        "expected": ["a", "b"],
        "supernodes": [{"name": "b", "node_id": "7", "status": "online"}],
        "trainings": [
            {
                "name": "default",
                "status": "failed",
                "details": "no data",
                "run_id": "9",
                "num_rounds": 8,
                "history": [
                    {"round": 1, "loss": 1.0},
                    {"round": 2, "loss": 0.5, "accuracy": 0.75, "checkpoint_problem": "full"},
                ],
            },
            {"name": "new", "status": "pending", "details": "", "run_id": "10", "num_rounds": 3, "history": []},
        ],
        "latest": None,
    }
    assert _status.federation(found) == {
        "superlink": {"host": "superlink", "healthy": True, "certificate_days": 12},
        "supernodes": [
            {"name": "b", "node_id": "7", "status": "online"},
            {"name": "a", "node_id": None, "status": "not registered"},
        ],
        "trainings": [
            {
                "name": "default",
                "status": "failed",
                "details": "no data",
                "run_id": "9",
                "num_rounds": 8,
                "round": 2,
                "loss": 0.5,
                "accuracy": 0.75,
                "checkpoint_problem": "full",
            },
            {
                "name": "new",
                "status": "pending",
                "details": "",
                "run_id": "10",
                "num_rounds": 3,
                "round": None,
                "loss": None,
                "accuracy": None,
                "checkpoint_problem": None,
            },
        ],
        "checkpoint": None,
    }


def test_a_federation_at_work() -> None:
    status = {
        "superlink": {"host": "superlink", "healthy": True, "certificate_days": 364},
        "supernodes": [
            {"name": "supernode2", "node_id": "77", "status": "offline"},
            {"name": "supernode1", "node_id": "123456", "status": "online"},
        ],
        "trainings": [
            {
                "name": "default",
                "status": "running",
                "round": 3,
                "num_rounds": 8,
                "loss": 0.51,
                "accuracy": 0.9,
                "run_id": "9",
                "checkpoint_problem": "The checkpoint of round 3 cannot be saved in /mnt: No space left on device.",
            },
            {"name": "older", "status": "completed", "num_rounds": 2, "round": 2, "checkpoint_problem": "over."},
        ],
        "checkpoint": {
            "training": "default",
            "round": 3,
            "age": 190,
            "path": "/opt/flower/checkpoints/checkpoint_round_3.npz",
        },
    }
    assert _status.render(status) == (
        "SuperLink    superlink: healthy, certificate valid for 364 days\n"
        "\n"
        "SuperNodes   1 of 2 online\n"
        "  NAME         NODE ID   STATUS\n"
        "  supernode1   123456    online\n"
        "  supernode2   77        offline\n"
        "\n"
        "Trainings\n"
        "  NAME      STATUS      ROUND   LOSS     ACCURACY   RUN\n"
        "  default   running     3/8     0.5100   0.9000     9\n"
        "  older     completed   2/2     -        -          -\n"
        "  WARNING default: The checkpoint of round 3 cannot be saved in /mnt: No space left on device.\n"
        "\n"
        "Checkpoint   round 3 of default, 3 min old, verified\n"
        "  /opt/flower/checkpoints/checkpoint_round_3.npz"
    )


def test_a_federation_with_nothing_in_it() -> None:
    status = {
        "superlink": {"host": "superlink", "healthy": False, "certificate_days": None},
        "supernodes": [],
        "trainings": [],
        "checkpoint": None,
    }
    assert _status.render(status) == (
        "SuperLink    superlink: NOT HEALTHY, certificate unknown\n"
        "\n"
        "SuperNodes   none registered\n"
        "\n"
        "Trainings    none yet\n"
        "\n"
        "Checkpoint   none"
    )


def test_rounds_without_figures_are_shown_as_such() -> None:
    history = [
        {
            "round": 1,
            "loss": None,
            "accuracy": 0.5,
            "replies": 3,
            "failures": 0,
            "seconds": 12.34,
            "checkpoint": None,
        },
        {
            "round": 10,
            "loss": 1.0,
            "accuracy": 0.75,
            "replies": 2,
            "failures": 1,
            "seconds": 9,
            "checkpoint": "checkpoint_round_10.npz",
        },
        {"round": 11, "seconds": 9, "checkpoint": None, "checkpoint_problem": "The disk is full."},
    ]
    assert _status.history_table(history) == (
        "  ROUND   LOSS     ACCURACY   REPLIES   FAILURES   SECONDS   CHECKPOINT\n"
        "  1       -        0.5000     3         0          12.3      -\n"
        "  10      1.0000   0.7500     2         1          9.0       checkpoint_round_10.npz\n"
        "  11      -        -          None      None       9.0       NOT SAVED"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_an_age_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert _status.age(seconds) == text
