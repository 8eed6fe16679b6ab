# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every strategy makes the bytes that it made before there was any differential privacy, while that is off."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from fedops_kit.arithmetic import arithmetics
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.training import Training

# The beginning of the SHA-256 of what each has made, computed by the code of that time.
RECORDED = {
    "FedAvg": "28b0fd0492424963",
    "FedProx": "28b0fd0492424963",
    "FedAdam": "eda701f9997c245a",
    "Krum": "4ce045f960bf70e0",
    "Bulyan": "f8ba2c405e758086",
    "FedTrimmedAvg": "a24f9d7d90d680c8",
    "FedMedian": "cc92aed35df39bf9",
    "FedAvgM": "28b0fd0492424963",
    "FedAdagrad": "57997c6a07e7273e",
    "FedYogi": "1356697c53e5a9a7",
    "QFedAvg": "2f99de474467e58d",
    "MultiKrum": "4ce045f960bf70e0",
}
SHAPES = {"weight": (7, 5), "bias": (5,), "half": (4,), "scale": (), "running_mean": (3,), "steps": ()}


def numbers(shape: tuple[int, ...], step: int) -> NDArray:
    """Return numbers that are in no random generator's hands."""
    return (np.arange(np.prod(shape, dtype=int)) * step % 97 / 64).astype(np.float32).reshape(shape)


def model(seed: int) -> ArrayRecord:
    made = {name: Array(numbers(shape, 13 + seed * 7)) for name, shape in SHAPES.items()}
    made["half"] = Array(numbers((4,), 5 + seed).astype(np.float16))
    made["steps"] = Array(np.array(3 + seed))
    return ArrayRecord(made)


def reply(number: int) -> Message:
    asked = Message(RecordDict({"config": ConfigRecord({})}), dst_node_id=number, message_type="train")
    metrics = MetricRecord({"num-examples": 8 * number, "train_loss": 1.0 + (number - 1) / 8})
    return Message(RecordDict({"arrays": model(number), "metrics": metrics}), reply_to=asked)


@pytest.mark.parametrize("privacy", [{}, {"fl_privacy": "none", "fl_privacy_clipping_norm": 0.1, "fl_privacy_seed": 3}])
@pytest.mark.parametrize("name", STRATEGIES)
def test_off_makes_the_bytes_of_before(name: str, privacy: dict[str, object]) -> None:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    malicious = 1 if STRATEGIES[name].malicious_factor else 0
    given = {"fl_strategy": name, "fl_min_available_clients": 7, "fl_num_malicious": malicious, **privacy}
    training, base = Training.from_variables(given), model(0)
    strategy = getattr(flower, name)(**training.strategy_parameters)
    if hasattr(strategy, "current_arrays"):
        as_numbers = {array: values.numpy() for array, values in base.items()}
        as_record = name in ("FedAvgM", "QFedAvg")
        strategy.current_arrays = ArrayRecord(dict(base)) if as_record else as_numbers
    arithmetic = arithmetics(base, ["running_mean"], training.values)[2]
    arithmetic.prepare(strategy)
    arrays = arithmetic.aggregate(strategy, 1, base, [reply(number) for number in range(1, 8)]).arrays
    assert arrays is not None
    digest = hashlib.sha256()
    for array, values in arithmetic.like(arrays, base).items():
        digest.update(array.encode())
        digest.update(values.numpy().tobytes())
    assert digest.hexdigest()[:16] == RECORDED[name]
