# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Types of numbers, those of sixteen bits above all: NumPy adds float16 badly, and knows no bfloat16.

Both are aggregated as float32, and what comes of it is rounded once. Nothing here needs ml_dtypes: a bfloat16 is the
upper half of a float32. An array of them is called ``bfloat16`` on the way and in a checkpoint, and holds the bytes
that ml_dtypes would write (two to a number, which NumPy alone reads as ``V2``).
"""

from __future__ import annotations

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from .knowledge._checkpoint.bfloat16 import from_float32, to_float32
from .mapped import Mapped, size

BFLOAT16 = "bfloat16"
NARROW = ("float16", BFLOAT16)
_RAW = np.dtype("V2")  # what NumPy makes of bfloat16
_HALF = 1e-9  # a mean of weights that are half and half is not always 0.5 to the bit


class Widened(Array):
    """An array of sixteen-bit numbers that whoever computes with it gets as float32. It shares its bytes."""

    def numpy(self) -> NDArray:
        """Return the numbers as float32."""
        return wide(super().numpy())


class _MappedWidened(Widened, Mapped):
    """The same of an array that lies in a file."""


def widened(array: Array) -> Array:
    """Return an array whose numbers can be computed with; most are returned as they are."""
    if array.dtype not in NARROW or isinstance(array, Widened):
        return Array(as_reals(array.numpy())) if "c" in array.dtype else array
    if isinstance(array, Mapped):
        return array.cut(array, 0, size(array), _MappedWidened)
    return Widened(array.dtype, array.shape, array.stype, array.data)


def is_bfloat16(values: NDArray) -> bool:
    """Tell whether an array holds bfloat16: as ml_dtypes has them, or the two bytes that NumPy has without it."""
    return values.dtype.name == BFLOAT16 or (values.dtype == _RAW and values.dtype.names is None)


def is_inexact(values: NDArray) -> bool:
    """Tell whether an array holds numbers with a fraction, which may be NaN; the others count, or say yes and no."""
    return np.issubdtype(values.dtype, np.inexact) or is_bfloat16(values)


def is_countable(dtype: str) -> bool:
    """Tell whether an array of this type holds integers or booleans."""
    return dtype not in NARROW and np.dtype(dtype).kind in "biu"


def wide(values: NDArray) -> NDArray:
    """Return numbers in a type that NumPy computes with: sixteen bits as float32, all others as they are."""
    if is_bfloat16(values):
        return to_float32(np.ascontiguousarray(values).view(np.uint16)).reshape(values.shape)
    return values.astype(np.float32) if values.dtype == np.float16 else values


def as_reals(values: NDArray) -> NDArray:
    """Return complex numbers as two real ones each, in an axis of their own; all others as they are.

    Strategies order numbers, and take square roots of them: neither means anything for a complex one.
    """
    if not np.iscomplexobj(values):
        return values
    return values.reshape(-1).view(values.real.dtype).reshape(*values.shape, 2)


def as_complex(values: NDArray, like: NDArray) -> NDArray:
    """Return what was made of such pairs, in the type and shape of the model."""
    return values.astype(like.real.dtype).reshape(-1).view(like.dtype).reshape(like.shape)


def narrowed(values: NDArray, dtype: str) -> NDArray:
    """Return numbers in the type of the model. Rounded once, to the nearest, ties to even; counts stay in range."""
    if dtype == BFLOAT16:
        return from_float32(np.ascontiguousarray(values, np.float32)).view(_RAW).reshape(np.shape(values))
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return values if values.dtype.kind == "b" else values > 0.5 + _HALF  # what more than half of the weight says
    if kind.kind in "iu" and values.dtype.kind not in "iu":
        limits = np.iinfo(kind)
        type_ = values.dtype.type
        values = np.clip(np.rint(values), type_(limits.min), type_(limits.max))
        # The largest count of 64 bits is no float64: it would be rounded up, and out of range.
        return np.where(values >= type_(limits.max), limits.max, values.astype(kind)).astype(kind)
    with np.errstate(over="ignore"):  # an infinite number is found, and told, by who looks at the whole model
        return values.astype(kind)


def in_order_of(values: NDArray, before: np.dtype) -> NDArray:
    """Return numbers in the order of bytes that the model has: whoever computes with them gets that of the machine."""
    return values.astype(before) if values.dtype == before.newbyteorder() else values


def array(values: NDArray) -> Array:
    """Return an array to send or to save, under the name of its type."""
    if values.dtype.hasobject:
        raise TypeError(f"{values.dtype} is no type of numbers")
    made = Array(values)
    if is_bfloat16(values):
        made.dtype = BFLOAT16
    return made


def numbers(array: Array) -> NDArray:
    """Return an array's numbers for a task: bfloat16 as ml_dtypes has it where that is there, else two bytes each."""
    values = array.numpy()
    if array.dtype != BFLOAT16 or isinstance(array, Widened):
        return values
    try:
        from ml_dtypes import bfloat16  # type: ignore[import-not-found]  # a task that computes with it brings it
    except ImportError:
        return values
    return values.view(bfloat16)


def as_made(values: NDArray, dtype: str) -> Array:
    """Return what was computed, in the type of the model, as an array to send."""
    made = array(np.asarray(narrowed(values, dtype)))
    made.dtype = dtype
    return made
