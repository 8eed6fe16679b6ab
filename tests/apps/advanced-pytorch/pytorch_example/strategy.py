# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorch-example: FedAvg that saves the best model and the metrics of each round, and lowers the learning rate."""

import json

import numpy as np
from flwr.app import ConfigRecord
from flwr.serverapp.strategy import FedAvg, Result
from flwr.serverapp.strategy.strategy_utils import log_strategy_start_info


class CustomFedAvg(FedAvg):
    def set_save_path_and_run_dir(self, path, run_dir):
        self.save_path, self.run_dir = path, run_dir

    def configure_train(self, server_round, arrays, config, grid):
        if server_round == 5:
            config["lr"] = config["lr"] * 0.5
        return super().configure_train(server_round, arrays, config, grid)

    def start(
        self,
        grid,
        initial_arrays,
        num_rounds=3,
        timeout=3600,
        train_config=None,
        evaluate_config=None,
        evaluate_fn=None,
    ):
        self.best_acc_so_far = 0.0
        log_strategy_start_info(num_rounds, initial_arrays, train_config, evaluate_config)
        self.summary()
        train_config = ConfigRecord() if train_config is None else train_config
        evaluate_config = ConfigRecord() if evaluate_config is None else evaluate_config
        result = Result()
        if evaluate_fn and (found := evaluate_fn(0, initial_arrays)) is not None:
            result.evaluate_metrics_serverapp[0] = found
        arrays = initial_arrays
        for current_round in range(1, num_rounds + 1):
            replies = grid.send_and_receive(
                messages=self.configure_train(current_round, arrays, train_config, grid), timeout=timeout
            )
            made, metrics = self.aggregate_train(current_round, replies)
            if made is not None:
                result.arrays = arrays = made
            if metrics is not None:
                result.train_metrics_clientapp[current_round] = metrics
            replies = grid.send_and_receive(
                messages=self.configure_evaluate(current_round, arrays, evaluate_config, grid), timeout=timeout
            )
            metrics = self.aggregate_evaluate(current_round, replies)
            if metrics is not None:
                result.evaluate_metrics_clientapp[current_round] = metrics
            if evaluate_fn and (found := evaluate_fn(current_round, arrays)) is not None:
                result.evaluate_metrics_serverapp[current_round] = found
                self._update_best_acc(found["accuracy"], arrays)
            self.save_metrics_as_json(current_round, result)
        return result

    def _update_best_acc(self, accuracy, arrays):
        if accuracy > self.best_acc_so_far:
            self.best_acc_so_far = accuracy
            np.savez(self.save_path / f"model_state_acc_{accuracy}.npz", **{n: a.numpy() for n, a in arrays.items()})

    def save_metrics_as_json(self, current_round, result):
        file = self.save_path / "results.json"
        try:
            results = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            results = []
        results.append(
            {
                "round": current_round,
                "train_metrics": dict(result.train_metrics_clientapp.get(current_round, {})),
                "evaluate_metrics_serverapp": dict(result.evaluate_metrics_serverapp.get(current_round, {})),
            }
        )
        file.write_text(json.dumps(results), encoding="utf-8")
