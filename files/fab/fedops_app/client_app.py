# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: hands each message to the task, with the data and the seed of this site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from . import task
from .settings import SITE_RECORD, Settings, derive_seed

DATA_DIRECTORY = "/opt/flower/data"

T = TypeVar("T")

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the data of this site."""
    site = _site(context)
    config = message.content["config"]
    settings = Settings(
        learning_rate=config["client-lr"],
        local_epochs=config["local-epochs"],
        batch_size=config["batch-size"],
        proximal_mu=config.get("proximal-mu", 0.0),  # only FedProx sends it
        seed=derive_seed(config["seed"], config["server-round"], site),
    )
    arrays, metrics = _named(site, lambda: task.train(_arrays(message), _data_directory(context), settings))
    record = ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})
    return _reply(message, site, {"arrays": record, "metrics": MetricRecord(metrics)})


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate on the data of this site."""
    site = _site(context)
    metrics = _named(site, lambda: task.evaluate(_arrays(message), _data_directory(context)))
    return _reply(message, site, {"metrics": MetricRecord(metrics)})


def _site(context: Context) -> str:
    """The name given in the node configuration; the node's number where a SuperNode was started without one."""
    return str(context.node_config.get("site", f"node {context.node_id}"))


def _data_directory(context: Context) -> Path:
    return Path(str(context.node_config.get("data-path", DATA_DIRECTORY)))


def _arrays(message: Message) -> task.Arrays:
    return {name: array.numpy() for name, array in message.content["arrays"].items()}


def _named(site: str, work: Callable[[], T]) -> T:
    """Do the work; an error in it tells the server which site it comes from, not only a node's number."""
    try:
        return work()
    except Exception as error:
        raise RuntimeError(f"{site}: {error}") from error


def _reply(message: Message, site: str, records: dict[str, ArrayRecord | MetricRecord]) -> Message:
    return Message(RecordDict({**records, SITE_RECORD: ConfigRecord({"site": site})}), reply_to=message)
