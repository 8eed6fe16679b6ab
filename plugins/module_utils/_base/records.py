# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of ours: files with one JSON object each, read with distrust and written whole.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import typing as t

from .errors import FedopsError
from .guarded import RECORD_LIMIT, Owners, UnsafeFileError, read_bytes, write_bytes
from .jsonable import loads, plain


class RecordError(FedopsError):
    """A record cannot be read; the message says what is wrong with it, as the end of a sentence."""


def read_record(path: str, owners: Owners = None, limit: int = RECORD_LIMIT) -> dict[str, t.Any] | None:
    """Return the JSON object in a record, or None when there is none; RecordError for one that cannot be read."""
    try:
        value = plain(loads(read_bytes(path, limit, owners)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(why_unread(error)) from None
    except RecursionError:
        raise RecordError("it is too deep") from None
    except ValueError:
        raise RecordError("it is not whole JSON") from None
    if not isinstance(value, dict):
        raise RecordError("it is no object")
    return value


def read_object(path: str, owners: Owners = None, limit: int = RECORD_LIMIT) -> dict[str, t.Any] | None:
    """Return the same; None as well for a record that cannot be read."""
    try:
        return read_record(path, owners, limit)
    except RecordError:
        return None


def write_object(path: str, value: t.Mapping[str, t.Any], mode: int, owners: tuple[int, int] | None = None) -> None:
    """Write a record so that a reader, and a host that lost its power, has the old one or the new one, whole."""
    write_bytes(path, (json.dumps(plain(value), indent=2, allow_nan=False) + "\n").encode(), mode, owners)


def why_unread(error: OSError) -> str:
    """Return why a file cannot be read, as the end of a sentence."""
    return error.reason if isinstance(error, UnsafeFileError) else (error.strerror or str(error)).lower()
