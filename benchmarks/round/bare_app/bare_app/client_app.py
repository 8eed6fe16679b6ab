# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: train on the data of this site, and answer with the model."""

from __future__ import annotations

from pathlib import Path

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from .settings import Settings
from .task import train as train_locally

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the data of this site."""
    config = message.content["config"]
    settings = Settings(
        learning_rate=config["client-lr"],
        local_epochs=config["local-epochs"],
        batch_size=config["batch-size"],
        proximal_mu=0.0,
        seed=config["seed"] + config["server-round"],
    )
    received = {name: array.numpy() for name, array in message.content["arrays"].items()}
    arrays, metrics = train_locally(received, Path(str(context.node_config["data-path"])), settings)
    content = RecordDict(
        {
            "arrays": ArrayRecord({name: Array(array) for name, array in arrays.items()}),
            "metrics": MetricRecord(metrics),
        }
    )
    return Message(content=content, reply_to=message)
