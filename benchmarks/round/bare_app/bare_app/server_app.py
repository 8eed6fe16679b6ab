# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: FedAvg and Flower's own start(), with the server's test set as its evaluate function."""

from __future__ import annotations

import os
from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from .task import evaluate_centrally, initial_arrays

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for as many rounds as asked for."""
    config = context.run_config
    nodes = config["min-available-clients"]
    strategy = FedAvg(fraction_evaluate=config["fraction-evaluate"], min_train_nodes=nodes, min_available_nodes=nodes)
    arrays = initial_arrays(config["seed"])
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({name: Array(array) for name, array in arrays.items()}),
        num_rounds=config["num-rounds"],
        train_config=ConfigRecord({key: config[key] for key in ("client-lr", "local-epochs", "batch-size", "seed")}),
        evaluate_fn=evaluate,
    )


def evaluate(_server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
    """Evaluate on the server's test set, where it has one."""
    directory = Path(os.environ.get("FEDOPS_DATA_DIR", "."))
    metrics = evaluate_centrally({name: array.numpy() for name, array in arrays.items()}, directory)
    return MetricRecord(metrics) if metrics else None
