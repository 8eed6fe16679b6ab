# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set reaches apps as the world writes them, by the names that they have for it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.synonyms import keys_of
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import TrainingError
from ansible_collections.fedops.flower.plugins.module_utils._config.variable import Variable
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App, read_app
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import OWN_KEYS, for_app

from .test_app_config import training, write_app

# The tables of public apps, by shape: what they call their keys, and of which type their defaults are.
PUBLIC = {
    "pytorch quickstart": """
        num-server-rounds = 3
        fraction-evaluate = 0.5
        local-epochs = 1
        learning-rate = 0.1
        batch-size = 32
    """,
    "numpy quickstart": "num-server-rounds = 3",
    "older quickstart": """
        num-server-rounds = 3
        fraction-fit = 0.5
        local-epochs = 1
    """,
    "scikit-learn": """
        penalty = "l2"
        num-server-rounds = 3
        min-available-clients = 2
        local-epochs = 1
    """,
    "xgboost": """
        num-server-rounds = 3
        fraction-train = 0.1
        local-epochs = 1
        params.eta = 0.1
        params.max-depth = 8
        params.objective = "binary:logistic"
    """,
    "keras": """
        num-server-rounds = 3
        local-epochs = 1
        batch-size = 32
        learning-rate = 0.005
        verbose = false
    """,
    "language model in tables": """
        num-server-rounds = 100
        [strategy]
        fraction-train = 0.1
        fraction-evaluate = 0.0
        [train]
        learning-rate-max = 5e-5
        seq-length = 512
        [train.training-arguments]
        learning-rate = ""
        num-epochs = 3
    """,
    "snake case": """
        num_rounds = 5
        fraction_fit = 1.0
        min_available_nodes = 2
        lr = 0.01
        epochs = 2
        batch_size = 16
    """,
    "language model, older": """
        num-server-rounds = 200
        model.name = "mistralai/Mistral-7B-v0.3"
        model.quantization = 4
        model.gradient-checkpointing = true
        model.lora.peft-lora-r = 32
        dataset.name = "vicgalle/alpaca-gpt4"
        train.save-every-round = 5
        train.learning-rate-max = 5e-5
        train.seq-length = 512
        train.training-arguments.output-dir = ""
        train.training-arguments.learning-rate = ""
        train.training-arguments.per-device-train-batch-size = 16
        train.training-arguments.num-train-epochs = 3
        train.training-arguments.max-steps = 10
        strategy.fraction-fit = 0.1
        strategy.fraction-evaluate = 0.0
    """,
    "advanced pytorch": """
        num-server-rounds = 3
        fraction-train = 0.25
        fraction-evaluate = 0.5
        local-epochs = 1
        server-device = "cpu"
        use-wandb = true
        learning-rate = 0.1
        batch-size = 32
    """,
    "baseline": """
        algorithm.mu = 1.0
        algorithm.num-server-rounds = 10
        algorithm.fraction-fit = 0.01
        algorithm.min-available-clients = 2
        client.local-epochs = 10
        client.learning-rate = 0.03
        dataset.batch-size = 10
        dataset.seed = 1
        model.seed = 2
    """,
    "opacus": """
        num-server-rounds = 3
        max-grad-norm = 1.0
        target-delta = 1e-5
        batch-size = 32
    """,
    "mlx": """
        num-server-rounds = 3
        local-epochs = 1
        num-layers = 2
        hidden-dim = 32
        batch-size = 256
        lr = 0.1
    """,
    "hugging face": """
        num-server-rounds = 3
        model-name = "prajjwal1/bert-tiny"
        fraction-train = 1.0
        fraction-evaluate = 1.0
    """,
    "aggregation of its own": """
        num-server-rounds = 5
        fraction-evaluate = 0.5
        local-epochs = 1
        learning-rate = 0.1
        batch-size = 32
        strategy = "trust"
        num-malicious = 3
        attack-scale = 1.0
        trust-beta = 5.0
    """,
    "hospitals": """
        num-server-rounds = 30
        fraction-evaluate = 1.0
        strategy = "FedAvg"
        dataset = "small"
        batch-size = 32
        local-epochs = 2
        lr = 0.001
        weight_decay = 0.0005
        seed = 0
    """,
    "features apart": """
        num-server-rounds = 250
        learning-rate = 0.01
        out-feature-dim-clientapp = 64
        feature-splits = "2,3,2"
    """,
    "counting": """
        num-server-rounds = 3
        fraction-sample = 1.0
        min-num-clients = 2
        selected-features = "a,b"
    """,
    "lightning": """
        num-server-rounds = 3
        max-epochs = 1
        save-model = false
    """,
    "privacy in the middle": """
        noise-multiplier = 0.2
        clipping-norm = 10
        num-sampled-clients = 20
        num-shares = 7
        timeout = 120.0
    """,
    "inline": 'strategy = { name = "FedAvg", fraction-fit = 0.5 }',
    "robot policy": """
        num-server-rounds = 50
        proximal-mu = 0.01
        checkpoint = false
        checkpoint_interval = 10
        early_stopping_patience = 10
    """,
    "without a table": "",
}
OTHER = {"bool": True, "int": 7, "float": 0.25, "str": "other"}


def public(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines()).replace("[", "[tool.flwr.app.config.")


def chosen(row: Variable) -> object:
    """A good value that is not the default."""
    if row.choices:
        return next(choice for choice in row.choices if choice != row.default and not refused(row, choice))
    if row.type == "str":
        guesses = ("exponential gamma=0.95",) if row.name.endswith("schedule") else ("other", "/opt/other", "0" * 64)
        return next(text for text in guesses if not row.pattern or re.fullmatch(row.pattern, text))
    if row.type == "bool":
        return not row.default
    # Some rules leave no number below 1.
    return next(value for value in (OTHER[row.type], OTHER[row.type] + 1) if not refused(row, value))


def refused(row: Variable, value: object) -> bool:
    try:
        training(**{row.ansible: value})
    except TrainingError:
        return True
    return False


def public_app(name: str, folder: Path) -> App:
    table = f"[tool.flwr.app.config]\n{public(PUBLIC[name])}" if PUBLIC[name] else ""
    write_app(folder, table)
    return read_app(str(folder))


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
def test_what_is_set_reaches_a_public_app_or_is_told(row: Variable, name: str, tmp_path: Path) -> None:
    app = public_app(name, tmp_path)
    known = keys_of(row, app.config)
    for value in (chosen(row), row.default):
        given = for_app(app, training(**{row.ansible: value}), {})
        told = [problem.severity for problem in given.problems if problem.variable == row.ansible]
        reached = [key for key in known if key in given.values]
        if reached:
            assert given.values == {reached[0]: value}
            assert type(given.values[reached[0]]) is type(app.config[reached[0]])
            assert told == ([] if reached[0] in row.keys else ["info"])
        elif row.key not in OWN_KEYS and value != "":  # empty is unset
            other = "error" if row.applies_to("FedAvg") else "warning"
            assert told == ["info" if value == row.default else other]
        assert set(given.values) <= set(app.config)
        tomllib.loads(given.toml)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_app_of_which_nothing_is_asked_trains_as_it_does_elsewhere(name: str, tmp_path: Path) -> None:
    given = for_app(public_app(name, tmp_path), training(), {})
    assert (given.values, given.toml) == ({}, "")
    assert {problem.severity for problem in given.problems} <= {"info"}


@pytest.mark.parametrize(
    ("name", "variable", "key"),
    [
        ("pytorch quickstart", "num_rounds", "num-server-rounds"),
        ("pytorch quickstart", "client_lr", "learning-rate"),
        ("older quickstart", "fraction_train", "fraction-fit"),
        ("language model in tables", "fraction_train", "strategy.fraction-train"),
        ("language model in tables", "local_epochs", "train.training-arguments.num-epochs"),
        ("language model, older", "fraction_train", "strategy.fraction-fit"),
        ("language model, older", "checkpoint_interval", "train.save-every-round"),
        ("language model, older", "local_epochs", "train.training-arguments.num-train-epochs"),
        ("language model, older", "batch_size", "train.training-arguments.per-device-train-batch-size"),
        ("baseline", "num_rounds", "algorithm.num-server-rounds"),
        ("baseline", "proximal_mu", "algorithm.mu"),
        ("baseline", "client_lr", "client.learning-rate"),
        ("mlx", "client_lr", "lr"),
        ("inline", "fraction_train", "strategy.fraction-fit"),
        ("snake case", "num_rounds", "num_rounds"),
        ("snake case", "local_epochs", "epochs"),
        ("snake case", "batch_size", "batch_size"),
        ("counting", "fraction_train", "fraction-sample"),
        ("counting", "min_available_clients", "min-num-clients"),
        ("lightning", "local_epochs", "max-epochs"),
        ("aggregation of its own", "num_malicious", "num-malicious"),
        ("robot policy", "checkpoint_enabled", "checkpoint"),
        ("robot policy", "checkpoint_interval", "checkpoint_interval"),
    ],
)
def test_the_names_that_the_world_uses_are_found(name: str, variable: str, key: str, tmp_path: Path) -> None:
    app, value = public_app(name, tmp_path), chosen(BY_NAME[variable])
    assert for_app(app, training(**{f"fl_{variable}": value}), {}).values[key] == value
