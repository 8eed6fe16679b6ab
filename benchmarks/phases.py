# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round is made of: the moments that were recorded, put in the order of the way that its last reply took."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from federation import BenchmarkError

# What a round goes into, in the order in which it happens, and the parts that are drawn as one.
PHASES = {
    "send": "transport",
    "supernode_pause": "SuperNode's pause",
    "to_supernode": "transport",
    "superexec_pause": "SuperExec's pause",
    "python_and_flower": "process start, Flower's imports",
    "to_clientapp": "transport",
    "app_import": "the app's import",
    "training": "training",
    "from_clientapp": "transport",
    "from_supernode": "transport",
    "serverapp_pause": "ServerApp's pause",
    "to_serverapp": "transport",
    "aggregation": "aggregation, evaluation",
    "save": "checkpoint",
}


@dataclass(frozen=True)
class Exchange:
    """What the stopwatch and the journals tell of one run; all moments are seconds since the epoch."""

    server: Sequence[Mapping[str, Any]]  # of the ServerApp
    clients: Mapping[str, Sequence[Mapping[str, float]]]  # of the ClientApps, by host
    supernodes: Mapping[str, Sequence[tuple[float, str]]]  # moments and lines of the SuperNodes, by host


@dataclass(frozen=True)
class Round:
    """One round: how long it took, and how long each phase on the way of its last reply."""

    begin: float  # seconds since the epoch
    seconds: float
    phases: Mapping[str, float]


def rounds_of(exchange: Exchange) -> list[Round]:
    """Return the rounds of a run, but for its last, whose end is not that of a round."""
    pushes = [event for event in exchange.server if event["what"] == "push"]
    return [_round(exchange, push, until["begun"]) for push, until in itertools.pairwise(pushes)]


def _round(exchange: Exchange, push: Mapping[str, Any], end: float) -> Round:
    begin = push["begun"]
    within = [event for event in exchange.server if begin <= event["begun"] < end]
    pulls = [event for event in within if event["what"] == "pull"]
    if not pulls:
        raise BenchmarkError("The ServerApp pulled no reply in a round: it has lost its messages, or was not watched.")
    pull = pulls[-1]
    saved = sum(event["ended"] - event["begun"] for event in within if event["what"] == "save")
    asked = {
        host: event for host, events in exchange.clients.items() for event in events if begin <= event["started"] < end
    }
    if not asked:
        raise BenchmarkError("No ClientApp ran in a round: its messages were lost, or it was repeated.")
    seen = {host: _seen(exchange.supernodes[host], begin, end) for host in asked}
    last = max(seen, key=lambda host: seen[host]["sent"])
    node, client = seen[last], asked[last]
    moments = {
        "send": push["ended"],
        "supernode_pause": node["receiving"],
        "to_supernode": node["received"],
        "superexec_pause": client["started"],
        "python_and_flower": client["main"],
        "to_clientapp": client["pulled"],
        "app_import": client["called"],
        "training": client["answered"],
        "from_clientapp": client["pushed"],
        "from_supernode": node["sent"],
        "serverapp_pause": pull["begun"],
        "to_serverapp": pull["ended"],
        "aggregation": end - saved,
        "save": end,
    }
    phases, before = {}, begin
    for name, moment in moments.items():
        # A process may say a little later what it did than the next one saw it.
        moment = max(before, min(moment, end if name in ("aggregation", "save") else pull["ended"]))
        phases[name], before = moment - before, moment
    return Round(begin, end - begin, phases)


def _seen(lines: Sequence[tuple[float, str]], begin: float, end: float) -> dict[str, float]:
    """Return when a SuperNode saw the message of a round, had it, and had sent the reply."""
    seen: dict[str, float] = {}
    for name, text in (
        ("receiving", "Receiving: train message"),
        ("received", "Received successfully"),
        ("sent", "Sent successfully"),
    ):
        moments = [moment for moment, line in lines if begin <= moment < end and text in line]
        if not moments:
            raise BenchmarkError(f"A SuperNode did not say {text!r} within a round.")
        seen[name] = moments[0]
    return seen
