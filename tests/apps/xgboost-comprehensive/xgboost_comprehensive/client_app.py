# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""xgboost_comprehensive: the ClientApp."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.config import unflatten_dict

from xgboost_comprehensive.task import Booster, load_data, replace_keys

app = ClientApp()


@app.train()
def train(msg: Message, context: Context) -> Message:
    config = replace_keys(unflatten_dict(context.run_config))
    x, y = load_data(context.node_config["partition-id"])
    epochs = config["local_epochs"]
    if msg.content["config"]["server-round"] == 1:
        booster = Booster(config["params"])
        for dummy in range(epochs):
            booster.update(x, y)
    else:
        booster = Booster(config["params"], msg.content["arrays"]["0"].numpy())
        for dummy in range(epochs):
            booster.update(x, y)
        if config["train_method"] == "bagging":
            booster = booster.last(epochs)

    model = ArrayRecord([np.frombuffer(booster.save_raw(), dtype=np.uint8)])
    metrics = MetricRecord({"num-examples": len(y)})
    return Message(content=RecordDict({"arrays": model, "metrics": metrics}), reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context) -> Message:
    config = replace_keys(unflatten_dict(context.run_config))
    x, y = load_data(context.node_config["partition-id"])
    error = Booster(config["params"], msg.content["arrays"]["0"].numpy()).predict(x) - y
    metrics = MetricRecord({"rmse": float(np.sqrt((error**2).mean())), "num-examples": len(y)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=msg)
