# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with models that somebody brings along: what the world writes is read, and anything else is refused."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import MOST_VALUES
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import models, npz, safetensors
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.models import Entry, ModelError
from hypothesis import given
from hypothesis import strategies as st

EXPECTED = {"w": ("float32", (2, 3)), "b": ("float64", ())}


def npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    """Return what numpy.save writes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


W, B = npy("<f4", (2, 3), bytes(24)), npy("<f8", (), bytes(8))


def savez(members: dict[str, bytes], compress: bool = False) -> bytes:
    """Return what numpy.savez writes: each member with sizes of 64 bits, as it is written front to back."""
    stream = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in members.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                member.write(content)
    return stream.getvalue()


def tensors(table: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read(content: bytes, name: str = "model.npz") -> list[Entry]:
    return models.entries(io.BytesIO(content), name, len(content))


def test_what_numpy_writes_is_read_with_where_each_array_lies() -> None:
    content = savez({"w": W, "b": B})
    found = read(content)
    assert [(one.name, one.dtype, one.shape) for one in found] == [("w", "float32", (2, 3)), ("b", "float64", ())]
    assert [content[one.begin : one.begin + one.size] for one in found] == [W, B]
    assert models.differences(found, EXPECTED) == []


def test_arrays_without_names_are_taken_in_their_order_also_beyond_nine() -> None:
    expected = {f"layer{number}": ("float32", (number,)) for number in range(12)}
    written = {f"arr_{number}": npy("<f4", (number,), bytes(4 * number)) for number in reversed(range(12))}
    found = read(savez(written))
    assert models.differences(found, expected) == []
    assert [entry.name for entry in models.matched(found, list(expected)).values()] == [f"arr_{n}" for n in range(12)]
    # An app may have such names of its own.
    assert models.matched(found, ["arr_3"]) == {"arr_3": found[8]}


def test_all_differences_are_told_at_once() -> None:
    found = read(savez({"w": npy("<f8", (2, 3), bytes(48)), "c\x1b": B, "state/m_t/w": W}))
    assert models.differences(found, EXPECTED) == [
        "'w' float64[2, 3] is float32[2, 3] in the app",
        "'b' float64[] is missing",
        "'c\\x1b' float64[] is not in the app",
    ]
    many = {str(number): ("float32", (1,)) for number in range(30)}
    assert models.differences([], many)[-2:] == ["'19' float32[1] is missing", "and 10 more"]
    unnamed = read(savez({"arr_0": W}))
    assert models.differences(unnamed, {"v": ("float32", (3, 2))}) == [
        "'arr_0' float32[2, 3] is float32[3, 2] in the app, as 'v'"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not an .npz file"),
        (b"PK", "it is not an .npz file"),
        (savez({"w": W})[:-30], "it is not an .npz file"),
        (savez({"w": W}, compress=True), "'w.npy' in it is compressed or encrypted"),
        (savez({"w": npy("|O", (1,), b"pickle")}), "its header is not what numpy.save writes for an array of numbers"),
        (savez({"w": npy("<f4", (1 << 40,), b"")}), "are not what the header"),
        (savez({"w": b""}), "it does not begin as numpy.save begins an array"),
    ],
)
def test_anything_else_is_no_npz(content: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match="model.npz is no model: ") as error:
        read(content)
    assert reason in str(error.value)


def test_members_that_are_no_arrays_or_have_one_name_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(ModelError, match="'readme.txt' in it is no array"):
        read(stream.getvalue())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("w.npy", W)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w.npy", W)
    with pytest.raises(ModelError, match="its table of contents is not that"):
        read(stream.getvalue())


def test_a_table_that_claims_millions_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MOST_MEMBERS", 1)
    monkeypatch.setattr(npz, "_listed", None)
    with pytest.raises(ModelError, match="it has more than 1 arrays, or longer names"):
        read(savez({"w": W, "b": B}))
    with pytest.raises(ModelError, match="or longer names than 1024 bytes"):
        read(savez({"w" * 2000: W}))


def test_what_safetensors_writes_is_read_and_written() -> None:
    arrays = [("w", "float32", (2, 3)), ("b", "float64", ()), ("none", "int8", (0,))]
    content = safetensors.write_table(arrays, {"round": "3"}) + bytes(32)
    assert content[8:].startswith(
        b'{"__metadata__":{"round":"3"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}'
    )
    found = read(content, "Model.SAFETENSORS")
    assert sorted((one.name, one.dtype, one.shape, one.size) for one in found) == [
        ("b", "float64", (), 8), ("none", "int8", (0,), 0), ("w", "float32", (2, 3), 24)
    ]  # fmt: skip
    assert int.from_bytes(content[:8], "little") % 8 == 0
    with pytest.raises(ValueError, match="'w' is >f4, which a .safetensors file cannot hold"):
        safetensors.write_table([("w", ">f4", (1,))], {})


def test_a_type_that_numpy_lacks_is_told_by_its_name() -> None:
    found = read(tensors({"w": one("BF16", [2, 3], [0, 12])}, bytes(12)), "a.safetensors")
    assert models.differences(found, {"w": EXPECTED["w"]}) == ["'w' bfloat16[2, 3] is float32[2, 3] in the app"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        tensors({}, length=1 << 60),
        tensors({}, length=1),
        tensors(b"[" * 100_000),
        tensors(b"[]"),
        tensors(b"\xff\xff"),
        tensors({}, b"left over"),
        tensors({"w": one()}, bytes(7)),
        tensors({"w": one()}, bytes(9)),
        tensors({"w": one(offsets=[1, 9])}, bytes(9)),
        tensors({"w": one(), "v": one()}, bytes(8)),
        tensors({"w": one(), "v": one(offsets=[4, 12])}, bytes(12)),
        tensors(
            b'{"w": %s, "w": %s}' % (json.dumps(one()).encode(), json.dumps(one(offsets=[8, 16])).encode()), bytes(16)
        ),
        tensors({"w": one(shape=[1 << 61, 1 << 61])}, bytes(8)),
        tensors({"w": one(shape=[-2], offsets=[8, 0])}, bytes(8)),
        tensors({"w": one(shape=[2.0])}, bytes(8)),
        tensors({"w": one(shape=[True, 2])}, bytes(8)),
        tensors({"w": one(shape=None)}, bytes(8)),
        tensors({"w": one(dtype=["F32"])}, bytes(8)),
        tensors({"w": one(dtype="F4")}, bytes(8)),
        tensors({"w": one(offsets=[0, 8, 9])}, bytes(8)),
        tensors({"w": {**one(), "more": 1}}, bytes(8)),
        tensors({"": one()}, bytes(8)),
        tensors({"w" * 2000: one()}, bytes(8)),
    ],
)
def test_anything_else_is_no_safetensors(content: bytes) -> None:
    with pytest.raises(ModelError, match="m.safetensors is no model: "):
        read(content, "m.safetensors")


def test_a_table_of_more_values_than_any_model_has_takes_no_memory() -> None:
    text = b'{"w":[' + b",".join([b"{}"] * (MOST_VALUES // 2 + 1)) + b"]}"
    content = len(text).to_bytes(8, "little") + text
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=f"its table has more than {MOST_VALUES} values"):
            read(content, "m.safetensors")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.sampled_from([".npz", ".safetensors"]))
def test_no_file_is_a_traceback(content: bytes, suffix: str) -> None:
    for whole in (content, tensors(content), savez({"w": content})):
        with suppress(ModelError):
            read(whole, f"m{suffix}")


@pytest.mark.parametrize("name", ["model", "model.pkl", "model.h5", ".npz", "npz"])
def test_another_ending_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=r"must end with one of .npz, .safetensors, .pt"):
        models.format_of(name)
