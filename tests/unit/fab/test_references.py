# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every strategy against its formula: types of numbers, buffers, and one liar of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pytest
import references
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy
from flwr.supercore.task_identity import TaskIdentity
from references import Model, Replied

from fedops_app import strategies
from fedops_kit import dtypes
from fedops_kit.arithmetic import Arithmetic, SecondArithmetic
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.training import Training
from fedops_kit.weights import Weighting

SITES = 11  # Bulyan needs 4 x 2 + 3
F = 2
SELECT = 5
SHAPES = {"conv.weight": (3, 4), "conv.bias": (4,), "scale": (), "none": (0, 3), "head.weight": (4, 5)}
BUFFERS = {"norm.running_mean": (4,), "norm.running_var": (4,), "norm.num_batches_tracked": (), "mask": (5,)}
NAMED = ("norm.running_mean", "norm.running_var")  # by the task; the others are buffers by their type
PARAMETERS = {
    "FedAdam": {"fl_server_lr": 0.03, "fl_tau": 0.01},
    "FedYogi": {"fl_server_lr": 0.03, "fl_tau": 0.01},
    "FedAdagrad": {"fl_server_lr": 0.03, "fl_tau": 0.01},
    "FedAvgM": {"fl_server_lr": 0.7},
    "Krum": {"fl_num_malicious": F},
    "MultiKrum": {"fl_num_malicious": F, "fl_num_nodes_to_select": SELECT},
    "Bulyan": {"fl_num_malicious": F},
    "QFedAvg": {"fl_qfedavg_q": 0.5},
}
CHOOSING = ("Krum", "MultiKrum", "Bulyan")
WITH_A_PAPER = ("FedAdam", "FedAdagrad", "FedYogi", "MultiKrum", "Bulyan")


@pytest.fixture(autouse=True)
def flowers_process() -> None:
    """Messages say which run they are of."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1


every_strategy = pytest.mark.parametrize("name", STRATEGIES)


class Nodes:
    """As much of a grid as configure_train asks for."""

    def get_node_ids(self) -> Iterable[int]:
        return range(1, SITES + 1)


def training(name: str, **more: object) -> Training:
    return Training.from_variables(
        {"fl_strategy": name, "fl_min_available_clients": SITES, **PARAMETERS.get(name, {}), **more}
    )


def second(asked: Training, buffers: Iterable[str] = ()) -> SecondArithmetic:
    values = asked.values
    weighting = Weighting(values["weighting"], values["max_examples"])  # a bound on shares is tested beside weights
    return SecondArithmetic(
        buffers=frozenset(buffers), weighting=weighting, variant=values["variant"], mixed=values["nnm_malicious"]
    )


def arrays(model: Model, dtype: str) -> dict[str, Array]:
    """Parameters in the type under test; buffers in those that PyTorch gives them."""
    own = {"norm.num_batches_tracked": "int64", "mask": "bool", **dict.fromkeys(NAMED, "float32")}
    return {
        name: dtypes.array(np.asarray(dtypes.narrowed(values, own.get(name, dtype)))) for name, values in model.items()
    }


def numbers(record: Mapping[str, Array]) -> Model:
    return {name: np.asarray(dtypes.wide(array.numpy()), np.float64) for name, array in record.items()}


def aggregated(
    arithmetic: Arithmetic, strategy: Strategy, number: int, model: ArrayRecord, it: list[dict[str, Array]], told: list
) -> ArrayRecord:
    """One round through Flower's class, as a server has it; ``told`` are the metrics of each site."""
    messages = list(strategy.configure_train(number, model, ConfigRecord(), Nodes()))
    arithmetic.prepare(strategy)
    replies = []
    for message, reply, metrics in zip(messages, it, told, strict=True):
        content = {"arrays": ArrayRecord(reply), "metrics": MetricRecord(metrics)}
        replies.append(Message(RecordDict(content), reply_to=message))
    made = arithmetic.aggregate(strategy, number, model, replies).arrays
    return ArrayRecord({name: arithmetic.cast(made[name], model[name].dtype) for name in model})


def honest(rng: np.random.Generator, before: Model, size: float = 0.1) -> list[Model]:
    """Replies of sites that agree more or less."""
    common = {name: rng.normal(size=values.shape) for name, values in before.items()}
    replies = []
    for _site in range(SITES):
        reply = {
            name: values + size * (common[name] + 0.5 * rng.normal(size=values.shape))
            for name, values in before.items()
        }
        learned = {
            "norm.running_mean": before.get("norm.running_mean", 0) + 0.1 * rng.normal(size=4),
            "norm.running_var": before.get("norm.running_var", 1) * rng.uniform(0.5, 2, 4),
            "norm.num_batches_tracked": before.get("norm.num_batches_tracked", 0) + rng.integers(3, 30),
            "mask": (rng.random(5) < 0.5).astype(float),
        }
        reply |= {name: values for name, values in learned.items() if name in before}
        replies.append(reply)
    return replies


def untrained(rng: np.random.Generator, with_buffers: bool) -> Model:
    model = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    if with_buffers:
        model |= {
            "norm.running_mean": np.zeros(4), "norm.running_var": np.ones(4),
            "norm.num_batches_tracked": np.array(100.0), "mask": np.array([1.0, 0, 1, 0, 1]),
        }  # fmt: skip
    return model


Lie = Callable[[Model, Model], Model]  # of the global model and of what was learned
LIES: Mapping[str, Lie] = {
    "nobody": lambda before, reply: reply,
    "sign": lambda before, reply: {name: 2 * before[name] - reply[name] * 1 for name in reply},
    "scaled": lambda before, reply: {name: before[name] - 10 * (reply[name] - before[name]) for name in reply},
    "huge": lambda before, reply: {name: np.full_like(values, 3e4) for name, values in reply.items()},
    "unchanged": lambda before, reply: dict(before),
    "buffers": lambda before, reply: {
        name: np.full_like(values, 3e4) if name in BUFFERS and name != "mask" else values
        for name, values in reply.items()
    },
}


def reference(name: str, asked: Training, state: dict) -> Callable[[Replied], Model]:
    values, paper = asked.values, asked.values["variant"] == "paper"
    return {
        "FedAvg": references.fedavg,
        "FedProx": references.fedavg,
        "FedMedian": references.fedmedian,
        "FedTrimmedAvg": lambda it: references.fedtrimmedavg(it, values["trim_beta"]),
        "Krum": lambda it: references.krum(it, F),
        "MultiKrum": lambda it: references.multikrum(it, F, SELECT, paper),
        "Bulyan": lambda it: references.bulyan(it, F, paper),
        "QFedAvg": lambda it: references.qfedavg(it, values["qfedavg_q"], values["client_lr"]),
        "FedAvgM": state.setdefault("m", references.FedAvgM(values["server_lr"], values["server_momentum"])),
        **{
            kind: state.setdefault(
                kind,
                references.Adaptive(
                    kind, values["server_lr"], 0.0 if kind == "FedAdagrad" else values["beta_1"], values["beta_2"],
                    values["tau"], paper,
                ),
            )
            for kind in ("FedAdam", "FedAdagrad", "FedYogi")
        },
    }[name]  # fmt: skip


def buffers_by_reference(name: str, asked: Training, it: Replied, whole: Replied) -> Model:
    if name == "FedMedian":
        return references.fedmedian(it)
    if name == "FedTrimmedAvg":
        return references.fedtrimmedavg(it, asked.values["trim_beta"])
    if name not in CHOOSING:
        mixed = asked.values["nnm_malicious"]
        return references.buffers_averaged(references.held(it, mixed) if mixed else it)
    count = {"Krum": 1, "MultiKrum": SELECT, "Bulyan": SITES - 2 * F}[name]
    one_by_one = name == "Bulyan" and asked.values["variant"] == "paper"
    who = (references.chosen_one_by_one if one_by_one else references.chosen)(whole, F, count)
    if name == "MultiKrum" and asked.values["variant"] == "paper":
        it = Replied(it.before, it.replies, [1] * SITES)
    return references.buffers_of_the_chosen(it, F, who)


def assert_rounded(got: Model, expected: Model, dtype: str, before: Model) -> None:
    """The numbers are those of the formula, but for rounding in the type of the model, once, and in float32."""
    step = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-20, "float64": 2.0**-44}[dtype]
    for name, values in expected.items():
        scale = np.maximum(np.abs(values), np.abs(before[name])) + 1e-3
        assert got[name].shape == values.shape
        assert (np.abs(got[name] - values) <= step * scale * 1.02 + 2.0**-20 * scale).all(), (name, got[name], values)


def assert_buffers(got: Model, expected: Model) -> None:
    for name, values in expected.items():
        if name == "mask":
            np.testing.assert_array_equal(got[name], values > 0.5)
        elif name == "norm.num_batches_tracked":
            assert abs(got[name] - values) <= 0.5 + 1e-9
        else:
            np.testing.assert_allclose(got[name], values, rtol=1e-6, atol=1e-7)


def hold_against_reference(name: str, dtype: str, lie: str, with_buffers: bool, **more: object) -> None:
    rng = np.random.default_rng(sum(map(ord, name + dtype + lie)))
    asked = training(name, **more)
    strategy, arithmetic = strategies.build(asked), second(asked, BUFFERS if with_buffers else ())
    by_formula = reference(name, asked, {})
    model = ArrayRecord(arrays(untrained(rng, with_buffers), dtype))
    master: Model = {}  # FedAvgM goes on from the unrounded model
    for number in range(1, 4):
        before = numbers(model)
        examples = [int(count) for count in rng.integers(20, 60, SITES)]
        losses = [float(loss) for loss in rng.uniform(0.5, 3, SITES)]
        replies = honest(rng, before)
        replies[4] = LIES[lie](before, replies[4])
        sent = [arrays(reply, dtype) for reply in replies]
        whole = Replied(before, [numbers(reply) for reply in sent], examples, losses)
        seen = whole.of(list(SHAPES))
        if name == "FedAvgM" and master:
            seen = Replied(master, seen.replies, examples)
        if mixed := asked.values["nnm_malicious"]:
            seen = references.mixed(seen, mixed)
        expected = by_formula(seen)
        master = expected
        told = [{"num-examples": count, "train_loss": loss} for count, loss in zip(examples, losses, strict=True)]
        model = aggregated(arithmetic, strategy, number, model, sent, told)
        got = numbers(model)
        if name == "Bulyan":  # in sixteen bits, values on both sides of a median are often equally far from it
            other = references.bulyan(seen, F, asked.values["variant"] == "paper", ties=-1)
            expected = {
                key: np.clip(got[key], np.minimum(values, other[key]), np.maximum(values, other[key]))
                for key, values in expected.items()
            }
        assert_rounded(got, expected, dtype, before)
        if with_buffers:
            assert_buffers(got, buffers_by_reference(name, asked, whole.of(list(BUFFERS)), seen))
            if lie == "buffers" and (STRATEGIES[name].robust or mixed):
                assert got["norm.running_var"].max() < 100 > got["norm.num_batches_tracked"] - 200


@every_strategy
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_each_type_of_numbers(name: str, dtype: str) -> None:
    hold_against_reference(name, dtype, "nobody", with_buffers=False)


@every_strategy
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_buffers_and_one_liar(name: str, lie: str, dtype: str) -> None:
    hold_against_reference(name, dtype, lie, with_buffers=True)


@pytest.mark.parametrize("name", WITH_A_PAPER)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_as_the_paper_says(name: str, dtype: str) -> None:
    hold_against_reference(name, dtype, "scaled", with_buffers=True, fl_variant="paper")


@every_strategy
@pytest.mark.parametrize("lie", ["nobody", "sign", "buffers"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_nearest_neighbours_are_mixed_in_front_of_each(name: str, lie: str, dtype: str) -> None:
    hold_against_reference(name, dtype, lie, with_buffers=True, fl_nnm_malicious=F)


@every_strategy
@pytest.mark.parametrize("mixed", [0, 2])
def test_a_complex_number_is_two_real_ones(name: str, mixed: int) -> None:
    rng = np.random.default_rng(7)

    def rounds(as_sent: Callable[[np.ndarray], np.ndarray]) -> ArrayRecord:
        asked = training(name, fl_nnm_malicious=mixed)
        strategy, arithmetic = strategies.build(asked), second(asked)
        model = ArrayRecord({"w": dtypes.array(as_sent(drawn[0]))})
        for number in (1, 2):
            sent = [{"w": dtypes.array(as_sent(values))} for values in drawn[1:]]
            told = [{"num-examples": 5, "train_loss": 1}] * SITES
            model = aggregated(arithmetic, strategy, number, model, sent, told)
        return model

    drawn = [
        (rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))).astype(np.complex64) for _site in range(SITES + 1)
    ]
    made = rounds(lambda values: values)["w"]
    assert (made.dtype, tuple(made.shape)) == ("complex64", (2, 3))
    np.testing.assert_array_equal(dtypes.as_reals(made.numpy()), rounds(dtypes.as_reals)["w"].numpy())
