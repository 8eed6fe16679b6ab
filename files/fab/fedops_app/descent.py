# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One local training by gradient descent, for tasks that compute their gradients themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from .measuring import Steps
from .settings import Settings

Arrays = dict[str, NDArray]


def descend(
    arrays: Mapping[str, NDArray],
    gradients_of: Callable[[Arrays, NDArray], Arrays],
    examples: int,
    settings: Settings,
) -> tuple[Arrays, dict[str, float]]:
    """Train a copy of a model in batches; return it, with what is reported of the steps (:class:`Steps`).

    :param gradients_of: returns the gradient of the loss, by array, given the model and the numbers of the examples
        of a batch (int64, at most ``settings.batch_size`` of them, each below ``examples``).
    """
    rng = np.random.default_rng(settings.seed)
    model = {name: array.copy() for name, array in arrays.items()}
    steps = Steps(settings.proximal_mu)
    for _epoch in range(settings.local_epochs):
        order = rng.permutation(examples)[: settings.most_examples]
        for start in range(0, len(order), settings.batch_size):
            gradients = gradients_of(model, order[start : start + settings.batch_size])
            steps.taken(gradients.values())
            for name, gradient in gradients.items():
                # FedProx: mu/2 * ||w - w_global||^2 in the loss pulls the model back to where the round began.
                proximal = settings.proximal_mu * (model[name] - arrays[name])
                model[name] -= settings.learning_rate * (gradient + proximal)
    return model, steps.metrics(model[name] - arrays[name] for name in model)
