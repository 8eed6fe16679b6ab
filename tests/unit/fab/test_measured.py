# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apps of others say of a model in forms of their own, and what sites report that is no number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bench import NODES, Bench, client
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg, FedMedian, Krum, Strategy
from simulated import Federation

from fedops_kit.measured import measured, not_finite

ODD = {
    "loss": np.float32(0.5),
    "classes": np.arange(3),
    "by_class": {"a": np.float64(1.5), 7: (1, 2)},
    "model": "résumé \x1b[2J",
    "of": {3},
    "nothing": None,
    "strange": object(),
    4: True,
}
TOLD = {
    "classes": [0, 1, 2],
    "by_class": {"a": 1.5, "7": [1, 2]},
    "model": "résumé \\x1b[2J",
    "of": [3],
    "nothing": None,
    "strange": None,
    "4": True,
}


def history(bench: Bench) -> list[dict]:
    return [json.loads(line) for line in (bench.root / "trainings/default/history.jsonl").read_text().splitlines()]


class Tensor:
    """Has a gradient, so that it is no array."""

    def tolist(self) -> list[float]:
        return [0.5]

    def __array__(self) -> Any:
        raise RuntimeError("call detach() first")


class Broken:
    def tolist(self) -> None:
        raise RuntimeError


@pytest.mark.parametrize("patience", [0, 10])
def test_a_dictionary_of_an_apps_own_is_told_and_returned_as_it_is(bench: Bench, patience: int) -> None:
    said = {"early-stopping-patience": patience}
    result = bench.start(FedAvg, given=said, evaluate_fn=lambda number, arrays: ODD)
    assert all(found is ODD for found in result.evaluate_metrics_serverapp.values())
    assert sorted(result.evaluate_metrics_serverapp) == [0, 1, 2, 3, 4, 5]
    for line in history(bench):
        assert line["loss"] == 0.5
        assert {name: line["metrics"][name] for name in TOLD} == TOLD
    assert json.loads((bench.root / "trainings/default/initial.json").read_text())["loss"] == 0.5


@pytest.mark.parametrize("rounds", [5, 20])
def test_what_a_strategy_makes_of_metrics_may_be_a_dictionary(bench: Bench, rounds: int) -> None:
    """Also where early stopping returns what Flower would have returned."""

    def make() -> Strategy:
        return FedAvg(train_metrics_aggr_fn=lambda *_: ODD, evaluate_metrics_aggr_fn=lambda *_: ODD)

    result = bench.start(make, rounds=rounds, given={"early-stopping-patience": 4})
    assert set(result.train_metrics_clientapp) == set(result.evaluate_metrics_clientapp) == {1, 2, 3, 4, 5}
    assert result.train_metrics_clientapp[5] is result.evaluate_metrics_clientapp[5] is ODD
    assert {line["loss"] for line in history(bench)} == {0.5}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, {}),
        (0.5, {}),
        ([("loss", 1)], {}),
        ({"a": Tensor(), "b": Broken(), "c": 1j, "d": np.float16(2)}, {"a": [0.5], "b": None, "c": None, "d": 2.0}),
        (MetricRecord({"loss": [1.0, 2.0]}), {"loss": [1.0, 2.0]}),
        ({"n" * 300: 1}, {measured({"n" * 300: 1}).popitem()[0][:200]: 1}),
    ],
)
def test_what_is_known_of_it(found: object, told: dict) -> None:
    assert measured(found) == told
    json.dumps(measured(found))


def test_a_number_that_is_not_finite_stays_one() -> None:
    assert math.isnan(measured({"loss": np.float32("nan")})["loss"])


def test_no_dictionary_is_too_large() -> None:
    told = measured({**{f"n{number}": number for number in range(5000)}, "list": list(range(5000))})
    assert len(told) == 1024
    assert len(measured({"list": np.zeros(5000)})["list"]) <= 1024


def reporting(of: Callable[[str, float], dict]) -> ClientApp:
    """A ClientApp whose nodes train as usual, and report what ``of`` says of them and the round."""
    app = ClientApp()
    trains = client()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        reply = trains(message, context)
        site = list(NODES.values())[int(8 * context.node_config["step"]) - 1]
        number = message.content["config"]["server-round"]
        reply.content["figures"] = MetricRecord({**reply.content["figures"], **of(site, number)})
        return reply

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return Message(RecordDict({"figures": MetricRecord({"num-examples": 2, "value": 1.0})}), reply_to=message)

    return app


SOUND = {"north": 1.0, "south": 2.0, "west": 3.0, "east": 6.0}
COUNTS = {"north": 10, "south": 20, "west": 30, "east": 40}


def metrics(site: str, number: int, wrong: float) -> dict:
    value = wrong if site == "west" else SOUND[site]
    return {"num-examples": COUNTS[site], "train_loss": value, "by_class": [value, 1.0], "fine": 2.0}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [FedAvg, FedMedian])
def test_a_site_without_a_finite_metric_is_left_out_of_its_mean_alone(
    bench: Bench, kind: type[Strategy], wrong: float, caplog: pytest.LogCaptureFixture
) -> None:
    bench.client = reporting(lambda site, number: metrics(site, number, wrong))
    result = bench.start(kind, rounds=1)
    (line,) = history(bench)
    mean = (10 * 1 + 20 * 2 + 40 * 6) / 70
    assert line["replies"] == 4
    assert line["metrics"]["train_loss"] == pytest.approx(mean)
    assert line["metrics"]["by_class"] == pytest.approx([mean, 1.0])
    assert line["metrics"]["fine"] == pytest.approx(2.0)
    assert result.train_metrics_clientapp[1]["train_loss"] == pytest.approx(mean)
    found = [site["not_finite"] for site in line["sites"] if "not_finite" in site]
    assert found == [["train_loss", "by_class"]]
    assert "what west reports as 'train_loss', 'by_class' is no finite number" in caplog.text


def test_a_metric_that_nobody_has_is_none(bench: Bench) -> None:
    bench.client = reporting(lambda site, number: {"train_loss": math.nan})
    bench.start(FedAvg, rounds=1)
    assert history(bench)[0]["metrics"]["train_loss"] is None


def test_a_function_of_the_apps_own_decides_by_itself(bench: Bench) -> None:
    bench.client = reporting(lambda site, number: metrics(site, number, math.nan))
    seen = []

    def own(contents: list[RecordDict], dummy: str) -> MetricRecord:
        seen.append([not_finite(content["figures"]) for content in contents])
        return MetricRecord({"train_loss": math.nan})

    bench.start(lambda: FedAvg(train_metrics_aggr_fn=own), rounds=1)
    assert sum(map(bool, seen[0])) == 1
    assert history(bench)[0]["metrics"]["train_loss"] is None


def test_flowers_krum_in_an_app_of_others_says_nothing_of_those_it_has_not_chosen(bench: Bench) -> None:
    """Which one it has chosen nobody knows but itself."""
    bench.client = reporting(lambda site, number: metrics(site, number, math.nan) | {"train_loss": math.nan})
    bench.start(lambda: Krum(num_malicious_nodes=0), rounds=1)
    assert history(bench)[0]["metrics"]["train_loss"] is None


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "FedMedian", "MultiKrum"])
def test_a_task_whose_loss_is_no_number_at_one_site(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    from fedops_app import client_app, task

    own = task.train

    def train(arrays: task.Arrays, data: Any, settings: Any) -> tuple[task.Arrays, task.Metrics]:
        made, found = own(arrays, data, settings)
        return made, {**found, "train_loss": math.nan} if data.name == "site02" else found

    monkeypatch.setattr(client_app.task, "train", train)
    federation.train(num_rounds=2, strategy=strategy, **({"num_nodes_to_select": 7} if strategy == "MultiKrum" else {}))
    line = federation.published("history.jsonl")[-1]
    losses = [(site["loss"], site["examples"]) for site in line["sites"] if "loss" in site]
    assert len(losses) == 6
    assert line["metrics"]["train_loss"] == pytest.approx(
        sum(loss * count for loss, count in losses) / sum(count for dummy, count in losses)
    )
    assert np.isfinite(line["metrics"]["grad_norm"])
