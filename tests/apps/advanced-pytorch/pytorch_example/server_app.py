# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorch-example: the ServerApp."""

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from pytorch_example.strategy import CustomFedAvg
from pytorch_example.task import Net, create_run_dir, load_data, test, to_record

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    strategy = CustomFedAvg(
        fraction_train=context.run_config["fraction-train"], fraction_evaluate=context.run_config["fraction-evaluate"]
    )
    save_path, run_dir = create_run_dir(config=context.run_config)
    strategy.set_save_path_and_run_dir(save_path, run_dir)

    result = strategy.start(
        grid=grid,
        initial_arrays=to_record(Net()),
        train_config=ConfigRecord({"lr": 0.2}),
        num_rounds=context.run_config["num-server-rounds"],
        evaluate_fn=global_evaluate,
    )

    np.savez("final_model.npz", **{name: array.numpy() for name, array in result.arrays.items()})


def global_evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    model = Net()
    model.load_state_dict({name: array.numpy() for name, array in arrays.items()})
    return MetricRecord({"accuracy": test(model, load_data(99))})
