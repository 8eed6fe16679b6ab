# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that changed between the two apps are refused at either end, and so are those without a fingerprint."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Federation

from fedops_kit.errors import RunFailedError
from fedops_kit.integrity import FINGERPRINT, fingerprint, flaw
from fedops_kit.knowledge._config.strategies import STRATEGIES

Change = Callable[[Message], None]


def flip_a_bit(message: Message) -> None:
    """What a fault of memory or a proxy does: the array stays readable."""
    array = message.content["arrays"]["hidden.weight"]
    array.data = array.data[:-1] + bytes([array.data[-1] ^ 1])


def rename(message: Message) -> None:
    arrays = message.content["arrays"]
    arrays["other"] = arrays.pop("output.bias")


def record(message: Message) -> dict:
    return message.content["site" if "site" in message.content else "config"]


def forget_the_fingerprint(message: Message) -> None:
    del record(message)[FINGERPRINT]


def empty_the_fingerprint(message: Message) -> None:
    record(message)[FINGERPRINT] = ""


def number_the_fingerprint(message: Message) -> None:
    record(message)[FINGERPRINT] = 1


CHANGES = (flip_a_bit, rename, forget_the_fingerprint, empty_the_fingerprint, number_the_fingerprint)
MISSING = (forget_the_fingerprint, empty_the_fingerprint, number_the_fingerprint)

every_change = pytest.mark.parametrize("change", CHANGES)


def at_site03(change: Change, *, replies: bool, work: str = "train") -> Callable[[str, Message], None]:
    """Change what goes to a site, or what comes from it."""

    def on_the_way(site: str, message: Message) -> None:
        if site == "site03" and message.metadata.message_type == work and ("site" in message.content) == replies:
            change(message)

    return on_the_way


@every_change
def test_a_changed_reply_is_rejected_counted_and_named(
    federation: Federation, change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=1, grid={"on_the_way": at_site03(change, replies=True)})
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"]) == (6, 1)
    (rejected,) = line["rejected"]
    said = "came without the SHA-256" if change in MISSING else "was changed on its way"
    assert (rejected["site"], rejected["work"]) == ("site03", "train")
    assert rejected["reason"].startswith(f"it {said}")
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert f"Round 1: what site03 replied to train is rejected: {rejected['reason']}." in warnings


@every_change
def test_a_rejected_reply_leaves_the_bytes_of_a_round_without_that_site(federation: Federation, change: Change) -> None:
    federation.train("without", num_rounds=1, grid={"fails": lambda site, number, attempt: site == "site03"})
    federation.train("rejected", num_rounds=1, grid={"on_the_way": at_site03(change, replies=True)})
    assert federation.arrays(1, "rejected") == federation.arrays(1, "without")


@every_change
def test_a_site_refuses_a_changed_model(
    federation: Federation, change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=1, grid={"on_the_way": at_site03(change, replies=False)})
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"], line["rejected"]) == (6, 1, [])
    said = "came without the SHA-256" if change in MISSING else "was changed on its way"
    assert f"site03: the global model of round 1 {said}" in caplog.text


@every_change
def test_a_site_refuses_to_evaluate_a_changed_model(federation: Federation, change: Change) -> None:
    (federation.root / "server/test.npz").unlink()
    federation.train(num_rounds=1, grid={"on_the_way": at_site03(change, replies=False, work="evaluate")})
    line = federation.published("history.jsonl")[0]
    assert line["replies"] == 7
    assert line["num_examples"] == sum(32 + 4 * number for number in range(7) if number != 3)


@pytest.mark.parametrize("replies", [True, False])
def test_a_round_whose_parameters_all_changed_fails(federation: Federation, replies: bool) -> None:
    def on_the_way(site: str, message: Message) -> None:
        if ("site" in message.content) == replies:
            flip_a_bit(message)

    with pytest.raises(RunFailedError, match=r"^Round 1 failed: 0 valid replies, 2 needed, 7 failed \(site00: .*"):
        federation.train(on_shortfall="fail", grid={"on_the_way": on_the_way})
    assert not list(federation.checkpoints().glob("*.npz"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_sends_the_fingerprint_of_what_it_sends(federation: Federation, strategy: str) -> None:
    seen: list[str] = []

    def on_the_way(site: str, message: Message) -> None:
        if "arrays" in message.content:
            seen.append(flaw(message.content["arrays"], record(message).get(FINGERPRINT)))

    federation.train(strategy=strategy, num_rounds=2, grid={"on_the_way": on_the_way})
    assert seen == [""] * (2 * 7 * 3)  # to train, trained, to evaluate


ARRAYS = ArrayRecord(
    {
        "weight": Array(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "bias": Array(np.zeros(3, np.float32)),
        "steps": Array(np.asarray(7)),
    }
)


def changed(name: str, **fields: object) -> ArrayRecord:
    arrays = copy.deepcopy(ARRAYS)
    vars(arrays[name]).update(fields)
    return arrays


@pytest.mark.parametrize(
    "other",
    [
        ArrayRecord(dict(reversed(ARRAYS.items()))),
        ArrayRecord({name: array for name, array in ARRAYS.items() if name != "steps"}),
        ArrayRecord({**ARRAYS, "weight": ARRAYS["bias"], "bias": ARRAYS["weight"]}),
        changed("weight", dtype="int32"),
        changed("weight", shape=(3, 2)),
        changed("weight", stype="other"),
        changed("weight", data=ARRAYS["weight"].data + b"\0"),
        ArrayRecord(),
    ],
)
def test_the_fingerprint_covers_names_order_dtypes_shapes_and_bytes(other: ArrayRecord) -> None:
    assert fingerprint(other) != fingerprint(ARRAYS)


def test_equal_arrays_have_equal_fingerprints() -> None:
    assert fingerprint(copy.deepcopy(ARRAYS)) == fingerprint(ARRAYS)


def test_flowers_own_transport_keeps_the_fingerprint() -> None:
    arrays = ArrayRecord(
        {**ARRAYS, "same as bias": ARRAYS["bias"], "long": Array(np.zeros(10**7)), "empty": Array(np.zeros((0, 3)))}
    )
    sent = {object_id: part.deflate() for object_id, part in get_all_nested_objects(arrays).items()}
    received = inflate_object_from_contents(arrays.object_id, sent)
    assert list(received) == list(arrays)
    assert fingerprint(received) == fingerprint(arrays)


@settings(deadline=None)
@given(st.integers(min_value=0), st.integers(0, 7), st.sampled_from(list(ARRAYS)))
def test_no_flipped_bit_passes(position: int, bit: int, name: str) -> None:
    data = bytearray(ARRAYS[name].data)
    data[position % len(data)] ^= 1 << bit
    assert flaw(changed(name, data=bytes(data)), fingerprint(ARRAYS)).startswith("was changed on its way")


@settings(deadline=None)
@given(st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.lists(st.text())))
def test_nothing_but_the_fingerprint_passes(claimed: object) -> None:
    assert flaw(ARRAYS, claimed)
    assert not flaw(ARRAYS, fingerprint(ARRAYS))
