# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""custom-metrics: a logistic regression on data that are made up."""

import numpy as np


def load_data(partition_id):
    rng = np.random.default_rng(partition_id)
    x = rng.normal(size=(50, 5))
    return x, (x @ np.array([1.5, -2.0, 0.5, 0.0, 1.0]) + 0.3 * rng.normal(size=50) > 0).astype(int)


def predict(weights, bias, x):
    return 1 / (1 + np.exp(-(x @ weights + bias[0])))


def counts(expected, found):
    """True positives, false positives, false negatives and true negatives."""
    return [int(((expected == a) & (found == b)).sum()) for a, b in ((1, 1), (0, 1), (1, 0), (0, 0))]
