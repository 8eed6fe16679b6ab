# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reply that would spoil the model is left out, by name and reason; the round goes on with the others."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from simulated import Federation

from fedops_app import client_app, task
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.strategies import STRATEGIES

Result = tuple[task.Arrays, dict[str, object]]
Spoil = Callable[[task.Arrays, dict[str, object]], Result]

train = task.train


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the tasks of some sites return something else than they trained."""

    def install(spoil: Spoil, *sites: str) -> None:
        def task_train(arrays: task.Arrays, data: Path, settings: object) -> Result:
            result = train(arrays, data, settings)
            return spoil(*result) if data.name in sites else result

        monkeypatch.setattr(client_app.task, "train", task_train)

    return install


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda arrays, metrics: ({**arrays, name: change(arrays[name])}, metrics)


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[-1] = value
        return array

    return change


def with_metrics(**changes: object) -> Spoil:
    spelled = {name.replace("_examples", "-examples"): value for name, value in changes.items()}
    return lambda arrays, metrics: (arrays, {**metrics, **spelled})


def without(name: str) -> Spoil:
    return lambda arrays, metrics: (
        {key: array for key, array in arrays.items() if key != name},
        {key: value for key, value in metrics.items() if key != name},
    )


SPOILED = [
    (with_array("hidden.bias", with_value(math.nan)), "the array 'hidden.bias' holds NaN or infinite numbers"),
    (with_array("hidden.weight", with_value(math.inf)), "the array 'hidden.weight' holds NaN or infinite numbers"),
    (
        with_array("hidden.bias", lambda array: array[:63]),
        "the array 'hidden.bias' is float32[63] but must be float32[64]",
    ),
    (
        with_array("hidden.weight", lambda array: array.astype(np.float64)),
        "the array 'hidden.weight' is float64[64, 64] but must be float32[64, 64]",
    ),
    (without("output.bias"), "the array 'output.bias' of the model is missing"),
    (
        lambda arrays, metrics: ({**arrays, "back\ndoor": arrays["hidden.bias"]}, metrics),
        r"the array 'back\ndoor' is not one of the model's",
    ),
    (
        lambda arrays, metrics: (dict(reversed(arrays.items())), metrics),
        "its arrays are not in the order of the model's",
    ),
    (without("num-examples"), "num-examples is missing"),
    (with_metrics(num_examples=0), "num-examples is 0 but must be above 0 and at most 9007199254740992"),
    (with_metrics(num_examples=-5), "num-examples is -5 but must be above 0 and at most 9007199254740992"),
    (with_metrics(num_examples=math.nan), "num-examples is nan but must be above 0 and at most 9007199254740992"),
    (with_metrics(num_examples=1e308), "num-examples is 1e+308 but must be above 0 and at most 9007199254740992"),
    (with_metrics(num_examples=[1, 2]), "num-examples is [1, 2] but must be above 0 and at most 9007199254740992"),
    (with_metrics(other=1.0), "its metrics are not those that the other sites report"),
    (with_metrics(train_loss=[1.0]), "its metrics are not those that the other sites report"),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILED)
def test_a_bad_reply_is_rejected_counted_and_named(
    federation: Federation,
    spoiled: Callable[..., None],
    spoil: Spoil,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    federation.train("without", num_rounds=1, grid={"fails": lambda site, number, attempt: site == "site00"})
    spoiled(spoil, "site00")  # the first one: Flower holds the others against it
    federation.train(num_rounds=1)
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"]) == (6, 1)
    assert line["rejected"] == [{"site": "site00", "work": "train", "reason": reason}]
    assert f"Round 1: what site00 replied to train is rejected: {reason}." in caplog.text
    assert federation.arrays(1) == federation.arrays(1, "without")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_goes_on_without_a_bad_reply(
    federation: Federation, spoiled: Callable[..., None], strategy: str
) -> None:
    spoiled(with_array("hidden.weight", with_value(math.nan)), "site02")
    federation.train(strategy=strategy, num_rounds=2)
    assert [(line["replies"], line["failures"]) for line in federation.published("history.jsonl")] == [(6, 1), (6, 1)]
    with np.load(federation.checkpoints() / "checkpoint_latest.npz") as archive:
        assert all(np.isfinite(archive[name]).all() for name in archive.files)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -1.0])
def test_a_loss_that_is_no_weight_is_rejected_where_it_is_one(
    federation: Federation, spoiled: Callable[..., None], loss: float
) -> None:
    spoiled(with_metrics(train_loss=loss), "site02")
    federation.train(strategy="FedAvg", num_rounds=1)
    assert federation.published("history.jsonl")[0]["rejected"] == []
    federation.train("q", strategy="QFedAvg", num_rounds=1)
    assert federation.published("history.jsonl")[0]["rejected"] == [
        {"site": "site02", "work": "train", "reason": f"train_loss is {loss} but must be at least 0"}
    ]


def test_an_update_beyond_the_bound_is_rejected(federation: Federation, spoiled: Callable[..., None]) -> None:
    federation.train("without", num_rounds=1, grid={"fails": lambda site, number, attempt: site == "site04"})
    spoiled(with_array("output.bias", lambda array: array + np.float32(40)), "site04")
    federation.train(num_rounds=1, max_update_norm=100)
    (rejected,) = federation.published("history.jsonl")[0]["rejected"]
    said = r"the norm of its update is 126\.\d+ but must be at most 100 \(fl_max_update_norm\)"  # 40 * sqrt(10)
    assert rejected["site"] == "site04"
    assert re.fullmatch(said, rejected["reason"])
    assert federation.arrays(1) == federation.arrays(1, "without")


@pytest.mark.parametrize("bound", [0, 1000])
def test_an_update_within_the_bound_or_without_one_is_kept(
    federation: Federation, spoiled: Callable[..., None], bound: float
) -> None:
    spoiled(with_array("output.bias", lambda array: array + np.float32(40)), "site04")
    federation.train(num_rounds=1, max_update_norm=bound)
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["rejected"]) == (7, [])


@pytest.mark.parametrize(
    ("variables", "bad", "needed"),
    [
        ({"strategy": "Krum", "num_malicious": 2}, 1, 7),
        ({"strategy": "MultiKrum", "num_malicious": 1}, 3, 5),
        ({"strategy": "Bulyan", "num_malicious": 1}, 1, 7),
        ({"strategy": "FedTrimmedAvg"}, 6, 2),
        ({"strategy": "FedAvg", "min_fit_clients": 5}, 3, 5),
    ],
)
def test_rejected_replies_count_against_what_the_strategy_needs(
    federation: Federation, spoiled: Callable[..., None], variables: dict[str, object], bad: int, needed: int
) -> None:
    spoiled(without("output.bias"), *federation.names[:bad])
    said = rf"^Round 1 failed: {7 - bad} valid replies, {needed} needed, {bad} failed \(site00: the array 'output.bias'"
    with pytest.raises(RunFailedError, match=said):
        federation.train(on_shortfall="fail", **variables)
    assert not list(federation.checkpoints().glob("*.npz"))


def test_a_round_with_too_many_rejections_is_skipped_where_that_is_wished(
    federation: Federation, spoiled: Callable[..., None]
) -> None:
    spoiled(with_array("hidden.bias", with_value(math.nan)), *federation.names)
    with pytest.raises(RunFailedError, match="No round of this run aggregated anything"):
        federation.train(num_rounds=2, on_shortfall="skip")
    assert [len(line["rejected"]) for line in federation.published("history.jsonl")] == [7, 7]


def test_a_bad_evaluation_is_left_out(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = task.evaluate

    def task_evaluate(arrays: task.Arrays, data: Path) -> dict[str, float]:
        wrong = {"site00": {"num-examples": math.inf}, "site01": {"other": 1.0}}
        return {**evaluate(arrays, data), **wrong.get(data.name, {})}

    (federation.root / "server/test.npz").unlink()
    monkeypatch.setattr(client_app.task, "evaluate", task_evaluate)
    federation.train(num_rounds=1)
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"]) == (7, 0)  # of the training, which was well
    assert [(rejected["site"], rejected["work"]) for rejected in line["rejected"]] == [
        ("site00", "evaluate"),
        ("site01", "evaluate"),
    ]
    assert line["num_examples"] == sum(32 + 4 * number for number in range(2, 7))
    assert line["loss"] > 0


@pytest.mark.parametrize("on_shortfall", ["retry", "skip", "fail"])
def test_a_strategy_that_makes_infinite_numbers_ends_the_run(
    federation: Federation, spoiled: Callable[..., None], on_shortfall: str
) -> None:
    spoiled(with_array("hidden.weight", with_value(1e12)), *federation.names)
    with pytest.raises(RunFailedError, match=r"^Round 1 failed: the strategy made NaN or infinite numbers .* 'hidden"):
        federation.train(strategy="FedAvgM", server_lr=1e30, on_shortfall=on_shortfall)
    assert not list(federation.checkpoints().glob("*.npz"))


def test_a_tie_between_metrics_rejects_both_and_says_so(
    federation: Federation, spoiled: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two sites, the one that reports something else would decide who is believed."""
    spoiled(with_metrics(other=1.0), "site01")
    offline = set(federation.names[2:])
    said = "its metrics are not those that the other sites report, and no metrics are those of a majority"
    with pytest.raises(
        RunFailedError, match=r"^Round 1 failed: 0 valid replies, 2 needed, 2 failed \(site00: its metr"
    ):
        federation.train(num_rounds=1, min_available_clients=2, on_shortfall="fail", grid={"offline": offline})
    spoiled(with_metrics(other=1.0), "site00", "site01", "site02")
    with pytest.raises(RunFailedError, match="No round of this run aggregated anything"):
        federation.train(
            num_rounds=1, min_available_clients=6, on_shortfall="skip", grid={"offline": {federation.names[6]}}
        )
    (line,) = federation.published("history.jsonl")
    assert line["rejected"][:6] == [
        {"site": name, "work": "train", "reason": said} for name in federation.names[:6]
    ]  # fmt: skip


def test_a_majority_needs_more_than_half_and_not_the_most_votes(
    federation: Federation, spoiled: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def different(arrays: task.Arrays, metrics: dict[str, object]) -> Result:
        return arrays, {**metrics, f"m{len(arrays)}-{metrics['num-examples']}": 1.0}

    spoiled(different, *federation.names[:4])
    with pytest.raises(RunFailedError, match="0 valid replies, 2 needed, 7 failed"):
        federation.train(num_rounds=1, on_shortfall="fail")
    spoiled(different, *federation.names[:3])
    federation.train(num_rounds=1)
    assert federation.published("history.jsonl")[-1]["replies"] == 4


ESC = "\x1b]0;owned\x07"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda arrays, metrics: (arrays, {**metrics, **{f"m{number}": 1.0 for number in range(100)}}),
            "it reports 103 metrics but at most 64 are taken",
        ),
        (
            lambda arrays, metrics: (arrays, {**metrics, "x" * 65: 1.0}),
            "a metric is called '",
        ),
        (lambda arrays, metrics: (arrays, {**metrics, ESC: 1.0}), r"a metric is called '\\x1b]0;owned\\x07', which is"),
        (lambda arrays, metrics: (arrays, {**metrics, "": 1.0}), "a metric is called '', which is not 1 to 64 charac"),
        (with_metrics(train_loss=[1.0] * 1025), "the metric 'train_loss' has 1025 values but at most 1024 are taken"),
        (with_array("hidden.bias", with_value(2e12)), "the array 'hidden.bias' holds numbers beyond 1e+12"),
        (with_array("hidden.bias", with_value(-2e12)), "the array 'hidden.bias' holds numbers beyond 1e+12"),
    ],
)
def test_what_a_site_reports_is_bounded_in_count_length_and_kind(
    federation: Federation, spoiled: Callable[..., None], spoil: Spoil, reason: str
) -> None:
    federation.train("without", num_rounds=1, grid={"fails": lambda site, number, attempt: site == "site03"})
    spoiled(spoil, "site03")
    federation.train(num_rounds=1)
    (rejected,) = federation.published("history.jsonl")[0]["rejected"]
    assert rejected["site"] == "site03"
    assert rejected["reason"].startswith(reason)
    assert rejected["reason"].isprintable()
    assert len(rejected["reason"]) <= 500
    assert federation.arrays(1) == federation.arrays(1, "without")


def test_one_site_cannot_make_a_strategy_end_the_run(federation: Federation, spoiled: Callable[..., None]) -> None:
    spoiled(with_metrics(train_loss=1e300), "site03")
    federation.train(strategy="QFedAvg", num_rounds=1)
    (rejected,) = federation.published("history.jsonl")[0]["rejected"]
    assert rejected == {"site": "site03", "work": "train", "reason": "train_loss is 1e+300 but must be at most 1e+12"}
    for strategy in ("FedAdam", "FedYogi", "FedAdagrad", "QFedAvg"):
        spoiled(with_array("hidden.weight", with_value(3e38)), "site03")
        federation.train(strategy, strategy=strategy, num_rounds=1)


def claiming(name: str, site: str) -> Callable[[str, object], None]:
    """Have a site's replies say that they come from another."""

    def change(sender: str, message: object) -> None:
        if sender == site and message.has_content() and "site" in message.content.config_records:
            message.content["site"]["site"] = name

    return change


@pytest.mark.parametrize("claim", ["!", "site00", "site06", "", "x" * 10**6, ESC])
def test_what_a_site_calls_itself_changes_nothing(federation: Federation, claim: str) -> None:
    federation.train("honest", num_rounds=1)
    federation.train(num_rounds=1, grid={"on_the_way": claiming(claim, "site05")})
    assert federation.arrays(1) == federation.arrays(1, "honest")


def test_a_rejection_names_the_sender_and_not_whom_it_claims_to_be(
    federation: Federation, spoiled: Callable[..., None]
) -> None:
    spoiled(with_array("hidden.bias", with_value(math.nan)), "site05")
    federation.train(num_rounds=1, grid={"on_the_way": claiming("site00", "site05")})
    assert [each["site"] for each in federation.published("history.jsonl")[0]["rejected"]] == ["site05"]


def test_the_reason_of_an_error_is_one_bounded_line_under_its_senders_name(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lie(arrays: task.Arrays, data: Path, settings: object) -> Result:
        raise RuntimeError(f"site00: {ESC}\n\u202e" + "x" * 10**6)

    monkeypatch.setattr(client_app.task, "train", lie)
    monkeypatch.setattr(client_app, "_named", lambda site, work: work())
    with pytest.raises(RunFailedError) as failure:
        federation.train(num_rounds=1, on_shortfall="fail")
    text = str(failure.value)
    assert text.isprintable()
    assert len(text) < 7 * 600
    assert r"site03: site00: \x1b]0;owned\x07 \u202exxx" in text
    assert len(caplog.text) < 60_000
    assert "\x1b" not in caplog.text
    line = (federation.root / "trainings/default/failure.json").read_text()
    assert len(line) < 7 * 700


def test_an_evaluation_that_is_no_number_is_left_out(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = task.evaluate

    def task_evaluate(arrays: task.Arrays, data: Path) -> dict[str, float]:
        wrong = {"site00": {"loss": math.nan}, "site01": {"accuracy": math.inf}}
        return {**evaluate(arrays, data), **wrong.get(data.name, {})}

    (federation.root / "server/test.npz").unlink()
    monkeypatch.setattr(client_app.task, "evaluate", task_evaluate)
    federation.train(num_rounds=1)
    (line,) = federation.published("history.jsonl")
    assert [(each["site"], each["reason"]) for each in line["rejected"]] == [
        ("site00", "loss is no finite number"),
        ("site01", "accuracy is no finite number"),
    ]
    assert math.isfinite(line["loss"])
