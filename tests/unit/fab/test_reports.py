# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of each site in each round: bounded, by pseudonym, and as a file where that is asked for."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from simulated import Federation, SimulatedGrid

from fedops_app import client_app, task
from fedops_kit import reports
from fedops_kit.guards import Rejection
from fedops_kit.reports import Reports, across

MODEL = ArrayRecord({"w": Array(np.zeros(4, np.float32))})
ESC = "\x1b]0;title\x07\x1b[31m{{ lookup('pipe', 'id') }}\u202e"


def reply(metrics: dict[str, object], about: dict[str, object] | None = None) -> RecordDict:
    records = {"arrays": ArrayRecord({"w": Array(np.full(4, 2, np.float32))}), "metrics": MetricRecord(metrics)}
    return RecordDict({**records, **({"site": ConfigRecord(about)} if about is not None else {})})


def told(metrics: dict[str, object], about: dict[str, object] | None = None) -> dict[str, object]:
    """Return what is told of one site that replied so."""
    found = Reports()
    found.trained("a", reply(metrics, about), MODEL)
    (entry,) = found.told()["sites"]
    return entry


def test_each_line_tells_of_each_site(federation: Federation) -> None:
    configs = {name: {"dataset-name": f"digits of {name}"} for name in federation.names[:1]}
    federation.train(num_rounds=2, strategy="FedProx", grid={"node_configs": configs})
    for line in federation.published("history.jsonl"):
        assert [entry["site"] for entry in line["sites"]] == federation.names
        first = line["sites"][0]
        assert first["dataset_name"] == "digits of site00"
        assert set(first) - {"dataset_name"} == set(line["sites"][1])
        assert set(line["sites"][1]) == {
            "site", "state", "examples", "loss", "proximal_loss", "grad_norm", "update_norm", "seconds", "hash",
            "evaluation",
        }  # fmt: skip
        assert [entry["examples"] for entry in line["sites"]] == [32 + 4 * number for number in range(7)]
        assert set(first["evaluation"]) == {"examples", "loss", "metrics"}
        for figure in ("loss", "update_norm", "grad_norm", "proximal_loss", "seconds"):
            values = [entry[figure] for entry in line["sites"]]
            assert line["across_sites"][figure] == pytest.approx(
                {
                    "mean": statistics.fmean(values),
                    "deviation": statistics.pstdev(values),
                    "minimum": min(values),
                    "maximum": max(values),
                }
            )
        assert line["across_sites"]["evaluation_accuracy"]["maximum"] <= 1
        assert line["update_norm"] > 0
        # The proximal term is mu / 2 times the square of the way, and mu is 1.
        for entry in line["sites"]:
            assert entry["proximal_loss"] == pytest.approx(entry["update_norm"] ** 2 / 2, rel=1e-4)


def test_in_a_round_that_made_no_model_nobody_counts(federation: Federation) -> None:
    grid = {"fails": lambda site, number, attempt: number == 1 and site != "site06"}
    federation.train(num_rounds=2, on_shortfall="skip", round_files=True, grid=grid)
    first, second = federation.published("history.jsonl")
    assert [entry["state"] for entry in first["sites"]] == ["failed"] * 6 + ["skipped"]
    assert [entry["state"] for entry in second["sites"]] == ["counted"] * 7
    for number, count in ((1, 0), (2, 7)):
        told = federation.published(f"round_{number}_server_eval.json")
        assert told["aggregated_client_metrics"]["num_clients"] == len(told["individual_client_metrics"]) == count


def test_the_hash_is_that_of_what_the_site_sent(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    fingerprint = client_app.fingerprint
    monkeypatch.setattr(client_app, "fingerprint", lambda record: sent.append(fingerprint(record)) or sent[-1])
    federation.train(num_rounds=1)
    assert {entry["hash"] for entry in federation.published("history.jsonl")[0]["sites"]} == set(sent)


def test_who_was_left_out_is_told_with_the_reason(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    train, evaluate = task.train, task.evaluate

    def task_train(arrays: task.Arrays, data: Path, settings: object) -> object:
        trained, metrics = train(arrays, data, settings)
        return trained, {**metrics, **({"train_loss": math.nan} if data.name == "site04" else {})}

    def task_evaluate(arrays: task.Arrays, data: Path) -> task.Metrics:
        return {**evaluate(arrays, data), **({"loss": math.nan} if data.name == "site05" else {})}

    monkeypatch.setattr(client_app.task, "train", task_train)
    monkeypatch.setattr(client_app.task, "evaluate", task_evaluate)
    grid = {"fails": lambda site, number, attempt: site == "site02", "silent": {"site03"}}
    federation.train(num_rounds=1, strategy="QFedAvg", min_fit_clients=2, round_timeout=1, grid=grid)
    sites = {entry["site"]: entry for entry in federation.published("history.jsonl")[0]["sites"]}
    assert [sites[name].get("state") for name in federation.names] == [
        "counted", "counted", "failed", "failed", "rejected", "counted", "counted",
    ]  # fmt: skip
    assert sites["site02"]["reason"] == "told to fail"
    assert sites["site03"]["reason"] == "no answer within 1 seconds"
    assert sites["site04"]["reason"] == "train_loss is nan but must be at least 0"
    assert sites["site05"]["evaluation"] == {"problem": "loss is no finite number"}
    assert federation.published("history.jsonl")[0]["across_sites"]["loss"]["minimum"] >= 0


def test_ten_thousand_metrics_of_a_site_go_nowhere(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    train = task.train

    def task_train(arrays: task.Arrays, data: Path, settings: object) -> object:
        trained, metrics = train(arrays, data, settings)
        more = {f"m{number}": 1.0 for number in range(10_000)} if data.name == "site06" else {}
        return trained, {**metrics, **more}

    monkeypatch.setattr(client_app.task, "train", task_train)
    federation.train(num_rounds=1)
    text = (federation.root / "trainings/default/history.jsonl").read_text()
    assert len(text) < 20_000
    (entry,) = (entry for entry in json.loads(text)["sites"] if entry["site"] == "site06")
    assert (entry["state"], entry["reason"]) == ("rejected", "it reports 10003 metrics but at most 64 are taken")


def test_of_many_metrics_some_are_told_and_none_that_is_no_number() -> None:
    entry = told({"num-examples": 3, **{f"m{number}": float(number) for number in range(64)}, "each": [1.0] * 1000})
    assert entry["metrics"] == {f"m{number}": float(number) for number in range(reports.MOST_TOLD)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308])
def test_a_figure_that_is_no_number_is_not_told(value: float) -> None:
    entry = told({"num-examples": 3, "train_loss": value, "grad_norm": value, "other": value}, {"train-seconds": value})
    which = [] if math.isfinite(value) else ["train_loss", "grad_norm", "other"]
    assert entry.pop("not_finite", []) == which
    assert entry == {
        "site": "a",
        "state": "counted",
        "examples": 3,
        "metrics": {"other": None},
        "update_norm": 4.0,
    }
    json.dumps(entry, allow_nan=False)


def test_a_history_of_such_figures_is_still_json(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    train = task.train

    def task_train(arrays: task.Arrays, data: Path, settings: object) -> object:
        trained, metrics = train(arrays, data, settings)
        bad = {"site01": math.nan, "site02": math.inf, "site03": -1e308}.get(data.name, 1.0)
        return trained, {**metrics, "train_loss": bad, "own": bad}

    monkeypatch.setattr(client_app.task, "train", task_train)
    federation.train(num_rounds=2, round_files=True)
    folder = federation.root / "trainings/default"

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in folder.iterdir():
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            json.loads(line, parse_constant=refuse)


def test_what_a_site_writes_is_only_ever_read() -> None:
    about = {"dataset-name": ESC + "x" * 10**6, "sha256": ESC, "train-seconds": -5.0}
    entry = told({"num-examples": 1, ESC: 1.0}, about)
    text = json.dumps(entry, ensure_ascii=False)
    assert text.isprintable()
    assert len(text) < 500
    assert "seconds" not in entry
    assert len(entry["dataset_name"]) <= reports.LONGEST_TOLD


def test_an_app_that_tells_less_is_told_of_with_what_there_is() -> None:
    assert told({"num-examples": 5, "loss": 0.5}) == {
        "site": "a",
        "state": "counted",
        "examples": 5,
        "loss": 0.5,
        "update_norm": 4.0,
    }


def test_a_line_has_only_so_much_of_very_many_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"num-examples": 1, **{f"metric-{number}" + "x" * 50: 1.0 for number in range(16)}}
    found = Reports()
    for number in range(700):
        found.trained(f"site{number:03}", reply(metrics), MODEL)
    found.left_out([Rejection("last", "train", "x" * 10_000)], "rejected")
    line = found.told()
    assert (len(line["sites"]), line["sites_left_out"]) == (500, 201)
    assert len(json.dumps(line)) < 600_000
    assert all("metrics" not in entry for entry in line["sites"])
    assert line["across_sites"]["examples"] == {"mean": 1, "deviation": 0, "minimum": 1, "maximum": 1}


def test_only_what_counts_is_in_the_figures_across_sites() -> None:
    rows = [
        {"state": "counted", "loss": 1.0, "metrics": {"f1": 0.5}, "evaluation": {"metrics": {"accuracy": 0.25}}},
        {"state": "counted", "loss": 3.0},
        {"state": "rejected", "loss": 1e9},
        {"evaluation": {"metrics": {"accuracy": 0.75}}},
    ]
    found = across(rows)
    assert found["loss"] == {"mean": 2, "deviation": 1, "minimum": 1, "maximum": 3}
    assert found["f1"]["mean"] == 0.5
    assert found["evaluation_accuracy"] == {"mean": 0.5, "deviation": 0.25, "minimum": 0.25, "maximum": 0.75}
    assert across([]) == {}


@pytest.fixture
def recorded(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimulatedGrid]:
    """Train where root has written down who is who."""
    path = federation.root / "supernodes.json"
    monkeypatch.setenv("FEDOPS_REGISTRY", str(path))

    def train(**variables: object) -> SimulatedGrid:
        begin = SimulatedGrid.__post_init__

        def write(grid: SimulatedGrid) -> None:
            begin(grid)
            rows = [
                {"node_id": str(node), "name": name, "site": f"Hospital {name}", "pseudonym": word(name)}
                for node, name in grid.sites.items()
            ]
            path.write_text(json.dumps({"supernodes": rows}))

        monkeypatch.setattr(SimulatedGrid, "__post_init__", write)
        return federation.train(**variables)

    return train


def word(name: str) -> str:
    """Make up a pseudonym; they come in another order than the names."""
    return f"site-{'zyxwvut'[int(name[-2:])]}aaaaaaaaaaa"


def test_nothing_that_is_passed_on_names_a_site(
    federation: Federation, recorded: Callable[..., SimulatedGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arrays: task.Arrays, data: Path, settings: object) -> object:
        raise RuntimeError(f"{data} of Hospital {data.name} is empty")

    train = task.train
    monkeypatch.setattr(
        client_app.task,
        "train",
        lambda arrays, data, settings: (broken if data.name == "site02" else train)(arrays, data, settings),
    )
    with pytest.raises(Exception, match="site02"):  # which the operator is told with its name
        recorded(num_rounds=2, on_shortfall="fail", min_fit_clients=7, round_files=True)
    recorded(num_rounds=2, min_fit_clients=6, round_files=True)
    folder = federation.root / "trainings/default"
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert files == [
        "effective.json", "failure.json", "history.jsonl", "initial.json", "result.json", "roster.json",
        "round_1_server_eval.json", "round_2_server_eval.json",
    ]  # fmt: skip
    for name in files:
        assert not [site for site in federation.names if site in (folder / name).read_text()], name
    assert word("site02") in json.loads((folder / "failure.json").read_text())["message"]
    for line in federation.published("history.jsonl"):
        called = [entry["site"] for entry in line["sites"]]
        assert called == sorted(map(word, federation.names))  # an order that tells nothing
        assert [entry["site"] for entry in line["failed"]] == [word("site02")]
        assert line["failed"][0]["reason"].endswith(f"of {word('site02')} is empty")


def test_a_record_of_before_hides_names_behind_numbers(
    federation: Federation, recorded: Callable[..., SimulatedGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "word", lambda name: "")
    grid = recorded(num_rounds=1)
    called = [entry["site"] for entry in federation.published("history.jsonl")[0]["sites"]]
    assert called == sorted(f"node {node}" for node in grid.sites)


def test_the_file_of_a_round_has_the_shape_that_other_tools_read(
    federation: Federation, recorded: Callable[..., SimulatedGrid]
) -> None:
    recorded(num_rounds=2, strategy="FedProx", round_files=True)
    for line in federation.published("history.jsonl"):
        found = federation.published(f"round_{line['round']}_server_eval.json")
        over = line["across_sites"]
        assert found == {
            "round": line["round"],
            "aggregated_client_metrics": {
                "avg_client_loss": over["loss"]["mean"],
                "std_client_loss": over["loss"]["deviation"],
                "avg_client_proximal_loss": over["proximal_loss"]["mean"],
                "avg_client_grad_norm": over["grad_norm"]["mean"],
                "num_clients": 7,
                "param_update_norm": line["update_norm"],
            },
            "individual_client_metrics": [
                {
                    "client_id": entry["site"],
                    "loss": entry["loss"],
                    "fedprox_loss": entry["proximal_loss"],
                    "grad_norm": entry["grad_norm"],
                    "param_hash": entry["hash"],
                    "dataset_name": None,
                }
                for entry in line["sites"]
            ],
        }
        assert all(value is not None for value in found["aggregated_client_metrics"].values())


def test_a_training_that_begins_anew_puts_the_files_of_its_rounds_away(federation: Federation) -> None:
    federation.train(num_rounds=2, round_files=True)
    federation.train(num_rounds=1, seed=7)
    folder = federation.root / "trainings/default"
    (previous,) = (folder / "previous").iterdir()
    assert sorted(path.name for path in previous.iterdir()) == [
        "history.jsonl", "initial.json", "result.json", "round_1_server_eval.json", "round_2_server_eval.json",
    ]  # fmt: skip
    assert not list(folder.glob("round_*"))


def test_what_is_told_changes_no_byte_of_the_model(
    federation: Federation, recorded: Callable[..., SimulatedGrid]
) -> None:
    recorded(where="told", num_rounds=2, round_files=True)
    federation.train(num_rounds=2)
    assert federation.arrays(2) == federation.arrays(2, "told")


def test_a_reply_of_another_shape_is_told_of_without_the_length_of_its_update() -> None:
    found = Reports()
    other = RecordDict(
        {
            "trees": ArrayRecord({"0": Array(np.zeros(9, np.uint8))}),
            "figures": MetricRecord({"num-examples": 4, "auc": 0.75}),
        }
    )
    found.trained("a", other, MODEL)
    found.trained("b", RecordDict({}), MODEL)
    assert found.told()["sites"] == [
        {"site": "a", "state": "counted", "examples": 4, "metrics": {"auc": 0.75}},
        {"site": "b", "state": "counted"},
    ]
