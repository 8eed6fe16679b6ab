# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules held against PyTorch's schedulers. `make test-examples` runs this where PyTorch is."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler

from fedops_kit.knowledge._config.schedules import curve

ROUNDS, BASE = 120, 0.3
Make = Callable[[Any], Any]

CASES: dict[str, Make] = {
    "linear_warmup": lr_scheduler.LinearLR,
    "linear_warmup start_factor=0.01 total_iters=17": lambda o: lr_scheduler.LinearLR(o, 0.01, 1.0, 17),
    "exponential gamma=0.97": lambda o: lr_scheduler.ExponentialLR(o, 0.97),
    "step step_size=7": lambda o: lr_scheduler.StepLR(o, 7),
    "step step_size=30 gamma=0.5": lambda o: lr_scheduler.StepLR(o, 30, 0.5),
    "cosine T_max=120": lambda o: lr_scheduler.CosineAnnealingLR(o, 120),
    "cosine T_max=23 eta_min=0.001": lambda o: lr_scheduler.CosineAnnealingLR(o, 23, 0.001),
    "cosine_warm_restarts T_0=10": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10),
    "cosine_warm_restarts T_0=5 T_mult=2 eta_min=0.01": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 5, 2, 0.01
    ),
    "cosine_warm_restarts T_0=1 T_mult=3": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 1, 3),
    "linear_warmup start_factor=0.1 total_iters=6 then cosine T_max=50": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 6), lr_scheduler.CosineAnnealingLR(o, 50)], [6]
    ),
    "linear_warmup total_iters=4 then step step_size=9 gamma=0.3": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=4), lr_scheduler.StepLR(o, 9, 0.3)], [4]
    ),
}


def optimizer() -> Any:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


@pytest.mark.parametrize("text", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_schedule_is_that_of_pytorch(text: str) -> None:
    own = optimizer()
    scheduler, expected = CASES[text](own), []
    for _round in range(ROUNDS):
        expected.append(own.param_groups[0]["lr"])
        own.step()
        scheduler.step()
    assert curve(text, BASE, ROUNDS) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_reduction_on_a_plateau_is_that_of_pytorch(seed: int) -> None:
    chance = random.Random(seed)
    losses = [chance.choice([1 / (1 + n), 0.5]) + chance.gauss(0, 0.01) for n in range(ROUNDS)]
    given = {
        "factor": chance.choice([0.1, 0.5]), "patience": chance.choice([0, 2, 5]),
        "threshold": chance.choice([1e-4, 0.05]), "cooldown": chance.choice([0, 3]),
        "min_lr": chance.choice([0.0, 0.01]),
    }  # fmt: skip
    own = optimizer()
    scheduler, expected = lr_scheduler.ReduceLROnPlateau(own, **given), []
    for loss in losses:
        expected.append(own.param_groups[0]["lr"])
        scheduler.step(loss)
    text = " ".join(["reduce_on_plateau", *(f"{name}={value}" for name, value in given.items())])
    assert curve(text, BASE, ROUNDS, losses) == pytest.approx(expected, rel=0, abs=1e-12)
