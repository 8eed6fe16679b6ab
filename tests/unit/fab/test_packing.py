# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays that travel packed: the same bytes at the other end, few objects, and nothing taken from a table that lies."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bench import Bench, client, same
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import fixedclipping_mod
from flwr.serverapp.strategy import DifferentialPrivacyClientSideFixedClipping, FedAvg
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Federation
from test_exact_resume import variables

from fedops_app import client_app
from fedops_kit import dtypes, packed, packing
from fedops_kit.bound import Bound
from fedops_kit.integrity import fingerprint
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.packer import Packer
from fedops_kit.packing import PACKED, PARTS, PackingError, pack, unpack

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64", ">f4")


def travelled(content: RecordDict) -> RecordDict:
    """Return what Flower makes of records at the other end."""
    pieces = {name: piece.deflate() for name, piece in get_all_nested_objects(content).items()}
    return inflate_object_from_contents(content.object_id, pieces)


def array(dtype: str, shape: tuple[int, ...], order: str = "C") -> Array:
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape, order=order)
    return dtypes.array(np.asarray(dtypes.narrowed(values.astype(np.float32), dtype)))


def told(content: RecordDict) -> list[tuple[str, str]]:
    """Return all there is of records: their order, and every byte."""
    return [
        (name, fingerprint(record) if isinstance(record, ArrayRecord) else f"{type(record).__name__} {dict(record)}")
        for name, record in content.items()
    ]


arrays = st.builds(
    array,
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 4), max_size=3).map(tuple),
    st.sampled_from(["C", "F"]),
)
records = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in (PACKED, PARTS)),
    st.one_of(
        st.dictionaries(st.text(max_size=12), arrays, max_size=12).map(ArrayRecord),
        st.builds(lambda number: MetricRecord({"num-examples": number}), st.integers(0, 99)),
        st.builds(lambda text: ConfigRecord({"a": text}), st.text()),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(records, st.sampled_from([1, 100, 300, 1 << 20]))
def test_what_was_packed_is_unpacked_to_the_byte(given_records: dict[str, Any], part: int) -> None:
    content = RecordDict(given_records)
    before = told(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packing, "_PART", part)
        sent = pack(content)
    assert told(content) == before
    assert told(unpack(travelled(sent))) == before


def test_a_model_of_400_arrays_is_as_few_objects_as_one_of_a_single_array() -> None:
    many = {f"layer.{number}.weight": Array(np.full(27_500, number, np.float32)) for number in range(400)}
    one = {"all": Array(np.arange(11_000_000, dtype=np.float32))}
    objects = [len(get_all_nested_objects(pack(RecordDict({"arrays": ArrayRecord(each)})))) for each in (many, one)]
    assert objects[0] <= objects[1] + 2
    assert len(get_all_nested_objects(RecordDict({"arrays": ArrayRecord(many)}))) > 800


def test_a_large_array_is_not_copied() -> None:
    large = Array("uint8", (3,), "numpy.ndarray", bytes(packing._PART + 1))
    content = RecordDict({"arrays": ArrayRecord({"small": array("float32", (2,)), "large": large})})
    parts = pack(content)[PARTS]
    assert [part.data is large.data for part in parts.values()] == [False, True]
    assert unpack(pack(content))["arrays"]["large"].data is large.data


MODEL = RecordDict(
    {
        "arrays": ArrayRecord({"a": array("float32", (2, 3)), "b": array("int64", ()), "c": array("float32", (0, 2))}),
        "metrics": MetricRecord({"num-examples": 1}),
    }
)
BOUND = Bound(sum(len(each.data) for each in MODEL["arrays"].values()), 3, 3)


def with_table(change: Callable[[list], object]) -> RecordDict:
    """Return the model packed by somebody who lies in the table."""
    sent = pack(MODEL)
    table = json.loads(sent[PACKED]["table"])
    replaced = change(table)
    sent[PACKED]["table"] = json.dumps(table if replaced is None else replaced).encode()
    return sent


def with_row(number: int, cell: int, value: object) -> RecordDict:
    return with_table(lambda table: table[0][1][number].__setitem__(cell, value))


def with_parts(**fields: object) -> RecordDict:
    sent = pack(MODEL)
    vars(sent[PARTS]["0"]).update(fields)
    return sent


def without(name: str) -> RecordDict:
    return RecordDict({key: record for key, record in pack(MODEL).items() if key != name})


def with_text(text: object) -> RecordDict:
    sent = pack(MODEL)
    sent[PACKED]["table"] = text
    return sent


SIZE = len(MODEL["arrays"]["a"].data)
HOSTILE = {
    "no table": (lambda: with_text(1), "its table is none"),
    "no JSON": (lambda: with_text(b"\xff{"), "its table cannot be read"),
    "depth": (lambda: with_text(b"[" * 200_000), "its table cannot be read"),
    "a number": (lambda: with_text(b"7"), "its table cannot be read"),
    "half a row": (lambda: with_table(lambda table: table[0][1][0].__delitem__(0)), "a row that is none"),
    "a negative size": (lambda: with_row(0, 4, -SIZE), "no size for 'a'"),
    "a size that is no number": (lambda: with_row(0, 4, "1"), "no size for 'a'"),
    "a size that says yes": (lambda: with_row(0, 4, True), "no size for 'a'"),
    "more than there is": (lambda: with_row(0, 4, SIZE + 1), "bytes of arrays, and"),
    "less than there is": (lambda: with_row(0, 4, SIZE - 1), "bytes of arrays, and"),
    "2 GB": (lambda: with_row(0, 4, 2 << 30), "bytes of arrays, and"),
    "a negative shape": (lambda: with_row(0, 2, [-2, -3]), "no shape for 'a'"),
    "a shape that is no list": (lambda: with_row(0, 2, "23"), "no shape for 'a'"),
    "a name that is none": (lambda: with_row(0, 0, 7), "no text"),
    "half a character": (lambda: with_row(0, 0, "\ud800"), "no text"),
    "half a character for a type": (lambda: with_row(0, 1, "float32\udfff"), "no text"),
    "half a character for a record": (
        lambda: with_table(lambda table: [["\ud800", table[0][1]], table[1]]),
        "name of a record that is no text",
    ),
    "a name twice": (lambda: with_row(1, 0, "a"), "names an array twice"),
    "a record twice": (lambda: with_table(lambda table: [*table, table[0]]), "names a record twice"),
    "a record too many": (lambda: with_table(lambda table: [*table, ["more", None]]), "other records than there are"),
    "a record too few": (lambda: with_table(lambda table: table[:1]), "other records than there are"),
    "a record that is its own": (
        lambda: with_table(lambda table: [*table, [PACKED, None]]),
        "other records than there are",
    ),
    "parts of floats": (lambda: with_parts(dtype="float64"), "changed after they were packed"),
    "parts that are arrays": (lambda: with_parts(stype="numpy.ndarray"), "changed after they were packed"),
    "fewer bytes": (lambda: with_parts(data=b""), "bytes of arrays, and 0 have come"),
    "no parts": (lambda: without(PARTS), "nothing that was packed"),
    "another version": (lambda: RecordDict({**pack(MODEL), PACKED: ConfigRecord({"version": 2})}), "cannot read"),
    "metrics in its place": (lambda: RecordDict({**without(PACKED), PACKED: MetricRecord({"a": 1})}), "cannot read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_that_lies_is_refused_by_name(name: str) -> None:
    make, said = HOSTILE[name]
    with pytest.raises(PackingError, match=said):
        unpack(make(), BOUND)


def test_an_array_does_not_reach_from_one_part_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_PART", 1)
    sizes = {0: SIZE + 8, 1: len(MODEL["arrays"]["b"].data) - 8}

    def shift(table: list) -> None:
        for number, size in sizes.items():
            table[0][1][number][4] = size

    with pytest.raises(PackingError, match="reach from one part into the next"):
        unpack(with_table(shift), BOUND)


def test_a_million_names_cost_no_memory() -> None:
    row = json.dumps(["x" * 8, "float32", [], "numpy.ndarray", 0])
    sent = with_text(f'[["arrays",[{",".join([row] * 1_000_000)}]],["metrics",null]]'.encode())
    tracemalloc.start()
    try:
        with pytest.raises(PackingError, match="its table is none, or is larger than the model gives reason for"):
            unpack(sent, BOUND)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_more_names_than_the_model_gives_reason_for_are_refused() -> None:
    rows = [[f"n{number}", "float32", [], "numpy.ndarray", 0] for number in range(1000)]
    with pytest.raises(PackingError, match="it has 1000 arrays, and the model gives no reason for more than"):
        unpack(with_table(lambda table: [["arrays", rows], table[1]]), BOUND)


@settings(deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["arrays", SIZE])),
        lambda inner: st.lists(inner, max_size=6),
    )
)
def test_whatever_a_table_says_it_is_refused_and_nothing_else(table: object) -> None:
    with pytest.raises(PackingError):
        unpack(with_text(json.dumps(table).encode()), BOUND)


def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packer, "_packs_for", lambda packer, node: False)


class Wire:
    """Sees what goes over it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bool]] = []

    def __call__(self, site: str, message: Message) -> None:
        if message.has_content():
            self.seen.append((site, message.metadata.message_type, PARTS in message.content))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_bytes_of_a_training_are_those_of_one_that_does_not_pack(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    wires = {"packed": Wire(), "unpacked": Wire()}
    for where, wire in wires.items():
        federation.train(where, num_rounds=3, grid={"on_the_wire": wire}, **variables(strategy))
        unpacked(monkeypatch)
    assert {is_packed for dummy, dummy_kind, is_packed in wires["packed"].seen} == {True}
    assert {is_packed for dummy, dummy_kind, is_packed in wires["unpacked"].seen} == {False}
    for number in (1, 2, 3):
        assert federation.arrays(number, "packed") == federation.arrays(number, "unpacked")


def of_the_first_releases() -> ClientApp:
    """The ClientApp as it was before anything was packed."""
    app = ClientApp()
    app.train()(client_app.train)
    app.evaluate()(client_app.evaluate)
    return app


def test_a_node_whose_app_does_not_unpack_trains_on(federation: Federation) -> None:
    old, wire = of_the_first_releases(), Wire()

    def mixed(message: Message, context: Any) -> Message:
        return (old if context.node_config["site"] == "site03" else client_app.app)(message, context)

    federation.train("straight", num_rounds=2)
    grid = federation.train("mixed", num_rounds=2, grid={"client": mixed, "on_the_wire": wire})
    assert federation.arrays(2, "mixed") == federation.arrays(2, "straight")
    for line in federation.published("history.jsonl"):
        assert (line["replies"], line["failures"], line["attempts"], line["failed"]) == (7, 0, 1, [])
    assert grid.log.count(("train", 1, "site03")) == 2  # once in vain
    assert grid.log.count(("train", 2, "site03")) == 1
    assert {site for site, dummy, is_packed in wire.seen[-21:] if not is_packed} == {"site03"}


def test_a_node_that_fails_otherwise_is_asked_once(federation: Federation) -> None:
    def fails(site: str, number: int, attempt: int) -> bool:
        return (site, number) == ("site03", 1)

    grid = federation.train(num_rounds=2, grid={"fails": fails})
    assert grid.log.count(("train", 1, "site03")) == 1
    assert [line["failures"] for line in federation.published("history.jsonl")] == [1, 0]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "no parts"])
def test_a_reply_that_is_packed_wrongly_is_left_out_by_name(federation: Federation, name: str) -> None:
    make, said = HOSTILE[name]

    def hostile(site: str, message: Message) -> None:
        if site == "site03" and message.metadata.message_type == "train" and message.metadata.dst_node_id == 1:
            message.content = make()

    federation.train(num_rounds=1, grid={"on_the_wire": hostile})
    (line,) = federation.published("history.jsonl")
    assert (line["replies"], line["failures"]) == (6, 1)
    (rejected,) = line["rejected"]
    assert rejected["site"] == "site03"
    assert said in rejected["reason"]


def test_a_foreign_app_packs_from_the_second_message_on(bench: Bench) -> None:
    plain = bench.start(FedAvg, "plain")
    app, wire = client(), Wire()
    bench.client = ClientApp(mods=[packed])
    for name, function in app._registered_funcs.items():
        bench.client._registered_funcs[name] = lambda message, context, call=function: packed(message, context, call)
    result = bench.start(FedAvg, "packed", grid={"on_the_wire": wire})
    assert same(result.arrays, plain.arrays)
    assert [is_packed for dummy, kind, is_packed in wire.seen[:8]] == [False] * 8
    assert {is_packed for dummy, kind, is_packed in wire.seen[8:]} == {True}


def clipped(*mods: Any) -> ClientApp:
    """A ClientApp with differential privacy, for a message of one record of arrays."""
    inner = client()._registered_funcs["train.default"]
    app = ClientApp(mods=list(mods))

    @app.train()
    def train(message: Message, context: Any) -> Message:
        return inner(message, context)

    return app


def private() -> DifferentialPrivacyClientSideFixedClipping:
    return DifferentialPrivacyClientSideFixedClipping(
        FedAvg(fraction_evaluate=0.0), noise_multiplier=0.0, clipping_norm=0.1, num_sampled_clients=4
    )


@pytest.mark.parametrize("mods", [(packed, fixedclipping_mod), (fixedclipping_mod, packed)])
def test_differential_privacy_clips_arrays_and_not_what_travels(
    bench: Bench, mods: tuple, caplog: pytest.LogCaptureFixture
) -> None:
    model = {"initial": ArrayRecord({"w": Array(np.zeros((2, 3))), "v": Array(np.zeros(2))})}
    bench.client = clipped(fixedclipping_mod)
    plain = bench.start(private, "plain", rounds=3, **model)
    bench.client, wire = clipped(*mods), Wire()
    result = bench.start(private, "packed", rounds=3, grid={"on_the_wire": wire}, **model)
    assert same(result.arrays, plain.arrays)
    in_order = mods[0] is packed
    assert wire.seen[-1][2] == in_order  # another order is noticed, and what would be clipped wrongly is not sent
    assert ("packed comes first" in caplog.text) != in_order
