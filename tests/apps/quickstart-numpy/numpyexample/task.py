# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A linear model, and data of its own for each partition."""

import numpy as np


def get_dummy_model():
    return [np.zeros((3, 2)), np.zeros(2)]


def load_data(partition_id):
    rng = np.random.default_rng(partition_id)
    x = rng.normal(size=(40 + partition_id, 3))
    return x, x @ np.array([[1.0, -2.0], [0.5, 0.0], [0.0, 3.0]]) + 0.1 * rng.normal(size=(len(x), 2))


def step(model, x, y):
    weight, bias = model
    error = x @ weight + bias - y
    return [weight - 0.1 * x.T @ error / len(x), bias - 0.1 * error.mean(axis=0)], float(np.square(error).mean())
