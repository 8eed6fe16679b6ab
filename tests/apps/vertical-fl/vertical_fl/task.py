# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""vertical-fl: rows whose features lie at different sites, and whose labels the server has."""

import numpy as np

ROWS, FEATURES = 80, 7


def load_rows():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, FEATURES))
    return x, (x @ np.linspace(-1, 1, FEATURES) > 0).astype(float)
