# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Average the temperatures that the sites measure; each says its own in its node configuration."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

server = ServerApp()
client = ClientApp()


@client.train()
def measure(message: Message, context: Context) -> Message:
    """Answer with the temperature of this site."""
    temperature = np.array([float(context.node_config["temperature"])])
    content = RecordDict({"arrays": ArrayRecord([temperature]), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content=content, reply_to=message)


@server.main()
def average(grid: Grid, context: Context) -> None:
    """Average for as many rounds as asked for, and say the last mean."""
    rounds = int(context.run_config["num-rounds"])
    strategy = FedAvg(fraction_evaluate=0.0)
    result = strategy.start(grid=grid, initial_arrays=ArrayRecord([np.zeros(1)]), num_rounds=rounds)
    np.save("temperature.npy", result.arrays.to_numpy_ndarrays()[0])  # under a relative path, as apps do
    mean = result.arrays.to_numpy_ndarrays()[0][0]
    print(f"Mean temperature after {rounds} rounds is {mean:.2f}", flush=True)
