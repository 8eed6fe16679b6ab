# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""sklearnexample: A Flower / sklearn app."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from sklearnexample.linear_model import log_loss
from sklearnexample.task import create_log_reg_and_instantiate_parameters, get_model_params, load_data, set_model_params

# Flower ClientApp
app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    """Train the model on local data."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["penalty"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())
    partition_id, num_partitions = context.node_config["partition-id"], context.node_config["num-partitions"]
    x_train, y_train, *dummy = load_data(partition_id, num_partitions)
    model.fit(x_train, y_train)
    train_logloss = log_loss(y_train, model.predict_proba(x_train))
    accuracy = model.score(x_train, y_train)

    # Construct and return reply Message
    metrics = {"num-examples": len(x_train), "train_logloss": train_logloss, "train_accuracy": accuracy}
    content = RecordDict({"arrays": ArrayRecord(get_model_params(model)), "metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    """Evaluate the model on test data."""
    model = create_log_reg_and_instantiate_parameters(context.run_config["penalty"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())
    *dummy, x_test, y_test = load_data(context.node_config["partition-id"], context.node_config["num-partitions"])
    metrics = {
        "num-examples": len(x_test),
        "test_logloss": log_loss(y_test, model.predict_proba(x_test)),
        "test_accuracy": model.score(x_test, y_test),
    }
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=msg)
