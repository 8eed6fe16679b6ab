# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""numpyexample: A Flower / NumPy app."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from numpyexample.task import load_data, step

# Flower ClientApp
app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    """Train the model on local data."""
    x, y = load_data(int(context.node_config["partition-id"]))
    model, loss = step(msg.content["arrays"].to_numpy_ndarrays(), x, y)

    # Construct and return reply Message
    model_record = ArrayRecord(model)
    metrics = {"train_loss": loss, "num-examples": len(x)}
    content = RecordDict({"arrays": model_record, "metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    """Evaluate the model on local data."""
    x, y = load_data(int(context.node_config["partition-id"]))
    dummy, loss = step(msg.content["arrays"].to_numpy_ndarrays(), x, y)

    # Construct and return reply Message
    metrics = {"eval_loss": loss, "num-examples": len(x)}
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=msg)
