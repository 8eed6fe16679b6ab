# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of weights that PyTorch has written, read by PyTorch as weights and nothing else: it may be a pickle.

This file is private to the collection and may change at any time. What is here needs PyTorch once it is called.
"""

from __future__ import annotations

import importlib
import typing as t

from .._base.jsonable import harmless, without_colours
from .models import ModelError

TORCH = "torch"

_SHOWN = 100  # characters of a name
_SAVE = "Save a state_dict() alone: torch.save(model.state_dict(), path)."


def read_tensors(path: str, stream: t.IO[bytes]) -> dict[str, t.Any]:
    """Return the tensors of a file by their names; nothing else is loaded, and anything else is a ModelError."""
    torch = importlib.import_module(TORCH)
    stream.seek(0)
    try:
        found = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a file can make of its reader
        # Its first line says what is wrong. The others say how to run what is in the file.
        reason = harmless(without_colours(str(error)).partition("\n")[0].partition(". ")[0], 200)
        raise ModelError(f"{path} is no file of weights alone: {reason}. {_SAVE}") from error
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{path} is no dictionary of tensors. {_SAVE}")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or not _has_numbers(tensor, torch):
            shown = harmless(repr(name), _SHOWN)
            raise ModelError(f"{path} holds {shown}, which is no tensor of numbers. {_SAVE}")
    return {name: tensor.detach() for name, tensor in found.items()}


def dtype_of(tensor: t.Any) -> str:
    """Return the type of a tensor's numbers, as NumPy says it."""
    return str(tensor.dtype).partition(".")[2]


def values_of(tensor: t.Any) -> t.Any:
    """Return a tensor as an array of NumPy, which has no bfloat16: there, the two bytes of each as integers."""
    torch = importlib.import_module(TORCH)
    values = tensor.contiguous()
    return (values.view(torch.int16) if values.dtype == torch.bfloat16 else values).numpy()


def _has_numbers(tensor: t.Any, torch: t.Any) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
