# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Replies handed to Flower's classes: in pieces that they have room for, once a choice is made, with fair losses."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, cast

from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import Bulyan, FedAvg, FedMedian, FedTrimmedAvg, QFedAvg, Strategy

from .by_piece import Pieces
from .guards import ARRAYS, METRICS
from .records import array_records

# QFedAvg divides by a loss, and multiplies by it: one of a site counts within this factor of the round's median.
_LOSSES_APART = 10.0


def number_of(metrics: MetricRecord, name: str) -> float:
    """Return a metric that is a number: the guards let no list through."""
    return float(cast("float", metrics[name]))


def divided(strategy: Strategy, replies: Sequence[Message]) -> Pieces | None:
    """Divide the arrays of replies for those of Flower's classes that would hold an array of all of them."""
    if type(strategy) not in (Bulyan, FedMedian, FedTrimmedAvg) or not replies:
        return None
    pieces = Pieces.of([array_records(reply.content)[ARRAYS] for reply in replies])
    if not pieces.counts:
        return None
    for reply in replies:
        reply.content[ARRAYS] = pieces.divided(array_records(reply.content)[ARRAYS])
    return pieces


def of_chosen(
    strategy: Any, round_number: int, replies: Sequence[Message], chosen: Sequence[Message]
) -> tuple[ArrayRecord | None, MetricRecord | None]:
    """Go on as Flower's class does when it has chosen."""
    if not isinstance(strategy, Bulyan):
        # MultiKrum, of which Krum is one, is FedAvg with those that it has chosen.
        arrays, metrics = FedAvg.aggregate_train(strategy, round_number, chosen)
        return arrays, metrics
    rule = strategy.selection_rule
    strategy.selection_rule = lambda *_asked: [reply.content for reply in chosen]
    try:
        arrays, metrics = strategy.aggregate_train(round_number, replies)
    finally:
        strategy.selection_rule = rule
    return arrays, metrics


def fair(
    strategy: QFedAvg, round_number: int, replies: Sequence[Message]
) -> tuple[ArrayRecord | None, MetricRecord | None]:
    """Let no loss count for more, or for less, than honest ones do; what is told of the losses is what was reported."""
    contents = [reply.content for reply in replies if not reply.has_error()]
    records = [content.metric_records[METRICS] for content in contents]
    losses = [number_of(record, strategy.train_loss_key) for record in records]
    middle = statistics.median([loss for loss in losses if loss] or [0.0])
    for record, loss in zip(records, losses, strict=True):
        record[strategy.train_loss_key] = min(max(loss, middle / _LOSSES_APART), middle * _LOSSES_APART)
    arrays, metrics = strategy.aggregate_train(round_number, replies)
    for record, loss in zip(records, losses, strict=True):
        record[strategy.train_loss_key] = loss
    if metrics is not None:
        metrics = strategy.train_metrics_aggr_fn(contents, strategy.weighted_by_key)
    return arrays, metrics
