# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorch-example: the ClientApp."""

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from pytorch_example.task import Net, load_data, test, to_record
from pytorch_example.task import train as train_fn

app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    model = Net()
    model.load_state_dict({name: array.numpy() for name, array in msg.content["arrays"].items()})
    data = load_data(context.node_config["partition-id"])
    loss = train_fn(model, data, context.run_config["local-epochs"], msg.content["config"]["lr"])
    metrics = MetricRecord({"train_loss": loss, "num-examples": len(data[1])})
    return Message(content=RecordDict({"arrays": to_record(model), "metrics": metrics}), reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    model = Net()
    model.load_state_dict({name: array.numpy() for name, array in msg.content["arrays"].items()})
    data = load_data(context.node_config["partition-id"])
    metrics = MetricRecord({"eval_acc": test(model, data), "num-examples": len(data[1])})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=msg)
