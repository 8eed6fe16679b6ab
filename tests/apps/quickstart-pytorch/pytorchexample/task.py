# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pytorchexample: A Flower / PyTorch app."""

import numpy as np

from pytorchexample.torchlike import Net

__all__ = ["Net", "load_centralized_dataset", "load_data", "test", "train"]


def load_data(partition_id: int, num_partitions: int, batch_size: int):
    """Load partition data: made up here, in batches with the columns that the hub's data set has."""
    rng = np.random.default_rng(partition_id)
    label = rng.integers(0, 3, 48)
    img = (rng.normal(size=(48, 8)) + 3.0 * np.eye(3, 8)[label]).astype(np.float32)
    batches = [{"img": img[i : i + batch_size], "label": label[i : i + batch_size]} for i in range(0, 48, batch_size)]
    return batches, batches[-1:]


def load_centralized_dataset():
    return load_data(99, 1, 16)[0]


def train(net, trainloader, epochs, lr):
    """Train the model on the training set."""
    losses = []
    for dummy in range(epochs):
        for batch in trainloader:
            x, y, state = batch["img"], batch["label"], net.state_dict()
            error, loss = _error(net(x), y)
            losses.append(loss)
            back = (error @ state["fc2.weight"]) * (net.hidden > 0)
            gradients = {
                "fc1.weight": back.T @ x, "fc1.bias": back.sum(0),
                "fc2.weight": error.T @ net.hidden, "fc2.bias": error.sum(0),
            }  # fmt: skip
            for name, gradient in gradients.items():
                state[name] = (state[name] - lr * gradient / len(x)).astype(np.float32)
            state["bn1.num_batches_tracked"] = state["bn1.num_batches_tracked"] + 1
    return float(np.mean(losses))


def test(net, testloader):
    """Validate the model on the test set."""
    losses, correct, total = [], 0, 0
    for batch in testloader:
        scores = net(batch["img"])
        losses.append(_error(scores, batch["label"])[1])
        correct += int((scores.argmax(1) == batch["label"]).sum())
        total += len(batch["label"])
    return float(np.mean(losses)), correct / total


def _error(scores, y):
    scores = np.exp(scores - scores.max(1, keepdims=True))
    probabilities = scores / scores.sum(1, keepdims=True)
    loss = float(-np.log(probabilities[np.arange(len(y)), y] + 1e-9).mean())
    return probabilities - np.eye(3, dtype=np.float32)[y], loss
