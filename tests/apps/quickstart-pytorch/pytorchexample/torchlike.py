# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for what the app uses of torch, which is not among what the tests need: a module with a state_dict of the
same layout, names such as ``fc1.weight``, float32 parameters and an int64 counter, and a way to and from records."""

from collections import OrderedDict

import numpy as np
from flwr.app import Array, ArrayRecord


class Net:
    """fc1 and fc2 with a ReLU between them, and the counter that a batch normalization would have."""

    def __init__(self):
        rng = np.random.default_rng(7)  # torch.manual_seed
        self._state = OrderedDict(
            [
                ("fc1.weight", rng.normal(0, 0.3, (12, 8)).astype(np.float32)),
                ("fc1.bias", np.zeros(12, np.float32)),
                ("bn1.num_batches_tracked", np.array(0, np.int64)),
                ("fc2.weight", rng.normal(0, 0.3, (3, 12)).astype(np.float32)),
                ("fc2.bias", np.zeros(3, np.float32)),
            ]
        )

    def state_dict(self):
        return self._state

    def load_state_dict(self, state, strict=True):
        if strict and list(state) != list(self._state):
            raise RuntimeError("Error(s) in loading state_dict for Net")
        self._state = OrderedDict((name, value.astype(self._state[name].dtype)) for name, value in state.items())

    def __call__(self, x):
        state = self._state
        self.hidden = np.maximum(x @ state["fc1.weight"].T + state["fc1.bias"], 0)
        return self.hidden @ state["fc2.weight"].T + state["fc2.bias"]


def to_record(state):
    """``ArrayRecord(state_dict)``"""
    return ArrayRecord({name: Array(np.asarray(value)) for name, value in state.items()})


def to_state_dict(record):
    """``record.to_torch_state_dict()``"""
    return OrderedDict((name, array.numpy()) for name, array in record.items())


def save(state, path):
    """``torch.save``, in NumPy's format."""
    with open(path, "wb") as file:
        np.savez(file, **state)
