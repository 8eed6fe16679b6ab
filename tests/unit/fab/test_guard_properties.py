# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards by themselves, with whatever a client could send."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedops_kit import guards
from fedops_kit.arrays import update_norm, view
from fedops_kit.integrity import FINGERPRINT, fingerprint
from fedops_kit.knowledge._config.strategies import trimmed

MODEL = ArrayRecord({"weight": Array(np.zeros((2, 3), np.float32)), "steps": Array(np.asarray(3))})


@pytest.fixture(autouse=True, scope="module")
def task_identity() -> None:
    """Messages can only be made in a process that knows its task, as Flower's do."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1


def reply(arrays: ArrayRecord, metrics: dict[str, object], site: str = "a") -> Message:
    asked = Message(RecordDict(), dst_node_id=1, message_type="train")
    about = ConfigRecord({"site": site, FINGERPRINT: fingerprint(arrays)})
    return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord(metrics), "site": about}), reply_to=asked)


SOUND = {"num-examples": 1}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"second": MODEL}, "it holds no model, or more than the one named arrays"),
        ({"second": MetricRecord(SOUND)}, "it holds no metrics, or more than the ones named metrics"),
        ({"arrays": MetricRecord(SOUND)}, "it holds no model, or more than the one named arrays"),
    ],
)
def test_a_reply_holds_one_model_and_one_set_of_metrics(more: dict, reason: str) -> None:
    message = reply(MODEL, SOUND)
    message.content.update(more)
    dummy, rejected = guards.sift([message], guards.TrainingCheck(MODEL))
    assert [rejection.reason for rejection in rejected] == [reason]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"stype": "other"}, "it cannot be read: the serialization 'other' is not numpy.ndarray"),
        ({"dtype": "int8"}, "the array 'weight' is int8[2, 3] but must be float32[2, 3]"),
        ({"shape": (3, 2)}, "the array 'weight' is float32[3, 2] but must be float32[2, 3]"),
        ({"data": b"nothing"}, "it cannot be read: "),
        ({"data": MODEL["weight"].data + b"\0"}, "it cannot be read: 153 bytes are not what the header float32[2, 3]"),
    ],
)
def test_an_array_is_what_it_says_and_nothing_more(fields: dict[str, object], reason: str) -> None:
    array = dataclasses.replace(MODEL["weight"], **fields)
    arrays = ArrayRecord({"weight": array, "steps": MODEL["steps"]})
    dummy, rejected = guards.sift([reply(arrays, SOUND)], guards.TrainingCheck(MODEL))
    assert [rejection.reason.startswith(reason) for rejection in rejected] == [True]


numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats())
arrays_of_numpy = hnp.arrays(
    st.one_of(hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.complex_number_dtypes()),
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
).map(lambda array: Array(np.asarray(array)))
raw_arrays = st.builds(
    Array,
    dtype=st.sampled_from(["float32", "float32", "int64", "object", ""]),
    shape=st.sampled_from([(2, 3), (2, 3), (), (-1, -6)]),
    stype=st.sampled_from(["numpy.ndarray", "numpy.ndarray", ""]),
    data=st.one_of(st.just(MODEL["weight"].data), st.binary(), st.binary().map(MODEL["weight"].data.__add__)),
)
sound = hnp.arrays(np.float32, (2, 3)).map(Array)  # but for NaN and infinite numbers
some_arrays = st.one_of(sound, raw_arrays, arrays_of_numpy)
records_of_arrays = st.one_of(
    st.fixed_dictionaries({"weight": some_arrays, "steps": st.just(MODEL["steps"])}),
    st.dictionaries(st.one_of(st.sampled_from(list(MODEL)), st.text()), some_arrays, max_size=3),
)
records_of_metrics = st.one_of(
    st.fixed_dictionaries({"num-examples": numbers}),
    st.dictionaries(st.one_of(st.just("num-examples"), st.text()), st.one_of(numbers, st.lists(st.floats()))),
)


@settings(max_examples=300, deadline=None)
@given(records_of_arrays, records_of_metrics)
def test_whatever_a_client_sends_is_kept_when_it_is_sound_and_else_rejected_in_one_line(
    arrays: dict[str, Array], metrics: dict[str, object]
) -> None:
    kept, rejected = guards.sift([reply(ArrayRecord(arrays), metrics)], guards.TrainingCheck(MODEL))
    assert len(kept) + len(rejected) == 1
    event("kept" if kept else "rejected")
    for rejection in rejected:
        assert rejection.reason
        assert str(rejection).isprintable()
    for message in kept:
        content = message.content
        assert list(content["arrays"]) == list(MODEL)
        assert [(array.numpy().dtype, array.numpy().shape) for array in content["arrays"].values()] == [
            (np.float32, (2, 3)),
            (np.int64, ()),
        ]
        assert all(np.isfinite(array.numpy()).all() for array in content["arrays"].values())
        assert 0 < content["metrics"]["num-examples"] < math.inf


@settings(deadline=None)
@given(
    hnp.arrays(
        st.one_of(hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.boolean_dtypes(), hnp.complex_number_dtypes()),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.booleans(),
)
def test_the_view_of_an_array_is_what_numpy_reads(values: np.ndarray, in_fortran_order: bool) -> None:
    array = Array(np.asarray(values, order="F" if in_fortran_order else "C"))
    np.testing.assert_array_equal(view(array), array.numpy())
    assert view(array).dtype == array.numpy().dtype


@settings(deadline=None)
@given(
    st.lists(
        hnp.arrays(np.float32, hnp.array_shapes(), elements=st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=3
    ),
    st.booleans(),
)
def test_the_norm_of_an_update_is_that_of_the_difference(arrays: list[np.ndarray], in_fortran_order: bool) -> None:
    order = "F" if in_fortran_order else "C"
    model = [np.flip(array).copy(order) for array in arrays]
    expected = math.sqrt(sum(float(np.square(a.astype(float) - b).sum()) for a, b in zip(arrays, model, strict=True)))
    records = [ArrayRecord({str(i): Array(array) for i, array in enumerate(each)}) for each in (arrays, model)]
    assert update_norm(*records) == pytest.approx(expected)


def test_the_norm_leaves_counters_out_and_never_overflows_in_silence() -> None:
    counters = [ArrayRecord({"steps": Array(np.asarray(steps))}) for steps in (1, 10**6)]
    assert update_norm(*counters) == 0
    huge = [ArrayRecord({"weight": Array(np.asarray([value]))}) for value in (1e308, -1e308)]
    assert update_norm(*huge) == math.inf


def test_an_array_that_only_claims_to_be_large_takes_no_memory() -> None:
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    header += b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + b"\n"
    large = Array(dtype="float32", shape=(2, 3), stype="numpy.ndarray", data=header + b"\0" * 24)
    kept, rejected = guards.sift(
        [reply(ArrayRecord({"weight": large, "steps": MODEL["steps"]}), {"num-examples": 1})],
        guards.TrainingCheck(MODEL),
    )
    assert kept == []
    assert rejected[0].reason.startswith("it cannot be read: 152 bytes are not what the header float32[1099511627776]")


def test_an_error_stays_for_the_strategy_to_count() -> None:
    error = Message(Error(code=2, reason="no"), reply_to=Message(RecordDict(), dst_node_id=1, message_type="train"))
    assert guards.sift([error], guards.TrainingCheck(MODEL)) == ([error], [])


@pytest.mark.parametrize(("site", "named"), [("", "node 1"), ("a\nb", "a b"), ("a\x1b[2J\u202e", "a\\x1b[2J\\u202e")])
def test_a_site_is_named_in_one_line(site: str, named: str) -> None:
    dummy, rejected = guards.sift([reply(ArrayRecord(), {"num-examples": 1}, site)], guards.TrainingCheck(MODEL))
    assert [rejection.site for rejection in rejected] == [named]


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 0.5, exclude_min=True, exclude_max=True))
def test_trimming_keeps_at_least_one_reply(replies: int, beta: float) -> None:
    assert replies - 2 * trimmed(replies, beta) >= 1
