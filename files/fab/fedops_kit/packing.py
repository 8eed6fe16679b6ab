# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Many named arrays as few objects, for the way between ServerApp and ClientApp.

Flower sends every array as two objects or more, and each object costs a request and a transaction on every leg of its
way. Here the arrays of a message are laid end to end in parts, and a table says what lies in them. It has lengths and
no places: what overlaps, or lies outside, cannot be said. The bytes of the arrays are not touched.

All of a table is judged before anything is taken out of the parts: whoever wrote it may be lying.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.common.constant import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE

from .bound import Bound
from .knowledge._base.jsonable import is_whole
from .mapped import Mapped, record_of
from .mapped import size as size_of
from .records import array_records

PACKED = "fedops.packed"  # the record with the table; without one, it says that its sender can unpack
PARTS = "fedops.parts"  # the record with the parts
VERSION = 1
NOT_READ = "is packed in a way that this app cannot read"

# What a mod meets that looks at arrays before they are unpacked: Flower quotes it in an error.
SERIALIZATION = "packed by fedops_kit; in ClientApp(mods=[...]), packed comes first"

# Large enough for few of them, and small against a model that is large: only one is there twice while it is unpacked.
_PART = 8 * FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE

Made = dict[tuple[int, ...], ArrayRecord]  # parts, by the arrays that went into them


class PackingError(ValueError):
    """A message is not packed as it should be; the text says why, of "it"."""


class Packed:
    """The mod of a ClientApp that unpacks what it is sent, and packs what it replies to somebody who packs."""

    def __init__(self, announces: bool = True) -> None:
        self._announces = announces  # whether to tell a ServerApp, which has not packed, that it may

    def __call__(self, message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
        """Pass a message on with its arrays, and return the reply without."""
        is_packed = PACKED in message.content
        if is_packed:
            message.content = unpack(message.content)
        reply = call_next(message, context)
        if reply.has_content() and is_packed:
            reply.content = pack(reply.content)
        elif reply.has_content() and self._announces:
            reply.content[PACKED] = ConfigRecord({"version": VERSION})
        return reply


packed = Packed()


@dataclass(frozen=True)
class _Row:
    """One array of the table."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    stype: str
    size: int  # bytes

    @classmethod
    def read(cls, cells: Any) -> _Row:
        if not isinstance(cells, list) or len(cells) != 5:
            raise PackingError("its table has a row that is none")
        name, dtype, shape, stype, size = cells
        if not all(map(_is_sendable, (name, dtype, stype))):
            raise PackingError("its table has a name or a type that is no text")
        if not isinstance(shape, list) or not all(is_whole(each) and each >= 0 for each in shape):
            raise PackingError(f"its table has no shape for {name!r}")
        if not is_whole(size) or size < 0:
            raise PackingError(f"its table has no size for {name!r}")
        return cls(name, dtype, tuple(shape), stype, size)


def pack(content: RecordDict, made: Made | None = None) -> RecordDict:
    """Return records with their arrays packed; the ones given stay as they are.

    ``made`` is remembered from one call to the next: the messages to many nodes have the same arrays, packed once.
    """
    made = {} if made is None else made
    arrays = [array for record in array_records(content).values() for array in record.values()]
    identity = tuple(map(id, arrays))
    if identity not in made:
        made[identity] = _laid_out(arrays)
    others = {key: record for key, record in content.items() if not isinstance(record, ArrayRecord)}
    about = ConfigRecord({"version": VERSION, "table": _table(content)})
    return RecordDict({**others, PACKED: about, PARTS: made[identity]})


def unpack(content: RecordDict, bound: Bound | None = None) -> RecordDict:
    """Return records as they were before they were packed. The parts given are emptied.

    ``bound`` is what there may be of a stranger. Raises PackingError.
    """
    about, parts = content.get(PACKED), content.get(PARTS)
    if not isinstance(about, ConfigRecord) or about.get("version") != VERSION:
        raise PackingError(f"it {NOT_READ}")
    if "table" not in about:  # it came as it is
        return RecordDict({key: record for key, record in content.items() if key != PACKED})
    if not isinstance(parts, ArrayRecord):
        raise PackingError("it has a table, and nothing that was packed")
    others = {key: record for key, record in content.items() if key not in (PACKED, PARTS)}
    table = _read(about["table"], bound)
    _check_records(table, others)
    rows = [row for dummy, found in table for row in found or ()]
    _check_sizes(rows, list(parts.values()), bound)
    arrays = _taken_out(rows, parts)
    return RecordDict(
        {
            key: others[key] if found is None else record_of((row.name, next(arrays)) for row in found)
            for key, found in table
        }
    )


def _laid_out(arrays: Iterable[Array]) -> ArrayRecord:
    """Return parts with the bytes of arrays; a large array is a part, and is not copied."""
    parts, waiting, size = ArrayRecord(), list[bytes](), 0

    def close() -> None:
        if size:
            data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
            parts[str(len(parts))] = Array("uint8", (size,), SERIALIZATION, bytes(data))

    for array in arrays:
        data = array.data
        if size + len(data) > _PART:
            close()
            waiting, size = [], 0
        if data:
            waiting.append(data)
            size += len(data)
    close()
    return parts


def _table(content: RecordDict) -> bytes:
    """Return what tells of every record, in order, and of every array in it."""
    rows = [
        [
            key,
            [[name, each.dtype, list(each.shape), each.stype, size_of(each)] for name, each in record.items()]
            if isinstance(record, ArrayRecord)
            else None,
        ]
        for key, record in content.items()
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


Table = list[tuple[str, "list[_Row] | None"]]  # None: the record is no record of arrays


def _read(text: object, bound: Bound | None) -> Table:
    if not isinstance(text, bytes) or (bound and len(text) > bound.records):
        raise PackingError("its table is none, or is larger than the model gives reason for")
    try:
        found = json.loads(text)
        rows = sum(len(arrays) for dummy, arrays in found if arrays is not None)
        if bound and rows > bound.pieces:
            raise PackingError(f"it has {rows} arrays, and the model gives no reason for more than {bound.pieces}")
        return [(key, None if arrays is None else [_Row.read(cells) for cells in arrays]) for key, arrays in found]
    except (RecursionError, TypeError, ValueError) as error:
        if isinstance(error, PackingError):
            raise
        raise PackingError("its table cannot be read") from None


def _is_sendable(text: object) -> bool:
    """Tell whether it is text that a message holds: JSON can write half a character, and nothing else can send it."""
    return isinstance(text, str) and (text.isascii() or text.encode("utf-8", "replace").decode() == text)


def _check_records(table: Table, others: dict[str, Any]) -> None:
    names = [key for key, dummy in table]
    if not all(map(_is_sendable, names)):
        raise PackingError("its table has a name of a record that is no text")
    if len(set(names)) != len(names):
        raise PackingError("its table names a record twice")
    if {key for key, arrays in table if arrays is None} != others.keys():
        raise PackingError("its table names other records than there are")
    for dummy, arrays in table:
        if arrays is not None and len({row.name for row in arrays}) != len(arrays):
            raise PackingError("its table names an array twice")


def _check_sizes(rows: list[_Row], parts: list[Array], bound: Bound | None) -> None:
    """Hold the table against the parts: every array lies in one, and every byte of them is of an array."""
    if any(part.stype != SERIALIZATION or part.dtype != "uint8" for part in parts):
        raise PackingError(
            "its parts were changed after they were packed: of the mods of a ClientApp, packed comes first"
        )
    there, said = sum(map(size_of, parts)), sum(row.size for row in rows)
    if said != there:
        raise PackingError(f"its table has {said} bytes of arrays, and {there} have come")
    if bound and there > bound.numbers:
        raise PackingError(
            f"it has {there} bytes of arrays, and the model gives no reason for more than {bound.numbers}"
        )
    sizes, left = map(size_of, parts), 0
    for row in rows:
        if row.size and not left:
            left = next(sizes)
        if row.size > left:
            raise PackingError(f"its table has the array {row.name!r} reach from one part into the next")
        left -= row.size


def _taken_out(rows: list[_Row], parts: ArrayRecord) -> Iterator[Array]:
    """Yield the arrays of a table that fits; a part goes as soon as its last array is there."""
    part, place, end, names = Array("", (), "", b""), 0, 0, [*parts][::-1]
    for row in rows:
        if row.size and place == end:
            part, place = parts.pop(names.pop()), 0
            end = size_of(part)
        if isinstance(part, Mapped):
            yield part.cut(Array(row.dtype, row.shape, row.stype, b""), place, row.size)
        else:
            whole = row.size == end
            yield Array(row.dtype, row.shape, row.stype, part.data if whole else part.data[place : place + row.size])
        place += row.size
