# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""xgboost_comprehensive: data that are made up, and stumps in the JSON form of XGBoost's models."""

import json

import numpy as np


def load_data(partition_id):
    rng = np.random.default_rng(partition_id)
    x = rng.normal(size=(60, 4))
    return x, 2.0 * (x[:, 0] > 0.3) - (x[:, 2] > -0.2) + 0.1 * rng.normal(size=60)


def replace_keys(config):
    """Replace hyphens by underscores, in tables of tables too."""
    return {
        key.replace("-", "_"): replace_keys(value) if isinstance(value, dict) else value
        for key, value in config.items()
    }


class Booster:
    """A stand-in for what the app uses of xgb.Booster."""

    def __init__(self, params, model=b""):
        self.eta, self.trees = params["eta"], []
        if len(model):
            self.trees = json.loads(bytes(model))["learner"]["gradient_booster"]["model"]["trees"]

    def predict(self, x):
        return sum(
            (
                np.where(x[:, tree["split_indices"][0]] > tree["split_conditions"][0], *tree["base_weights"])
                for tree in self.trees
            ),
            np.zeros(len(x)),
        )

    def update(self, x, y):
        """Add the stump that fits best what is left."""
        rest, best = y - self.predict(x), None
        for feature in range(x.shape[1]):
            for bound in np.quantile(x[:, feature], [0.2, 0.4, 0.6, 0.8]):
                above = x[:, feature] > bound
                values = rest[above].mean(), rest[~above].mean()
                error = float(((rest - np.where(above, *values)) ** 2).sum())
                if best is None or error < best[0]:
                    best = error, feature, float(bound), [self.eta * float(value) for value in values]
        dummy, feature, bound, values = best
        self.trees.append(
            {"id": len(self.trees), "split_indices": [feature], "split_conditions": [bound], "base_weights": values}
        )

    def last(self, count):
        """The model of the last trees alone."""
        found = Booster({"eta": self.eta})
        found.trees = [{**tree, "id": number} for number, tree in enumerate(self.trees[-count:])]
        return found

    def save_raw(self):
        model = {
            "gbtree_model_param": {"num_trees": str(len(self.trees)), "num_parallel_tree": "1"},
            "iteration_indptr": list(range(len(self.trees) + 1)),
            "trees": self.trees,
            "tree_info": [0] * len(self.trees),
        }
        return json.dumps({"learner": {"gradient_booster": {"model": model}}}).encode()
