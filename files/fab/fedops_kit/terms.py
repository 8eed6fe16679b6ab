# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a training is held to, and what is to be known of it: told by our own app, or found out of any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Context
from flwr.serverapp.strategy import FedTrimmedAvg, Strategy
from flwr.supercore.run import Run

from .errors import RunFailedError
from .foreign import inner, known_row, layers
from .knowledge._base.jsonable import canonical_hash
from .knowledge._config.kit import APPS_OWN, KIT_KEYS, identity_of, kit_default
from .knowledge._config.purposes import REAL_TRAINING, told_purpose
from .knowledge._config.sizing import Room
from .knowledge._config.values import BadValue, parse
from .one_round import Guard
from .publish import Publisher
from .resume import Identity

_PLAIN = (bool, int, float, str)


@dataclass(frozen=True)
class Terms:
    """What a training is held to."""

    values: Mapping[str, Any]  # of the variables that the kit heeds, by their names in the table
    identity: Identity
    strategy: str  # its name, for manifests
    guard: Guard
    nodes_needed: int  # online before a round can begin
    run_config: Mapping[str, Any]
    describe: Callable[[Strategy], Mapping[str, object]]  # says what the live object is
    check: Callable[[int, Room], None]  # raises where the nodes online, or the room of the host, do not suffice
    told_by: Publisher
    buffers: Iterable[str] = ()  # the arrays that are no parameters, beside all integers and booleans
    side_files: Mapping[str, str] = field(default_factory=dict)  # what goes with the model, as JSON holds it


def publisher(identity: Identity, run_id: int, purpose: object = REAL_TRAINING) -> Publisher:
    """Return what tells of a training, where the host of the ServerApp says that it is to be told."""
    common = {
        "training": identity.training,
        "run_id": str(run_id),
        "configuration_hash": identity.configuration_hash,
        **told_purpose(purpose),
    }
    return Publisher(
        os.environ.get("FEDOPS_TRAININGS_DIR"), identity.training, common, os.environ.get("FEDOPS_ORDERS_DIR")
    )


def of_any_app(strategy: Strategy, context: Context, run: Run) -> Terms:
    """Return the terms of an app that knows nothing of the table of variables but the table of the kit."""
    values = _settings(context.run_config)
    configuration = identity_of(run.fab_id, context.run_config)
    code = values["code_sha256"], values["code_change"]
    identity = Identity(values["training_name"], canonical_hash(configuration), configuration, *code)
    minimum = int(values["min_fit_clients"]) or _least_replies(strategy)
    return Terms(
        values=values,
        identity=identity,
        strategy=type(strategy).__name__,
        guard=Guard(
            minimum_replies=minimum,
            trim_beta=float(strategy.beta) if isinstance(strategy, FedTrimmedAvg) else 0.0,
            on_shortfall=values["on_shortfall"],
            round_timeout=float(values["round_timeout"]),
            max_update_norm=float(values["max_update_norm"]),
            foreign=True,
        ),
        nodes_needed=max(minimum, *(_number(strategy, f"min_{name}_nodes") for name in _MINIMUMS)),
        run_config=context.run_config,
        describe=_described,
        check=lambda online, room: None,  # nothing is known of what the app is to keep
        told_by=publisher(identity, context.run_id, values["purpose"]),
    )


_MINIMUMS = ("available", "train", "evaluate")


def _settings(run_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the kit is told, by the names of the variables; what is left empty is the app's own to say."""
    values, problems = {}, []
    for key, row in KIT_KEYS.items():
        given = run_config.get(key, kit_default(row))
        try:
            unsaid = row.name in APPS_OWN and not given
            values[row.name] = given if unsaid else parse(row, given)
        except BadValue as bad:
            problems.append(f"{key} is {given!r} but {bad}.")
    if problems:
        raise RunFailedError("\n".join(problems))
    return values


def _least_replies(strategy: Strategy) -> int:
    """Return how many replies a round needs: what the strategy asks for, or what the paper behind it does."""
    layers = [strategy, *inner(strategy)]
    asked = max(_number(layer, "min_train_nodes") for layer in layers)
    malicious = max(_number(layer, "num_malicious_nodes") for layer in layers)
    factor = max(row.malicious_factor if (row := known_row(layer)) else 0 for layer in layers)
    return max(1, asked, factor * malicious + 3 if factor else 0)


def _number(strategy: Strategy, name: str) -> int:
    value = getattr(strategy, name, 0)
    return value if isinstance(value, int) else 0


def _described(strategy: Strategy) -> dict[str, object]:
    """Say what the live object is: its class and its plain attributes, and what it wraps."""
    found: dict[str, dict[str, Any]] = {}
    for path, layer in layers(strategy):
        found[path] = _described_alone(layer)
        if path:
            holder = "".join(path[:-1].rpartition("/")[:2])
            found[holder].setdefault("wraps", []).append(found[path])
    return found[""]


def _described_alone(strategy: Strategy) -> dict[str, Any]:
    kind = type(strategy)
    return {
        "name": kind.__name__,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": {
            name: value
            for name, value in vars(strategy).items()
            if isinstance(value, _PLAIN) and not name.startswith("_")
        },
    }
