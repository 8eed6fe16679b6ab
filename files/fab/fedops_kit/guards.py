# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a reply must be before it is aggregated. One bad reply is left out, and the round goes on with the others.

Flower checks all replies of a round together and ends the run over one of them; numbers it does not look at.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from . import integrity
from .arrays import is_finite, update_norm, view
from .dtypes import BFLOAT16, is_bfloat16
from .integrity import SITE_RECORD
from .knowledge._base.jsonable import harmless
from .pulling import REFUSED, Bound

ARRAYS, METRICS, WEIGHT = "arrays", "metrics", "num-examples"  # as the ClientApp names them
MOST_EXAMPLES = 2**53  # a count; the sum of larger weights could overflow, which makes a model of zeros

# What a site may report beside its model. The names reach the history, logs and tables; what is more than a person
# looks at is of no use there, and everything is kept for every round.
MOST_METRICS = 64
LONGEST_METRIC_NAME = 64  # characters
MOST_VALUES = 1024  # of a metric that is a list, such as one value for each class
MOST_ABOUT = 16  # entries of the record that names the site

# The largest number of a model. No weight comes near it, and squares of it, added up over any model, are still numbers
# in float32: one site could else make every strategy that squares updates end the run.
LARGEST = 1e12
LARGEST_LOSS = 1e12  # QFedAvg raises it to a power

SHOWN = 500  # characters of a text that a site chose


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
    parameters: tuple[str, ...] | None = None  # the arrays that the norm is of; None: all

    def __call__(self, content: RecordDict) -> str:
        """Say what is wrong; nothing when all is well."""
        if list(content.array_records) != [ARRAYS]:
            return f"it holds no model, or more than the one named {ARRAYS}"
        arrays = content.array_records[ARRAYS]
        return (
            self._size_flaw(arrays)
            or _integrity_flaw(content)
            or _record_flaw(content)
            or loss_flaw(self.loss_key, content.metric_records[METRICS])
            or _names_flaw(list(arrays), list(self.model))
            or next(filter(None, (_array_flaw(name, arrays[name], self.model[name]) for name in arrays)), "")
            or norm_flaw(arrays, self.model, self.max_update_norm, self.parameters)
        )

    def _size_flaw(self, arrays: ArrayRecord) -> str:
        """Say what is wrong before anything is computed: many names may stand for one array, which is large."""
        if len(arrays) != len(self.model) and (flaw := _names_flaw(list(arrays), list(self.model))):
            return flaw
        largest = Bound(sum(len(array.data) for array in self.model.values())).numbers
        return "" if sum(len(array.data) for array in arrays.values()) <= largest else "it is too large for the model"


def norm_flaw(arrays: ArrayRecord, model: ArrayRecord, most: float, names: Iterable[str] | None = None) -> str:
    """Say that an update is longer than allowed; nothing when it is not, or ``most`` is 0, which bounds nothing.

    ``names`` are the arrays that count; None: all.
    """
    if not most:
        return ""
    norm = update_norm(arrays, model, names)
    return (
        "" if norm <= most else f"the norm of its update is {norm:g} but must be at most {most:g} (fl_max_update_norm)"
    )


def check_evaluation(content: RecordDict) -> str:
    """Say what is wrong with the reply to an evaluation; nothing when all is well."""
    if content.array_records:
        return "it holds a model, and was asked for none"
    if flaw := _record_flaw(content):
        return flaw
    return finite_flaw(content.metric_records[METRICS])


def finite_flaw(metrics: MetricRecord) -> str:
    """Say which metric is no finite number; nothing when all are."""
    for name, value in metrics.items():
        if not all(math.isfinite(number) for number in (value if isinstance(value, list) else [value])):
            return f"{name} is no finite number"  # it would be the average of all sites
    return ""


def loss_flaw(key: str, metrics: MetricRecord) -> str:
    """Say what is wrong with the loss that a strategy weights sites by; nothing where it does not."""
    if not key:
        return ""
    # The strategy raises it to a power, which is no number for a negative one.
    if flaw := number_flaw(key, metrics.get(key), lambda loss: loss >= 0, "at least 0"):
        return flaw
    return number_flaw(key, metrics.get(key), lambda loss: loss <= LARGEST_LOSS, f"at most {LARGEST_LOSS:g}")


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


def weight_flaw(key: str, metrics: MetricRecord) -> str:
    """Say what is wrong with the metric that a reply is weighted by: a strategy divides by the sum of all."""
    words = f"above 0 and at most {MOST_EXAMPLES}"
    return number_flaw(key, metrics.get(key), lambda weight: 0 < weight <= MOST_EXAMPLES, words)


def metrics_flaw(metrics: MetricRecord, times: int = 1) -> str:
    """Say what is wrong with the names of metrics, or with how many there are; nothing when all is well.

    ``times`` is by how much more is taken than of our own app.
    """
    most, longest, most_values = MOST_METRICS * times, LONGEST_METRIC_NAME * times, MOST_VALUES * times
    if len(metrics) > most:
        return f"it reports {len(metrics)} metrics but at most {most} are taken"
    for name, value in metrics.items():
        if not name or len(name) > longest or name != harmless(name):
            return (
                f"a metric is called {plain(name, longest)!r}, which is not 1 to {longest} characters that can be read"
            )
        if isinstance(value, list) and len(value) > most_values:
            return f"the metric {name!r} has {len(value)} values but at most {most_values} are taken"
    return ""


def _integrity_flaw(content: RecordDict) -> str:
    about = content.config_records.get(SITE_RECORD)
    flaw = integrity.flaw(content.array_records[ARRAYS], about.get(integrity.FINGERPRINT) if about else None)
    return flaw and f"it {flaw}"


def _names_flaw(names: list[str], expected: list[str]) -> str:
    if names == expected:
        return ""
    there, known = set(names), set(expected)
    if missing := [name for name in expected if name not in there]:
        return f"the array {missing[0]!r} of the model is missing"
    if unknown := [name for name in names if name not in known]:
        return f"the array {unknown[0]!r} is not one of the model's"
    return "its arrays are not in the order of the model's"  # some strategies count


def _array_flaw(name: str, array: Array, expected: Array) -> str:
    values, wanted = view(array), view(expected)
    kinds = {(_dtype(values), values.shape), (array.dtype, tuple(array.shape))}  # what it is, what it says it is
    if different := kinds - {(_dtype(wanted), wanted.shape)}:
        dtype, shape = min(different)
        return f"the array {name!r} is {dtype}{list(shape)} but must be {_dtype(wanted)}{list(wanted.shape)}"
    return "" if is_finite(values, LARGEST) else unsound_flaw(name, values)


def unsound_flaw(name: str, values: NDArray) -> str:
    """Say what is wrong with an array whose numbers are not all finite and within the largest."""
    return f"the array {name!r} holds " + (
        f"numbers beyond {LARGEST:g}" if is_finite(values) else "NaN or infinite numbers"
    )


def claim_flaw(name: str, array: Array) -> str:
    """Say that an array is not what it says that it is; nothing when it is."""
    values = view(array)
    if (_dtype(values), values.shape) == (array.dtype, tuple(array.shape)):
        return ""
    said = f"{array.dtype}{list(array.shape)}"
    return f"the array {name!r} is {_dtype(values)}{list(values.shape)} but says that it is {said}"


def _dtype(values: NDArray) -> str:
    return BFLOAT16 if is_bfloat16(values) else str(values.dtype)


def number_flaw(name: str, value: object, rule: Callable[[float], bool], words: str) -> str:
    """Say what is wrong with a number; nothing when it is one by the rule."""
    if value is None:
        return f"{name} is missing"
    if isinstance(value, (int, float)) and math.isfinite(value) and rule(value):
        return ""
    return f"{name} is {value} but must be {words}"


def _usual(likenesses: list[tuple]) -> tuple | None:
    """Return what more than half of the replies have in common; None where there is no such."""
    counted = Counter(likenesses)
    return next((found for found, count in counted.items() if 2 * count > len(likenesses)), None)


def plain(text: str, limit: int = SHOWN) -> str:
    """Return a text that a site may have chosen as one line, of bounded length, that nothing but a reader acts on."""
    return harmless(text, limit)
