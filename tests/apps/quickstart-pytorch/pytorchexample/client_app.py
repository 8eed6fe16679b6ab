# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorchexample: A Flower / PyTorch app."""

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from pytorchexample.task import Net, load_data
from pytorchexample.task import test as test_fn
from pytorchexample.task import train as train_fn
from pytorchexample.torchlike import to_record, to_state_dict

# Flower ClientApp
app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    """Train the model on local data."""

    # Load the model and initialize it with the received weights
    model = Net()
    model.load_state_dict(to_state_dict(msg.content["arrays"]))

    # Load the data
    partition_id, num_partitions = context.node_config["partition-id"], context.node_config["num-partitions"]
    trainloader, dummy = load_data(partition_id, num_partitions, context.run_config["batch-size"])

    # Call the training function
    train_loss = train_fn(model, trainloader, context.run_config["local-epochs"], msg.content["config"]["lr"])

    # Construct and return reply Message
    metrics = {"train_loss": train_loss, "num-examples": sum(len(batch["label"]) for batch in trainloader)}
    content = RecordDict({"arrays": to_record(model.state_dict()), "metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    """Evaluate the model on local data."""
    model = Net()
    model.load_state_dict(to_state_dict(msg.content["arrays"]))
    partition_id, num_partitions = context.node_config["partition-id"], context.node_config["num-partitions"]
    dummy, valloader = load_data(partition_id, num_partitions, context.run_config["batch-size"])
    eval_loss, eval_acc = test_fn(model, valloader)

    # Construct and return reply Message
    metrics = {"eval_loss": eval_loss, "eval_acc": eval_acc, "num-examples": len(valloader[0]["label"])}
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=msg)
