# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters of PEFT in folders that somebody has sent: what is in them, and whether they can be averaged.

Everything in such a folder is data of others: no link is followed, nothing is larger than it may be, and weights that
can be a pickle are read as weights alone.
This module is private to the collection and may change at any time. It needs NumPy, and PyTorch for adapter_model.bin.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import typing as t
from contextlib import ExitStack
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.guarded import read_bytes, regular_file
from .._base.jsonable import harmless, loads
from .._base.reading import sha256_of
from .._base.records import why_unread
from .._checkpoint import models, tensors
from .._checkpoint.bfloat16 import to_float32
from .._checkpoint.models import Entry, ModelError
from .contents import ADAPTER_CONFIG, LONGEST_ADAPTER_CONFIG, WEIGHTS

MOST_ADAPTER_BYTES = 8 << 30
AVERAGED_WEIGHTS = WEIGHTS["adapter"] + models.SAFETENSORS

_PICKLED = WEIGHTS["adapter"] + ".bin"
_MOST_EXAMPLES = 1 << 53  # each whole number up to here is a float
_KINDS = ("float16", "bfloat16", "float32", "float64")
_OF_THE_WRITER = ("inference_mode", "peft_version", "auto_mapping")  # not of the adapter
_BASE_NAME = "base_model_name_or_path"
_MOST_TOLD = 20  # problems with one adapter
_AT_ONCE = 1 << 22  # numbers


class AdapterError(FedopsError):
    """Adapters cannot be averaged; the message says what is wrong with each, a line a problem."""


@dataclass(frozen=True)
class Adapter:
    """An adapter that can be read, and how many examples it was trained on."""

    path: str
    examples: int
    config: t.Mapping[str, t.Any]
    config_text: bytes
    file: str
    sha256: str  # of its weights
    entries: t.Mapping[str, Entry]
    stream: t.IO[bytes]
    loaded: t.Mapping[str, t.Any]  # by PyTorch, where it cannot be read in place

    def numbers(self, name: str) -> t.Any:
        """Return an array in the type that is computed in: sixteen bits as float32, as FedAvg does."""
        entry = self.entries[name]
        if self.loaded:
            values = tensors.values_of(self.loaded[name])
        else:
            self.stream.seek(entry.begin)
            kind = "uint16" if entry.dtype == "bfloat16" else entry.dtype
            numpy = importlib.import_module("numpy")
            values = numpy.frombuffer(self.stream.read(entry.size), numpy.dtype(kind).newbyteorder("<")).astype(kind)
        if entry.dtype == "bfloat16":
            values = to_float32(values.reshape(-1).view("uint16"))
        return values.astype("float32" if entry.dtype == "float16" else values.dtype).reshape(entry.shape)


def opened_adapters(
    given: t.Sequence[str], stack: ExitStack, most_bytes: int = MOST_ADAPTER_BYTES
) -> t.Sequence[Adapter]:
    """Return the adapters of texts PATH:EXAMPLES; raise AdapterError with all that is wrong with all of them."""
    found: list[Adapter] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    for text in given:
        try:
            path, examples = _parsed(text)
            place = os.path.realpath(path)
            if place in places:
                raise AdapterError(f"{path} is given twice, the first time as {places[place]}. Give each adapter once.")
            places[place] = path
            found.append(_opened(path, examples, stack, most_bytes))
        except AdapterError as error:
            problems.append(str(error))
    for one in found[1:]:
        problems += _told(one.path, _differences(found[0], one), f"is not like {found[0].path}")
    for one in found:
        problems += _told(one.path, _unsound(one), "cannot be averaged")
    if problems:
        raise AdapterError("\n".join(problems))
    return found


def _parsed(text: str) -> tuple[str, int]:
    path, colon, number = text.rpartition(":")
    if not colon or not path:
        raise AdapterError(f"{text} does not say on how many examples it was trained. Give PATH:EXAMPLES.")
    if not (number.isascii() and number.isdecimal() and len(number) <= 16 and 0 < int(number) <= _MOST_EXAMPLES):
        raise AdapterError(
            f"{path} was trained on {harmless(repr(number), 40)} examples, but that must be a whole number from 1 to"
            f" {_MOST_EXAMPLES}."
        )
    return path, int(number)


def _opened(path: str, examples: int, stack: ExitStack, most_bytes: int) -> Adapter:
    try:
        text = read_bytes(os.path.join(path, ADAPTER_CONFIG), LONGEST_ADAPTER_CONFIG)
        there = [name for name in (AVERAGED_WEIGHTS, _PICKLED) if os.path.lexists(os.path.join(path, name))]
        file = os.path.join(path, there[0] if there else AVERAGED_WEIGHTS)
        stream = stack.enter_context(regular_file(file, most_bytes))
    except OSError as error:
        raise AdapterError(f"{error.filename or path} cannot be read: {why_unread(error)}.") from error
    try:
        config = loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict) or config.get("peft_type") is None:
        raise AdapterError(f"{os.path.join(path, ADAPTER_CONFIG)} is no configuration of an adapter of PEFT.")
    size = os.fstat(stream.fileno()).st_size
    loaded: dict[str, t.Any] = {}
    try:
        if file.endswith(_PICKLED):
            loaded = _loaded(file, stream)
            kinds = {name: tensors.dtype_of(tensor) for name, tensor in loaded.items()}
            entries = [Entry(name, kinds[name], tuple(tensor.shape), 0, 0) for name, tensor in loaded.items()]
        else:
            entries = models.entries(stream, file, size)
    except ModelError as error:
        raise AdapterError(str(error)) from error
    if not entries:
        raise AdapterError(f"{file} holds no arrays.")
    by_name = {entry.name: entry for entry in entries}
    return Adapter(path, examples, config, text, file, sha256_of(stream, size), by_name, stream, loaded)


def _loaded(file: str, stream: t.IO[bytes]) -> dict[str, t.Any]:
    if importlib.util.find_spec(tensors.TORCH) is None:
        raise AdapterError(
            f"{file} can be a pickle, which PyTorch alone reads as weights: install it, or send safetensors."
        )
    return tensors.read_tensors(file, stream)


def _differences(first: Adapter, other: Adapter) -> t.Iterator[str]:
    """Say in what an adapter differs from the first one; both must be made for the same base, in the same way."""
    for key in sorted({*first.config, *other.config} - {*_OF_THE_WRITER}):
        here, there = (_comparable(one.config.get(key)) for one in (other, first))
        if here != there:
            name = "its base model" if key == _BASE_NAME else key
            yield f"{name} is {_short(here)} instead of {_short(there)}"
    for name in sorted({*first.entries, *other.entries}):
        here, there = other.entries.get(name), first.entries.get(name)
        if here is None or there is None:
            one = t.cast(Entry, here or there)
            yield f"{one.said} is {'missing' if here is None else 'one more'}"
        elif (here.dtype, here.shape) != (there.dtype, there.shape):
            yield f"{here.said} is {there.dtype}{list(there.shape)} there"


def _unsound(adapter: Adapter) -> t.Iterator[str]:
    numpy = importlib.import_module("numpy")
    for entry in adapter.entries.values():
        if entry.dtype not in _KINDS:
            yield f"{entry.said} has no numbers with a fraction"
            continue
        values = adapter.numbers(entry.name).reshape(-1)
        parts = (values[begin : begin + _AT_ONCE] for begin in range(0, values.size, _AT_ONCE))
        if not all(numpy.isfinite(part).all() for part in parts):
            yield f"{entry.said} holds NaN or infinite numbers"


def _told(path: str, problems: t.Iterator[str], what: str) -> list[str]:
    told = list(problems)
    more = len(told) - _MOST_TOLD
    shown = told[:_MOST_TOLD] + ([f"and {more} more"] if more > 0 else [])
    return [f"{path} {what}: {'; '.join(shown)}."] if told else []


def _comparable(value: t.Any) -> t.Any:
    """Return a list of names in an order of its own: PEFT writes sets."""
    return sorted(value, key=str) if isinstance(value, list) else value


def _short(value: t.Any) -> str:
    return harmless(repr(value), 100)
