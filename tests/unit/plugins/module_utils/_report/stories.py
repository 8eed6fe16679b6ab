# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories as the kit writes them, of as many rounds and sites as asked, with what may go wrong in them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BEGAN = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
HASH = "a" * 64
Line = dict[str, Any]


def line(number: int, rounds: int, sites: int, dice: random.Random, run_id: str = "1") -> Line:
    """Return the line of a round of a training that goes well."""
    loss = 2.0 * math.exp(-4.0 * number / rounds) + 0.2 + dice.uniform(-0.01, 0.01)
    told = []
    for site in range(sites):
        own = loss * (1 + 0.02 * (site % 7)) + dice.uniform(-0.02, 0.02)
        told.append(
            {
                "site": f"site-{site:03d}abcdefghi"[:17],
                "state": "counted",
                "examples": 400 + site,
                "loss": own,
                "grad_norm": own / 2,
                "metrics": {"train_acc": 1 - own / 3},
                "update_norm": 0.5 * loss + 0.01 * (site % 5),
                "direction": 0.8 + dice.uniform(-0.1, 0.1),
                "seconds": 2.0 + 0.1 * (site % 4),
                "hash": "b" * 64,
                "evaluation": {"examples": 40, "loss": own + 0.1, "metrics": {"accuracy": max(0.0, 1 - own / 3)}},
            }
        )
    return {
        "event": "round_finished",
        "training": "default",
        "run_id": run_id,
        "configuration_hash": HASH,
        "time": (BEGAN + timedelta(seconds=6 * number)).isoformat(timespec="milliseconds"),
        "round": number,
        "num_rounds": rounds,
        "aggregated": True,
        "loss": loss,
        "accuracy": 1 - loss / 3,
        "num_examples": 1000,
        "metrics": {"train_loss": loss, "federated_loss": loss + 0.1},
        "replies": sites,
        "failures": 0,
        "attempts": 1,
        "failed": [],
        "rejected": [],
        "update_norm": 0.4 * loss,
        "sites": told,
        "across_sites": {},
        "exact": True,
        "seconds": 3.1,
        "phases": {"training": 2.4, "aggregation": 0.3, "evaluation": 0.2, "saving": 0.1},
        "checkpoint": f"checkpoint_round_{number}.npz" if number % 5 == 0 else None,
        "checkpoint_problem": None,
    }


def lines(rounds: int, sites: int, of: int | None = None, change: Callable[[Line], None] | None = None) -> list[Line]:
    """Return the lines of so many rounds; ``change`` makes each what it is to be."""
    dice = random.Random(7)
    found = [line(number, of or rounds, sites, dice) for number in range(1, rounds + 1)]
    for each in found:
        if change:
            change(each)
    return found


def out(each: Line, place: int, state: str, reason: str) -> None:
    """Have what a site did in a round not count."""
    site = each["sites"][place]["site"]
    each["sites"][place] = {"site": site, "state": state, "reason": reason}
    each["replies"] -= 1
    each["failures"] += 1
    each["rejected" if state == "rejected" else "failed"].append({"site": site, "work": "train", "reason": reason})


def effective(**changes: Any) -> dict[str, Any]:
    """Return what a ServerApp says that it is."""
    config = {
        "training-name": "default",
        "strategy": "FedAvg",
        "num-rounds": 40,
        "client-lr": 0.1,
        "fraction-train": 1.0,
    }
    return {
        "training": "default",
        "run_id": "1",
        "configuration_hash": HASH,
        "strategy": {
            "name": "FedAvg",
            "class": "flwr.serverapp.strategy.fedavg.FedAvg",
            "parameters": {"fraction_train": 1.0},
        },
        "run_config": config,
        "flwr_version": "1.41.0",
        "app": "fedops/fedops-app 0.1.0 abcdef01",
        **changes,
    }


def write(folder: Path, found: list[Line]) -> None:
    """Write a history."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found))


def memory(*lost: Mapping[str, Any], state: str = "completed", **values: Any) -> dict[str, Any]:
    """Return how a supervised training stands."""
    return {"state": state, "reason": "", "detail": "", "restarts": len(lost), "restart_reasons": list(lost), **values}


def eventful(rounds: int = 40, sites: int = 6) -> list[Line]:
    """Return a training in which much goes wrong."""

    def change(each: Line) -> None:
        number = each["round"]
        if number >= 15:
            each["run_id"] = "2"
        if number >= 25:
            out(each, 0, "failed", "no answer within 60 seconds")
        if number in (10, 20):
            out(
                each,
                1,
                "rejected",
                f"the norm of its update is {number * 7.5} but must be at most 10 (fl_max_update_norm)",
            )
        if number == 18:
            each["loss"] *= 6
        for site in each["sites"]:
            if site["site"].startswith("site-002"):
                site.update(direction=-0.6, update_norm=9.0)
            if site["site"].startswith("site-003"):
                site.update(update_norm=0.0)
            if site["site"].startswith("site-004"):
                site.update(seconds=11.0)
        each["metrics"]["recall"] = 0.0
        if number == 30:
            each["attempts"] = 2
        if number == 33:
            each["checkpoint_problem"] = "Round 33 is not saved: No space left on device."

    return [each for each in lines(rounds, sites, change=change) if each["round"] not in (7, 8)]
