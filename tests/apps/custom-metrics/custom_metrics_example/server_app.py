# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""custom-metrics: the ServerApp."""

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


def aggregate_training(records: list[RecordDict], weighting_metric_name: str) -> MetricRecord:
    """The worst loss of all sites: no weights are used."""
    return MetricRecord({"worst_loss": max(record["metrics"]["train_loss"] for record in records)})


def aggregate_evaluation(records: list[RecordDict], weighting_metric_name: str) -> MetricRecord:
    """Add up what the sites have counted, and make rates of that."""
    tp, fp, fn, tn = np.sum([record["metrics"]["counts"] for record in records], axis=0)
    return MetricRecord(
        {
            "accuracy": float((tp + tn) / (tp + fp + fn + tn)),
            "precision": float(tp / max(tp + fp, 1)),
            "recall": float(tp / max(tp + fn, 1)),
        }
    )


@app.main()
def main(grid: Grid, context: Context) -> None:
    strategy = FedAvg(
        fraction_train=context.run_config["fraction-train"],
        min_available_nodes=2,
        train_metrics_aggr_fn=aggregate_training,
        evaluate_metrics_aggr_fn=aggregate_evaluation,
    )

    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros(5), np.zeros(1)]),
        train_config=ConfigRecord({"lr": context.run_config["lr"]}),
        num_rounds=context.run_config["num-server-rounds"],
    )

    ndarrays = result.arrays.to_numpy_ndarrays()
    np.savez("final_model.npz", *ndarrays)
