# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""custom-metrics: the ClientApp."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from custom_metrics_example.task import counts, load_data, predict

app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    weights, bias = msg.content["arrays"].to_numpy_ndarrays()
    x, y = load_data(context.node_config["partition-id"])
    error = predict(weights, bias, x) - y
    lr = msg.content["config"]["lr"]
    arrays = ArrayRecord([weights - lr * x.T @ error / len(y), bias - lr * error.mean()])
    metrics = MetricRecord({"train_loss": float(np.abs(error).mean()), "num-examples": len(y)})
    return Message(content=RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    weights, bias = msg.content["arrays"].to_numpy_ndarrays()
    x, y = load_data(context.node_config["partition-id"])
    found = (predict(weights, bias, x) > 0.5).astype(int)
    metrics = MetricRecord({"counts": counts(y, found), "num-examples": len(y)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=msg)
