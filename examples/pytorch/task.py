# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The same task in PyTorch: a small convolutional network that reads handwritten digits of 8 by 8 pixels.

It takes the place of ``fedops_app/task.py``; everything else of the app stays as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from .measuring import Steps
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

# A resumed training ends with the same bytes only when the same input always gives the same output.
torch.use_deterministic_algorithms(True)


class Digits(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.second = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.output = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of the ten digits."""
        x = functional.max_pool2d(functional.relu(self.first(x)), 2)
        x = functional.max_pool2d(functional.relu(self.second(x)), 2)
        return self.output(x.flatten(1))


def initial_arrays(seed: int) -> Arrays:
    """Return the untrained model: the same for the same seed."""
    torch.manual_seed(seed)
    return _arrays(Digits())


def buffers() -> list[str]:
    """Name what is not learned: here nothing, and the running statistics if you put a batch normalization in."""
    model = Digits()
    kept = model.state_dict()
    return [name for name, _values in model.named_buffers() if name in kept]


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the model on the data of one site; return it with ``num-examples`` and ``train_loss``.

    The loss is that of the model as received, which is what QFedAvg weights a site by.
    """
    x, y = _load(data_directory / "train.npz")
    torch.manual_seed(settings.seed)
    model = _model(arrays)
    some = part(len(y), settings.most_examples)
    train_loss = _loss_and_accuracy(model, x[some], y[some])[0]
    steps = Steps(settings.proximal_mu)
    received = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    for _epoch in range(settings.local_epochs):
        for batch in torch.randperm(len(y))[: settings.most_examples].split(settings.batch_size):
            loss = functional.cross_entropy(model(x[batch]), y[batch])
            if settings.proximal_mu:
                # FedProx: mu/2 * ||w - w_global||^2 pulls the model back to where the round began.
                pairs = zip(model.parameters(), received, strict=True)
                loss = loss + settings.proximal_mu / 2 * sum((now - then).square().sum() for now, then in pairs)
            optimizer.zero_grad()
            loss.backward()
            steps.taken(each.grad.float().cpu().numpy() for each in model.parameters() if each.grad is not None)
            optimizer.step()
    way = ((now - then).detach().float().cpu().numpy() for now, then in zip(model.parameters(), received, strict=True))
    return _arrays(model), {
        "num-examples": len(y),
        "train_loss": train_loss,
        **steps.metrics(way),
    }


def evaluate(arrays: Arrays, data_directory: Path, most_examples: int | None = None) -> Metrics:
    """Evaluate the model on the data of one site: its test set, or its training set when it has no other."""
    test = data_directory / "test.npz"
    return _evaluated(arrays, test if test.exists() else data_directory / "train.npz", most_examples)


def evaluate_centrally(arrays: Arrays, data_directory: Path, most_examples: int | None = None) -> Metrics | None:
    """Evaluate the model on the server's own test set; return None when the server has none."""
    test = data_directory / "test.npz"
    return _evaluated(arrays, test, most_examples) if test.exists() else None


def _evaluated(arrays: Arrays, path: Path, most: int | None) -> Metrics:
    x, y = _load(path)
    some = part(len(y), most)
    loss, accuracy = _loss_and_accuracy(_model(arrays), x[some], y[some])
    return {"num-examples": len(y[some]), "loss": loss, "accuracy": accuracy}


def _load(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        with np.load(path, allow_pickle=False) as data:
            x, y = data["x"].astype(np.float32), data["y"].astype(np.int64)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. Put the data of this site there.") from None
    return torch.from_numpy(x).reshape(-1, 1, 8, 8), torch.from_numpy(y)


def _arrays(model: nn.Module) -> Arrays:
    return {name: _numbers(tensor.detach().cpu()) for name, tensor in model.state_dict().items()}


def _model(arrays: Arrays) -> Digits:
    model = Digits()
    model.load_state_dict({name: _tensor(array) for name, array in arrays.items()})
    return model


def _numbers(tensor: torch.Tensor) -> NDArray:
    """Return an array; of bfloat16, which NumPy does not know, the two bytes of each number."""
    return tensor.view(torch.int16).numpy().view("V2") if tensor.dtype == torch.bfloat16 else tensor.numpy()


def _tensor(array: NDArray) -> torch.Tensor:
    is_bfloat16 = array.dtype.kind == "V"
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if is_bfloat16 else torch.from_numpy(array)


@torch.no_grad()
def _loss_and_accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    was_training = model.training
    scores = model.eval()(x)  # else a batch normalization would learn from what it is measured on
    model.train(was_training)
    accuracy = (scores.argmax(dim=1) == y).float().mean()
    return functional.cross_entropy(scores, y).item(), accuracy.item()
