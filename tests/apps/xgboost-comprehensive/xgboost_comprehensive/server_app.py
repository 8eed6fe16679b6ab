# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""xgboost_comprehensive: the ServerApp."""

from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.common.config import unflatten_dict
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedXgbBagging, FedXgbCyclic

from xgboost_comprehensive.task import Booster, load_data, replace_keys

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    params = replace_keys(unflatten_dict(context.run_config))["params"]

    # The model is the first item of a list, an empty one at first
    arrays = ArrayRecord([np.frombuffer(b"", dtype=np.uint8)])

    if context.run_config["train-method"] == "bagging":
        strategy = FedXgbBagging(
            fraction_train=context.run_config["fraction-train"],
            fraction_evaluate=context.run_config["fraction-evaluate"],
        )
    else:
        strategy = FedXgbCyclic(fraction_train=1.0, fraction_evaluate=1.0)

    result = strategy.start(
        grid=grid,
        initial_arrays=arrays,
        num_rounds=context.run_config["num-server-rounds"],
        evaluate_fn=get_evaluate_fn(params) if context.run_config["centralised-eval"] else None,
    )

    Path("final_model.json").write_bytes(result.arrays["0"].numpy().tobytes())


def get_evaluate_fn(params):
    def evaluate_fn(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        if server_round == 0:  # there is nothing to evaluate
            return None
        x, y = load_data(99)
        return MetricRecord(
            {"RMSE": float(np.sqrt(((Booster(params, arrays["0"].numpy()).predict(x) - y) ** 2).mean()))}
        )

    return evaluate_fn
