# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""sklearnexample: A Flower / sklearn app."""

import numpy as np

from sklearnexample.linear_model import LogisticRegression

N_CLASSES, N_FEATURES = 4, 16  # of the data


def load_data(partition_id: int, num_partitions: int):
    """Load partition data: made up here, with the names that the hub's data set has."""
    rng = np.random.default_rng(partition_id)
    label = rng.integers(0, N_CLASSES, 50)
    image = rng.normal(size=(50, N_FEATURES)) + 2.0 * np.eye(N_CLASSES, N_FEATURES)[label]
    return image[:40], label[:40], image[40:], label[40:]


def get_model(penalty: str, local_epochs: int):
    return LogisticRegression(penalty=penalty, max_iter=local_epochs, warm_start=True, solver="saga")


def get_model_params(model):
    return [model.coef_, model.intercept_]


def set_model_params(model, params):
    model.classes_ = np.arange(N_CLASSES)
    model.coef_, model.intercept_ = params[0], params[1]
    return model


def set_initial_params(model):
    model.classes_ = np.arange(N_CLASSES)
    model.coef_ = np.zeros((N_CLASSES, N_FEATURES))
    model.intercept_ = np.zeros((N_CLASSES,))


def create_log_reg_and_instantiate_parameters(penalty):
    model = get_model(penalty, local_epochs=1)
    set_initial_params(model)  # Setting initial parameters, akin to model.compile for keras models
    return model
