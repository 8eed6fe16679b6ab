# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One site that lies to a strategy of somebody else's app: it is left out by name, and the round goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bench import NODES, Bench, Growing, Wrapping
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import (
    FedAdam,
    FedAvg,
    FedMedian,
    FedTrimmedAvg,
    FedXgbBagging,
    FedXgbCyclic,
    FedYogi,
    Krum,
    Strategy,
)

from fedops_kit.foreign import AVERAGED, JOINED, PASSED_ON, taken

Spoil = Callable[[RecordDict], "RecordDict | None"]


def bytes_of(values: np.ndarray) -> Spoil:
    """Put other numbers into an array, which goes on saying what it was."""

    def spoil(content: RecordDict) -> None:
        content["weights"]["w"] = Array("float32", (2, 3), "numpy.ndarray", Array(values).data)

    return spoil


def figure(name: str, value: object) -> Spoil:
    return lambda content: content["figures"].update({name: value})


def renamed(record: str) -> Spoil:
    return lambda content: RecordDict({("odd" if key == record else key): each for key, each in content.items()})


# What a site sends in the place of its reply, and why that is left out.
LIES: dict[str, tuple[Spoil, str]] = {
    "another shape": (bytes_of(np.zeros(5, np.float32)), "the array 'w' is float32[5] but says that it is float32[2,"),
    "a shape that is spread": (bytes_of(np.ones(1, np.float32)), "the array 'w' is float32[1] but says"),
    "another type": (bytes_of(np.zeros((2, 3), np.complex64)), "the array 'w' is complex64[2, 3] but says"),
    "no numbers": (bytes_of(np.zeros((2, 3), "V2")), "the array 'w' is bfloat16[2, 3] but says"),
    "numbers that overflow": (bytes_of(np.full((2, 3), 3e38, np.float32)), "the array 'w' holds numbers beyond 1e+12"),
    "a model of another name": (renamed("weights"), "are not those that the other sites report"),
    "figures of another name": (renamed("figures"), "are not those that the other sites report"),
    "no weight": (figure("num-examples", 0), "num-examples is 0 but must be above 0 and at most"),
    "a weight that is none": (figure("num-examples", float("nan")), "num-examples is nan but must be above 0"),
    "many weights": (figure("num-examples", [1, 2]), "num-examples is [1, 2] but must be above 0"),
}
STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "FedAvg": lambda: FedAvg(min_train_nodes=1),
    "FedAdam": lambda: FedAdam(min_train_nodes=1),
    "FedMedian": lambda: FedMedian(min_train_nodes=1),
    "FedTrimmedAvg": lambda: FedTrimmedAvg(min_train_nodes=1),
    "Krum": lambda: Krum(num_malicious_nodes=0, min_train_nodes=1),
    "a wrapper": lambda: Wrapping(FedAvg(min_train_nodes=1)),
}


def lying(spoil: Spoil, *sites: str, work: str = "train") -> dict[str, Any]:
    """Return what makes the grid bring other replies of some sites."""

    def on_the_way(site: str, message: Message) -> None:
        is_reply = message.has_content() and "figures" in message.content
        if is_reply and site in sites and message.metadata.message_type == work:
            message.content = spoil(message.content) or message.content

    return {"on_the_way": on_the_way}


def rejected(bench: Bench) -> dict[str, str]:
    line = json.loads((bench.root / "trainings/default/history.jsonl").read_text())
    return {entry["site"]: entry["reason"] for entry in line["rejected"]}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
def test_a_lie_to_flowers_own_code_is_left_out_by_name(bench: Bench, make: Callable[[], Strategy], lie: str) -> None:
    spoil, reason = LIES[lie]
    bench.start(make, grid=lying(spoil, "north"), rounds=1)  # the first, whose names Flower looks for in the others
    assert list(rejected(bench)) == ["north"]
    assert reason in rejected(bench)["north"]


@pytest.mark.parametrize("lie", ["another shape", "no numbers"])
def test_what_an_array_says_of_itself_is_held_against_it_for_code_of_the_app(bench: Bench, lie: str) -> None:
    spoil, reason = LIES[lie]
    bench.start(Growing, grid=lying(spoil, "south"), rounds=1)
    assert reason in rejected(bench)["south"]


@pytest.mark.parametrize("name", ["half \ud800", "nul \0"])
def test_a_name_that_no_checkpoint_can_hold_is_left_out_for_code_of_the_app(bench: Bench, name: str) -> None:
    class Joining(Growing):
        def aggregate_train(self, server_round: int, replies: Any) -> Any:
            given = [reply.content["weights"] for reply in replies]
            return ArrayRecord({key: array for record in given for key, array in record.items()}), None

    def spoil(content: RecordDict) -> None:
        content["weights"][name] = content["weights"]["w"]

    result = bench.start(Joining, grid=lying(spoil, "south"), rounds=1)
    assert list(rejected(bench)) == ["south"]
    assert list(result.arrays) == ["w", "n"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, [1, 2], 2**62])
def test_a_number_of_examples_that_nothing_is_weighted_by_ends_nothing(bench: Bench, value: object) -> None:
    bench.start(Growing, grid=lying(figure("num-examples", value), "south"), rounds=1)
    assert rejected(bench) == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, [1.0, 2.0]])
def test_figures_of_an_evaluation_by_code_of_the_app_end_nothing(bench: Bench, value: object) -> None:
    class Own(FedAvg):
        def aggregate_evaluate(self, server_round: int, replies: Any) -> MetricRecord:
            return MetricRecord({"num-examples": value})

    bench.start(Own, grid=lying(figure("num-examples", value), *NODES.values(), work="evaluate"), rounds=1)
    assert rejected(bench) == {}


def test_a_mask_of_the_largest_numbers_is_part_of_the_model_but_hides_no_nan(bench: Bench) -> None:
    least = float(np.finfo(np.float32).min)
    initial = ArrayRecord({"w": Array(np.zeros((2, 3), np.float32)), "mask": Array(np.array([0, least], np.float32))})

    def spoil(content: RecordDict) -> None:
        content["weights"]["mask"] = Array(np.array([0, np.nan], np.float32))

    bench.start(FedAvg, initial=initial, grid=lying(spoil, "north"), rounds=1)
    assert rejected(bench) == {"north": "the array 'mask' holds NaN or infinite numbers"}


def trees(count: int = 1) -> np.ndarray:
    """Return a model as XGBoost writes it, as far as Flower looks into it."""
    model = {
        "gbtree_model_param": {"num_trees": str(count), "num_parallel_tree": "1"},
        "iteration_indptr": [0, count],
        "trees": [{"id": number} for number in range(count)],
        "tree_info": [0] * count,
    }
    return np.frombuffer(json.dumps({"learner": {"gradient_booster": {"model": model}}}).encode(), np.uint8)


def grower() -> ClientApp:
    """A ClientApp whose reply is a tree."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Any) -> Message:
        figures = MetricRecord({"num-examples": 2})
        return Message(RecordDict({"weights": ArrayRecord([trees()]), "figures": figures}), reply_to=message)

    return app


def with_trees(text: bytes) -> Spoil:
    def spoil(content: RecordDict) -> None:
        content["weights"] = ArrayRecord([np.frombuffer(text, np.uint8)])

    return spoil


BAD_TREES: dict[str, tuple[Spoil, str]] = {
    "no JSON": (with_trees(b"\xff\x00"), "it cannot be read"),
    "depth": (with_trees(b"[" * 100_000), "it cannot be read"),
    "no trees": (with_trees(b'{"learner": {}}'), "it cannot be read"),
    "more trees than there are": (
        with_trees(trees().tobytes().replace(b'"num_parallel_tree": "1"', b'"num_parallel_tree": "9"')),
        "it cannot be read",
    ),
    "two models": (
        lambda content: content["weights"].update({"1": Array(trees())}),
        "it holds 2 arrays but must hold one, named 0",
    ),
    "a model of another name": (renamed("weights"), "are not those that the other sites report"),
    "no weight": (figure("num-examples", 0), "num-examples is 0 but must be above 0"),
}


@pytest.mark.parametrize("lie", BAD_TREES)
def test_trees_that_cannot_be_joined_are_left_out_by_name(bench: Bench, lie: str) -> None:
    spoil, reason = BAD_TREES[lie]
    bench.client = grower()
    result = bench.start(
        lambda: FedXgbBagging(fraction_evaluate=0.0),
        initial=ArrayRecord([np.frombuffer(b"", np.uint8)]),
        grid=lying(spoil, "north"),
        rounds=1,
    )
    assert reason in rejected(bench)["north"]
    assert json.loads(result.arrays["0"].numpy().tobytes())["learner"]["gradient_booster"]["model"]["tree_info"] == [
        0,
        0,
        0,
    ]


def test_what_becomes_of_replies_is_known_of_flowers_strategies_for_trees() -> None:
    kinds = {FedAvg: AVERAGED, FedXgbBagging: JOINED, FedXgbCyclic: PASSED_ON}
    assert {kind: taken(kind(), "aggregate_train") for kind in kinds} == kinds
    assert taken(FedXgbBagging(), "aggregate_evaluate") == AVERAGED
    assert taken(Wrapping(FedXgbBagging()), "aggregate_train") == JOINED


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (FedAvg, ""),
        (FedMedian, ""),
        (FedAdam, "FedAdam"),
        (lambda: Wrapping(Krum(num_malicious_nodes=0)), "Krum"),
        (type("Mine", (FedYogi,), {}), "FedYogi"),
    ],
)
def test_buffers_that_a_class_of_flower_takes_for_parameters_are_told(
    bench: Bench, caplog: pytest.LogCaptureFixture, make: Callable[[], Strategy], named: str
) -> None:
    arrays = {"w": np.zeros(2, np.float32), "bn.running_var": np.ones(2, np.float32), "bn.count": np.array(0)}
    bench.start(make, rounds=1, initial=ArrayRecord({name: Array(values) for name, values in arrays.items()}))
    told = [text.split(". A variance")[0] for text in caplog.messages if "takes running statistics" in text]
    if named:
        assert len(told) == 1
        assert told[0].startswith(f"{named} takes running statistics and counters for parameters")
        assert told[0].endswith("2 of the model's arrays, bn.running_var among them")
    else:
        assert told == []
