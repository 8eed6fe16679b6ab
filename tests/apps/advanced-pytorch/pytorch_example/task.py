# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorch-example: a model with a state_dict as torch has it, in NumPy, and a folder for each run."""

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord


class Net:
    """One linear layer, with the methods of a module."""

    def __init__(self):
        self.state = OrderedDict([("fc.weight", np.zeros((3, 6), np.float32)), ("fc.bias", np.zeros(3, np.float32))])

    def load_state_dict(self, state):
        self.state = OrderedDict((name, np.array(value, np.float32)) for name, value in state.items())

    def __call__(self, x):
        return x @ self.state["fc.weight"].T + self.state["fc.bias"]


def to_record(net):
    return ArrayRecord({name: Array(value) for name, value in net.state.items()})


def load_data(partition_id):
    rng = np.random.default_rng(partition_id)
    y = rng.integers(0, 3, 40)
    return (rng.normal(size=(40, 6)) + 1.5 * np.eye(3, 6)[y]).astype(np.float32), y


def train(net, data, epochs, lr):
    x, y = data
    for dummy in range(epochs):
        scores = np.exp(net(x) - net(x).max(1, keepdims=True))
        error = scores / scores.sum(1, keepdims=True) - np.eye(3)[y]
        net.state["fc.weight"] -= (lr * error.T @ x / len(x)).astype(np.float32)
        net.state["fc.bias"] -= (lr * error.mean(0)).astype(np.float32)
    return float(np.abs(error).mean())


def test(net, data):
    return float((net(data[0]).argmax(1) == data[1]).mean())


def create_run_dir(config):
    """Make a folder for the files of this run."""
    run_dir = "run"  # the day and the hour elsewhere
    save_path = Path.cwd() / "outputs" / run_dir
    save_path.mkdir(parents=True, exist_ok=True)
    (save_path / "run_config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
    return save_path, run_dir
