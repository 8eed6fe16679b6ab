# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Move towards the temperatures that the sites measure, with momentum; each says its own in its node configuration."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvgM

from fedops_kit import keep


class Settling(FedAvgM):
    """Lets sites learn more slowly from round to round, by what Flower hands on from one to the next."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Halve the learning rate in every second round."""
        if server_round % 2 == 0:
            config["lr"] *= 0.5
        return super().configure_train(server_round, arrays, config, grid)


server = ServerApp()
client = ClientApp()


@client.train()
def measure(message: Message, context: Context) -> Message:
    """Answer with what lies between the model and the temperature of this site."""
    model = message.content["arrays"].to_numpy_ndarrays()[0]
    error = float(context.node_config["temperature"]) - model
    content = RecordDict(
        {
            "arrays": ArrayRecord([model + message.content["config"]["lr"] * error]),
            "metrics": MetricRecord({"num-examples": 1, "loss": float(np.square(error).mean())}),
        }
    )
    return Message(content=content, reply_to=message)


@server.main()
def average(grid: Grid, context: Context) -> None:
    """Train for as many rounds as asked for, and say where the model is."""
    strategy = Settling(server_momentum=0.5, fraction_evaluate=0.0)
    strategy = keep(strategy, context)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros(3)]),
        num_rounds=int(context.run_config["server.rounds"]),
        train_config=ConfigRecord({"lr": float(context.run_config["lr"])}),
    )
    print(f"The model is {result.arrays.to_numpy_ndarrays()[0].tolist()}", flush=True)
