# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""vertical-fl: the ClientApp has some features of all rows, and keeps its part of the model in its state."""

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from vertical_fl.task import load_rows

app = ClientApp()


def _features(context: Context):
    pos = context.node_config["partition-id"]
    splits = [int(dim) for dim in context.run_config["feature-splits"].split(",")]
    begin = sum(splits[:pos])
    return pos, load_rows()[0][:, begin : begin + splits[pos]]


def _weights(context: Context, inputs: int):
    if "model" not in context.state:
        rng = np.random.default_rng(inputs)
        weights = rng.normal(0, 0.5, (inputs, context.run_config["out-feature-dim-clientapp"]))
        context.state["model"] = ArrayRecord({"w": Array(weights)})
    return context.state["model"]["w"].numpy()


@app.query("generate_embeddings")
def generate_embeddings(msg: Message, context: Context):
    pos, x = _features(context)
    arrays = ArrayRecord({"embedding": Array(x @ _weights(context, x.shape[1]))})
    return Message(RecordDict({"arrays": arrays, "config": ConfigRecord({"pos": pos})}), reply_to=msg)


@app.train("apply_gradients")
def apply_gradients(msg: Message, context: Context):
    dummy, x = _features(context)
    gradients = msg.content["gradients"]["local-gradients"].numpy()
    weights = _weights(context, x.shape[1]) - context.run_config["learning-rate"] * 100 * x.T @ gradients
    context.state["model"] = ArrayRecord({"w": Array(weights)})
    return Message(RecordDict({"metrics": MetricRecord({"num-examples": len(x)})}), reply_to=msg)
