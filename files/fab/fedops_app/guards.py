# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reply must be before it is aggregated. One bad reply is left out, and the round goes on with the others.

Flower checks all replies of a round together and ends the run over one of them; numbers it does not look at.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.common.constant import SType
from numpy.typing import NDArray

from . import integrity
from .settings import SITE_RECORD

ARRAYS, METRICS, WEIGHT = "arrays", "metrics", "num-examples"  # as the ClientApp names them
MOST_EXAMPLES = 2**53  # a count; the sum of larger weights could overflow, which makes a model of zeros

_SHOWN = 200  # characters of a text that a client chose
_CHUNK = 1 << 20  # numbers that are looked at, or turned into float64, at a time


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

    def __call__(self, content: RecordDict) -> str:
        """Say what is wrong; nothing when all is well."""
        if list(content.array_records) != [ARRAYS]:
            return f"it holds no model, or more than the one named {ARRAYS}"
        arrays = content.array_records[ARRAYS]
        return (
            _integrity_flaw(content)
            or check_evaluation(content)
            or self._loss_flaw(content.metric_records[METRICS])
            or _names_flaw(list(arrays), list(self.model))
            or next(filter(None, (_array_flaw(name, arrays[name], self.model[name]) for name in arrays)), "")
            or self._norm_flaw(arrays)
        )

    def _loss_flaw(self, metrics: MetricRecord) -> str:
        if not self.loss_key:
            return ""
        # The strategy raises it to a power, which is no number for a negative one.
        return _number_flaw(self.loss_key, metrics.get(self.loss_key), lambda loss: loss >= 0, "at least 0")

    def _norm_flaw(self, arrays: ArrayRecord) -> str:
        if not self.max_update_norm:
            return ""
        norm = update_norm(arrays, self.model)
        if norm <= self.max_update_norm:
            return ""
        return f"the norm of its update is {norm:g} but must be at most {self.max_update_norm:g} (fl_max_update_norm)"


def check_evaluation(content: RecordDict) -> str:
    """Say what is wrong with the metrics of a reply; nothing when all is well."""
    if list(content.metric_records) != [METRICS]:
        return f"it holds no metrics, or more than the ones named {METRICS}"
    return _number_flaw(
        WEIGHT,
        content.metric_records[METRICS].get(WEIGHT),
        lambda weight: 0 < weight <= MOST_EXAMPLES,
        f"above 0 and at most {MOST_EXAMPLES}",
    )


def sift(replies: Iterable[Message], check: Callable[[RecordDict], str]) -> tuple[list[Message], list[Rejection]]:
    """Part the replies that may be aggregated from those that must not. Errors stay: strategies skip them."""
    flaws = [(reply, "" if reply.has_error() else _flaw(reply.content, check)) for reply in replies]
    usual = _usual_metrics([reply for reply, flaw in flaws if not flaw])
    kept: list[Message] = []
    rejected: list[Rejection] = []
    for reply, flaw in flaws:
        if not flaw and not reply.has_error() and _metrics(reply) != usual:
            flaw = "its metrics are not those that the other sites report"
        if flaw:
            rejected.append(_rejection(reply, flaw))
        else:
            kept.append(reply)
    return kept, rejected


def site_of(reply: Message) -> str:
    """Return the name of the site that a reply comes from, as it says; nothing where it says none."""
    if reply.has_error():
        return ""
    return str(reply.content.config_records.get(SITE_RECORD, {}).get("site", ""))


def view(array: Array) -> NDArray:
    """Return the numbers of an array where they lie: no copy, and no memory for what a header only claims."""
    if array.stype != SType.NUMPY:
        raise ValueError(f"the serialization {array.stype!r} is not {SType.NUMPY}")
    stream = BytesIO(array.data)
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, in_fortran_order, dtype = read_header(stream)
    if stream.tell() + dtype.itemsize * math.prod(shape) != len(array.data):
        raise ValueError(f"{len(array.data)} bytes are not what the header {dtype}{list(shape)} says")
    return np.ndarray(shape, dtype, array.data, stream.tell(), order="F" if in_fortran_order else "C")


def update_norm(arrays: ArrayRecord, model: ArrayRecord) -> float:
    """Return the Euclidean length of the update over all floating-point arrays; infinite when it has no number."""
    total = 0.0
    with np.errstate(over="ignore"):
        for name in model:
            new, old = view(arrays[name]).reshape(-1), view(model[name]).reshape(-1)
            if not np.issubdtype(new.dtype, np.inexact):
                continue  # counters, such as the steps of a batch normalization
            wide = np.result_type(new.dtype, np.float64)
            for start in range(0, new.size, _CHUNK):
                part = slice(start, start + _CHUNK)
                total += float(np.square(np.abs(new[part].astype(wide) - old[part])).sum())
    return math.sqrt(total)


def is_finite(values: NDArray) -> bool:
    """Tell whether an array holds neither NaN nor infinite numbers."""
    if not np.issubdtype(values.dtype, np.inexact):
        return True
    flat = values.reshape(-1, order="A")  # as it lies, so that nothing is copied
    return all(bool(np.isfinite(flat[start : start + _CHUNK]).all()) for start in range(0, flat.size, _CHUNK))


def _flaw(content: RecordDict, check: Callable[[RecordDict], str]) -> str:
    try:
        return check(content)
    except Exception as error:  # whatever a client can send, it must not end the run
        return f"it cannot be read: {error}"


def _integrity_flaw(content: RecordDict) -> str:
    about = content.config_records.get(SITE_RECORD, {})
    flaw = integrity.flaw(content.array_records[ARRAYS], about.get(integrity.FINGERPRINT))
    return flaw and f"it {flaw}"


def _names_flaw(names: list[str], expected: list[str]) -> str:
    if missing := [name for name in expected if name not in names]:
        return f"the array {missing[0]!r} of the model is missing"
    if unknown := [name for name in names if name not in expected]:
        return f"the array {unknown[0]!r} is not one of the model's"
    return "" if names == expected else "its arrays are not in the order of the model's"  # some strategies count


def _array_flaw(name: str, array: Array, expected: Array) -> str:
    values, wanted = view(array), view(expected)
    kinds = {(str(values.dtype), values.shape), (array.dtype, tuple(array.shape))}  # what it is, what it says it is
    if different := kinds - {(str(wanted.dtype), wanted.shape)}:
        dtype, shape = min(different)
        return f"the array {name!r} is {dtype}{list(shape)} but must be {wanted.dtype}{list(wanted.shape)}"
    return "" if is_finite(values) else f"the array {name!r} holds NaN or infinite numbers"


def _number_flaw(name: str, value: object, rule: Callable[[float], bool], words: str) -> str:
    if value is None:
        return f"{name} is missing"
    if isinstance(value, (int, float)) and math.isfinite(value) and rule(value):
        return ""
    return f"{name} is {value} but must be {words}"


def _metrics(reply: Message) -> tuple[tuple[str, int | None], ...]:
    """Return names and lengths: replies that differ in them cannot be averaged."""
    metrics = reply.content.metric_records[METRICS]
    return tuple(sorted((name, len(value) if isinstance(value, list) else None) for name, value in metrics.items()))


def _usual_metrics(replies: list[Message]) -> tuple[tuple[str, int | None], ...]:
    counted = Counter(_metrics(reply) for reply in replies if not reply.has_error())
    return next((metrics for metrics, dummy in counted.most_common(1)), ())


def _rejection(reply: Message, reason: str) -> Rejection:
    site = plain(site_of(reply)) or f"node {reply.metadata.src_node_id}"
    return Rejection(site, reply.metadata.message_type, plain(reason))


def plain(text: str) -> str:
    """Return a text that a client may have chosen so that it fits into one line of a log."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
