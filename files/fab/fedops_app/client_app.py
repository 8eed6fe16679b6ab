# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: hands each message to the task, with the data and the seed of this site."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedops_kit import dtypes
from fedops_kit.integrity import DATASET, FINGERPRINT, SECONDS, SITE_RECORD, fingerprint, flaw
from fedops_kit.knowledge._base.home import DATA, HOME, below
from fedops_kit.knowledge._config.variable import EXTRA
from fedops_kit.packing import Packed
from fedops_kit.records import array_records
from fedops_kit.site_noise import SiteNoise

from . import attacks, task
from .asking import MOST_EXAMPLES, call
from .metrics import record_of_metrics
from .settings import Settings, derive_seed

DATA_DIRECTORY = below(HOME, DATA)  # unless the SuperNode says otherwise

T = TypeVar("T")

# A ServerApp of ours packs: one that does not is older than that, and expects no word of it.
app = ClientApp(mods=[Packed(announces=False)])


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the data of this site."""
    site = _site(context)
    config: dict[str, Any] = dict(message.content.config_records["config"])
    settings = Settings.of(
        config,
        proximal_mu=config.get("proximal-mu", 0.0),  # only FedProx sends it
        seed=derive_seed(config["seed"], config["server-round"], site),
        extra=_knobs(config),
    )
    begin = time.monotonic()
    arrays, metrics = _named(site, lambda: _trained(message, context, settings))
    seconds = time.monotonic() - begin
    record = ArrayRecord({name: _sent(name, arrays.pop(name)) for name in list(arrays)})
    about = ConfigRecord({"site": site, FINGERPRINT: fingerprint(record), SECONDS: seconds, **_data_set(context)})
    return _reply(message, {"arrays": record, "metrics": metrics, SITE_RECORD: about})


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate on the data of this site."""
    site = _site(context)
    metrics = _named(site, lambda: _evaluated(message, context))
    return _reply(message, {"metrics": metrics, SITE_RECORD: ConfigRecord({"site": site})})


def _knobs(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the knobs of the task that the config of a message has, by key."""
    return {key.removeprefix(EXTRA): value for key, value in config.items() if key.startswith(EXTRA)}


def _site(context: Context) -> str:
    """The name given in the node configuration; the node's number where a SuperNode was started without one."""
    return str(context.node_config.get("site", f"node {context.node_id}"))


def _data_set(context: Context) -> dict[str, str]:
    """Return what the node configuration calls the data of the site, where it does."""
    name = context.node_config.get(DATASET, context.node_config.get(DATASET.replace("-", "_")))
    return {} if name is None else {DATASET: str(name)}


def _data_directory(context: Context) -> Path:
    return Path(str(context.node_config.get("data-path", DATA_DIRECTORY)))


def _trained(message: Message, context: Context, settings: Settings) -> tuple[task.Arrays, MetricRecord]:
    """Return what the site sends: what it has learned, in a dict that may be emptied, or what a liar makes of it."""
    attack = attacks.chosen(context.node_config, message.content.config_records["config"].get(attacks.ALLOWED, False))
    config: dict[str, Any] = dict(message.content.config_records["config"])
    noise = SiteNoise.of(config, context.node_config)
    received = _arrays(message)
    before = {name: values.copy() for name, values in received.items()} if noise else {}
    turned = {name: array.dtype for name, array in received.items() if not array.dtype.isnative}
    made: Any = task.train(received, _data_directory(context), settings)
    if not isinstance(made, Sequence) or [isinstance(part, Mapping) for part in made] != [True, True]:
        raise TypeError("train() in task.py must return two dictionaries, its arrays and its metrics")
    arrays, metrics = made[0], record_of_metrics(made[1], "train")
    arrays = attack.poison(received, arrays) if attack else dict(arrays)
    for name in arrays.keys() & turned.keys():
        arrays[name] = dtypes.in_order_of(np.asarray(arrays[name]), turned[name])
    if noise and arrays.keys() == before.keys():
        arrays = noise.protected(arrays, before, _site(context), config["server-round"])
    elif noise:
        raise RuntimeError("train() in task.py has returned other arrays than it was given, which no noise can hide")
    return arrays, metrics


def _sent(name: str, values: object) -> Array:
    try:
        return dtypes.array(np.asarray(values))
    except TypeError as error:
        raise TypeError(f"train() in task.py has returned {name!r}, which cannot be sent: {error}") from None


def _evaluated(message: Message, context: Context) -> MetricRecord:
    """Return what the site reports of the model."""
    config = message.content.config_records["config"]
    offered = {"extra": _knobs(config), "most_examples": config.get(MOST_EXAMPLES) or None}
    found = call(task.evaluate, _arrays(message), _data_directory(context), **offered)
    return record_of_metrics(found, "evaluate")


def _arrays(message: Message) -> task.Arrays:
    """Return the global model, or refuse one that is not what the server sent."""
    config: dict[str, Any] = dict(message.content.config_records["config"])
    if found := flaw(array_records(message.content)["arrays"], config.get(FINGERPRINT)):
        raise RuntimeError(
            f"the global model of round {config['server-round']} {found}."
            " Run the same app on the server and on every SuperNode; if it does, look at the network between them."
        )
    # An array goes when its numbers are there: a site has room for the model once, not twice.
    arrays = array_records(message.content)["arrays"]
    return {name: dtypes.numbers(arrays.pop(name)) for name in list(arrays)}


def _named(site: str, work: Callable[[], T]) -> T:
    """Do the work; an error in it tells the server which site it comes from, not only a node's number."""
    try:
        return work()
    except Exception as error:
        raise RuntimeError(f"{site}: {error}") from error


def _reply(message: Message, records: dict[str, ArrayRecord | MetricRecord | ConfigRecord]) -> Message:
    return Message(RecordDict(records), reply_to=message)
