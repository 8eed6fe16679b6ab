# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reply must be before it is aggregated. One bad reply is left out, and the round goes on with the others.

Flower checks all replies of a round together and ends the run over one of them; numbers it does not look at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict

from . import integrity
from .bound import Bound
from .flaws import (
    array_flaw,
    finite_flaw,
    loss_flaw,
    metrics_flaw,
    names_flaw,
    norm_flaw,
    plain,
    weight_flaw,
)
from .integrity import SITE_RECORD
from .mapped import size
from .pulling import REFUSED
from .records import array_records

ARRAYS, METRICS, WEIGHT = "arrays", "metrics", "num-examples"  # as the ClientApp names them
MOST_ABOUT = 16  # entries of the record that names the site


@dataclass(frozen=True)
class Rejection:
    """One reply that was left out."""

    site: str
    work: str  # what the site was asked to do: train or evaluate
    reason: str

    def __str__(self) -> str:
        return f"{self.site}: {self.reason}"


@dataclass(frozen=True)
class TrainingCheck:
    """What a trained model must be to count in a round that began with ``model``."""

    model: ArrayRecord
    loss_key: str = ""  # the metric that the strategy weights by, where it does
    max_update_norm: float = 0.0  # 0: no bound
    buffers: frozenset[str] = frozenset()  # the arrays that no norm is of, and that may hold what the model does

    def __call__(self, content: RecordDict) -> str:
        """Say what is wrong; nothing when all is well."""
        if list(array_records(content)) != [ARRAYS]:
            return f"it holds no model, or more than the one named {ARRAYS}"
        arrays = array_records(content)[ARRAYS]
        return (
            self._size_flaw(arrays)
            or _integrity_flaw(content)
            or _record_flaw(content)
            or loss_flaw(self.loss_key, content.metric_records[METRICS])
            or names_flaw(list(arrays), list(self.model))
            or next(filter(None, (self._array_flaw(name, arrays[name]) for name in arrays)), "")
            or norm_flaw(
                arrays, self.model, self.max_update_norm, [name for name in arrays if name not in self.buffers]
            )
        )

    def _array_flaw(self, name: str, array: Array) -> str:
        return array_flaw(name, array, self.model[name], as_before=name in self.buffers)

    def _size_flaw(self, arrays: ArrayRecord) -> str:
        """Say what is wrong before anything is computed: many names may stand for one array, which is large."""
        if len(arrays) != len(self.model) and (flaw := names_flaw(list(arrays), list(self.model))):
            return flaw
        largest = Bound(sum(map(size, self.model.values()))).numbers
        return "" if sum(map(size, arrays.values())) <= largest else "it is too large for the model"


def check_evaluation(content: RecordDict) -> str:
    """Say what is wrong with the reply to an evaluation; nothing when all is well."""
    if array_records(content):
        return "it holds a model, and was asked for none"
    if flaw := _record_flaw(content):
        return flaw
    return finite_flaw(content.metric_records[METRICS])


def metric_names(content: RecordDict) -> tuple[tuple[str, int], ...]:
    """Return the names and lengths of the metrics: replies that differ in them cannot be averaged."""
    return lengths(content.metric_records[METRICS])


def lengths(metrics: MetricRecord) -> tuple[tuple[str, int], ...]:
    """Return the length of each metric by its name; -1 for one that is a number, and no list."""
    return tuple(sorted((name, len(value) if isinstance(value, list) else -1) for name, value in metrics.items()))


def sift(
    replies: Iterable[Message],
    check: Callable[[RecordDict], str],
    name_of: Callable[[Message], str] | None = None,
    work: str = "",
    likeness: Callable[[RecordDict], tuple] = metric_names,
) -> tuple[list[Message], list[Rejection]]:
    """Part the replies that may be aggregated from those that must not. Errors stay: strategies skip them.

    Replies can be averaged only when they are alike, as by default in the metrics that they report: like a majority.
    Where there is none, nobody's count, for a site that lies would decide who is believed.
    """
    named = name_of or (lambda reply: plain(site_of(reply)) or f"node {reply.metadata.src_node_id}")
    flaws = [(reply, _flaw(reply, check)) for reply in replies]
    usual = _usual([likeness(reply.content) for reply, flaw in flaws if not flaw and not reply.has_error()])
    what = "metrics are" if likeness is metric_names else "arrays or metrics are"
    kept: list[Message] = []
    rejected: list[Rejection] = []
    for reply, flaw in flaws:
        if not flaw and not reply.has_error() and likeness(reply.content) != usual:
            flaw = f"its {what} not those that the other sites report"
            if usual is None:
                flaw += f", and no {what} those of a majority"
        if flaw:
            rejected.append(Rejection(named(reply), work or plain(reply.metadata.message_type), plain(flaw)))
        else:
            kept.append(reply)
    return kept, rejected


def site_of(reply: Message) -> str:
    """Return the name of the site that a reply claims to come from; nothing where it claims none."""
    if reply.has_error():
        return ""
    about = reply.content.config_records.get(SITE_RECORD)
    claim = about.get("site") if about else None
    return claim if isinstance(claim, str) else ""


def with_plain_error(reply: Message) -> Message:
    """Have an error say its reason in one line that is not too long: it goes to logs, files and terminals."""
    if reply.has_error():
        reply.error = Error(reply.error.code, plain(plain_reason(reply.error.reason or "it does not say why")))
    return reply


def plain_reason(reason: str) -> str:
    """Take off the frame that Flower puts around an exception of a ClientApp: ``<class 'Name'>:<'text'>``."""
    framed = re.fullmatch(r"<class '([^']{1,200})'>:<'(.*)'>", reason, re.DOTALL)
    if framed is None:
        return reason
    name, text = framed.groups()
    return text if name == "RuntimeError" else f"{name.rpartition('.')[2]}: {text}"


def _flaw(reply: Message, check: Callable[[RecordDict], str]) -> str:
    if reply.has_error():
        return (reply.error.reason or "") if reply.error.code == REFUSED else ""
    try:
        return check(reply.content)
    except Exception as error:  # whatever a client can send, it must not end the run
        return f"it cannot be read: {error}"


def _record_flaw(content: RecordDict) -> str:
    """Say what is wrong with all of a reply that is no model."""
    if list(content.metric_records) != [METRICS]:
        return f"it holds no metrics, or more than the ones named {METRICS}"
    if not set(content.config_records) <= {SITE_RECORD}:
        return f"it holds more records than {ARRAYS}, {METRICS} and {SITE_RECORD}"
    if len(content.config_records.get(SITE_RECORD, {})) > MOST_ABOUT:
        return f"its record {SITE_RECORD} has more than {MOST_ABOUT} entries"
    metrics = content.metric_records[METRICS]
    return metrics_flaw(metrics) or weight_flaw(WEIGHT, metrics)


def _integrity_flaw(content: RecordDict) -> str:
    about = content.config_records.get(SITE_RECORD)
    flaw = integrity.flaw(array_records(content)[ARRAYS], about.get(integrity.FINGERPRINT) if about else None)
    return flaw and f"it {flaw}"


def _usual(likenesses: list[tuple]) -> tuple | None:
    """Return what more than half of the replies have in common; None where there is no such."""
    counted = Counter(likenesses)
    return next((found for found, count in counted.items() if 2 * count > len(likenesses)), None)
