# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training publishes."""

from __future__ import annotations

import json
import logging
import os
import stat
from datetime import datetime
from pathlib import Path

import pytest
from simulated import Federation, Killed

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import NodesUnavailableError, RunFailedError
from fedops_kit.publish import Publisher

COMMON = {"training": "demo", "run_id": "1", "configuration_hash": "abc"}


def test_the_history_has_a_line_for_every_round(federation: Federation) -> None:
    federation.train(num_rounds=3, checkpoint_interval=2)
    history = federation.published("history.jsonl")
    assert [(line["round"], line["checkpoint"]) for line in history] == [
        (1, None),
        (2, "checkpoint_round_2.npz"),
        (3, "checkpoint_round_3.npz"),
    ]
    effective = federation.published("effective.json")
    assert set(history[0]) == {
        "event", "training", "run_id", "configuration_hash", "round", "num_rounds", "loss", "accuracy",
        "num_examples", "metrics", "aggregated", "replies", "failures", "attempts", "failed", "rejected", "seconds",
        "phases", "checkpoint", "checkpoint_problem", "time", "update_norm", "sites", "across_sites", "exact",
    }  # fmt: skip
    assert {line["configuration_hash"] for line in history} == {effective["configuration_hash"]}
    assert history[2]["loss"] < history[0]["loss"]
    result = federation.published("result.json")
    manifest = json.loads((federation.checkpoints() / "checkpoint_latest.json").read_text())
    assert result == {
        "training": "default",
        "run_id": "1",
        "configuration_hash": effective["configuration_hash"],
        "rounds": 3,
        "loss": history[2]["loss"],
        "accuracy": history[2]["accuracy"],
        "checkpoint": "checkpoint_round_3.npz",
        "sha256": manifest["sha256"],
        "exact": True,
        "time": result["time"],
    }
    assert (manifest["loss"], manifest["accuracy"]) == (result["loss"], result["accuracy"])


def test_a_round_tells_what_its_seconds_went_to(federation: Federation) -> None:
    federation.train(num_rounds=2, checkpoint_enabled=True)
    for line in federation.published("history.jsonl"):
        assert list(line["phases"]) == ["training", "aggregation", "evaluation", "central evaluation", "saving"]
        assert min(line["phases"].values()) >= 0
        assert sum(line["phases"].values()) == pytest.approx(line["seconds"], abs=0.01)


def test_the_effective_configuration_says_which_process_trains(federation: Federation) -> None:
    """Flower does not, and the supervisor has to tell it from the ServerApps of other trainings."""
    federation.train(num_rounds=1)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert federation.published("effective.json")["process"] == {"pid": os.getpid(), "ticks": int(fields[19])}


def test_the_servers_test_set_decides_and_the_nodes_stand_beside_it(federation: Federation) -> None:
    federation.train(num_rounds=1)
    line = federation.published("history.jsonl")[0]
    assert line["num_examples"] == 48
    assert set(line["metrics"]) == {"train_loss", "grad_norm", "federated_loss", "federated_accuracy"}


def test_without_a_test_set_on_the_server_the_nodes_decide(federation: Federation) -> None:
    (federation.root / "server/test.npz").unlink()
    federation.train(num_rounds=1)
    line = federation.published("history.jsonl")[0]
    assert line["loss"] > 0
    assert line["accuracy"] > 0
    assert line["num_examples"] == sum(32 + 4 * number for number in range(7))
    assert set(line["metrics"]) == {"train_loss", "grad_norm"}


def test_with_no_evaluation_at_all_there_is_no_figure(federation: Federation) -> None:
    (federation.root / "server/test.npz").unlink()
    federation.train(num_rounds=1, fraction_evaluate=0)
    line = federation.published("history.jsonl")[0]
    assert (line["loss"], line["accuracy"], line["num_examples"]) == (None, None, None)
    assert federation.published("result.json")["loss"] is None


def test_a_resumed_training_continues_its_history(federation: Federation) -> None:
    with pytest.raises(Killed):
        federation.train(num_rounds=4, checkpoint_interval=2, grid={"killed_in_round": 4})
    federation.train(num_rounds=4, checkpoint_interval=2)
    history = federation.published("history.jsonl")
    assert [(line["run_id"], line["round"]) for line in history] == [
        ("1", 1), ("1", 2), ("1", 3), ("2", 3), ("2", 4),
    ]  # fmt: skip
    assert {line["loss"] for line in history if line["round"] == 3} == {history[2]["loss"]}


def test_a_round_that_was_saved_and_not_told_is_told_by_the_run_that_goes_on(federation: Federation) -> None:
    """A ServerApp can be killed between a checkpoint and its line in the history."""
    with pytest.raises(Killed):
        federation.train(num_rounds=4, grid={"killed_in_round": 3})
    history = federation.root / "trainings/default/history.jsonl"
    first, second = history.read_text().splitlines(keepends=True)
    history.write_text(first + second[:20])
    known = json.loads(second)
    for key in ("sites", "across_sites", "update_norm", "phases"):  # a checkpoint knows nothing of the sites
        del known[key]
    federation.train(num_rounds=4)
    told = [json.loads(line) for line in history.read_text().splitlines() if line.endswith("}")]
    assert [(line["run_id"], line["round"]) for line in told] == [("1", 1), ("1", 2), ("2", 3), ("2", 4)]
    unknown = {
        **dict.fromkeys(("num_examples", "replies", "failures", "attempts", "seconds")),
        "metrics": {},
        "failed": [],
        "rejected": [],
    }
    assert told[1] == {**known, **unknown, "time": told[1]["time"], "told_by": "2"}
    assert datetime.fromisoformat(told[1]["time"]) <= datetime.fromisoformat(known["time"])


def test_a_round_that_was_told_is_not_told_again(federation: Federation) -> None:
    federation.train(num_rounds=2)
    federation.train(num_rounds=3)
    assert [line["round"] for line in federation.published("history.jsonl")] == [1, 2, 3]


def test_a_training_that_begins_anew_puts_its_old_history_away(federation: Federation) -> None:
    federation.train(num_rounds=2)
    federation.train(num_rounds=1, seed=7)
    assert [line["round"] for line in federation.published("history.jsonl")] == [1]
    (previous,) = (federation.root / "trainings/default/previous").iterdir()
    assert sorted(path.name for path in previous.iterdir()) == ["history.jsonl", "initial.json", "result.json"]


def test_a_lengthened_training_is_not_finished_until_it_is(federation: Federation) -> None:
    federation.train(num_rounds=2)
    with pytest.raises(Killed):
        federation.train(num_rounds=4, grid={"killed_in_round": 4})
    assert not (federation.root / "trainings/default/result.json").exists()


def test_the_history_names_the_nodes_that_failed_and_those_that_stayed_silent(federation: Federation) -> None:
    grid = {"fails": lambda site, *dummy: site == "site02", "silent": {"site04"}}
    federation.train(num_rounds=1, round_timeout=1, on_shortfall="skip", fraction_evaluate=0, grid=grid)
    (line,) = federation.published("history.jsonl")
    assert (line["replies"], line["failures"]) == (5, 2)
    assert line["failed"] == [
        {"site": "site02", "work": "train", "reason": "told to fail"},
        {"site": "site04", "work": "train", "reason": "no answer within 1 seconds"},
    ]


def test_a_node_that_flower_answers_for_is_told_once_and_by_its_name(federation: Federation) -> None:
    grid = {"unavailable": lambda site, number, attempt: site == "site05" and attempt == 0}
    federation.train(num_rounds=1, min_fit_clients=7, fraction_evaluate=0, grid=grid)
    (line,) = federation.published("history.jsonl")
    assert line["failed"] == [{"site": "site05", "work": "train", "reason": "Error: Node Unavailable"}]


def test_a_run_that_only_lacks_nodes_that_flower_answers_for_says_so(federation: Federation) -> None:
    with pytest.raises(NodesUnavailableError):
        federation.train(
            on_shortfall="fail", min_fit_clients=7, grid={"unavailable": lambda site, *dummy: site < "site03"}
        )


def test_the_history_tells_of_the_attempts_at_a_round(federation: Federation) -> None:
    grid = {"fails": lambda site, number, attempt: number == 2 and attempt == 0 and site == "site03"}
    federation.train(num_rounds=3, min_fit_clients=7, fraction_evaluate=0, grid=grid)
    lines = federation.published("history.jsonl")
    assert [(line["attempts"], line["replies"], line["failures"]) for line in lines] == [
        (1, 7, 0),
        (2, 7, 0),
        (1, 7, 0),
    ]
    failed = {"site": "site03", "work": "train", "reason": "told to fail"}
    assert [line["failed"] for line in lines] == [[], [failed], []]


def test_a_run_that_fails_publishes_why(federation: Federation) -> None:
    with pytest.raises(RunFailedError) as caught:
        federation.train(on_shortfall="fail", grid={"fails": lambda *dummy: True})
    failure = federation.published("failure.json")
    assert (failure["run_id"], failure["reason"], failure["message"]) == ("1", "failed", str(caught.value))


def test_a_failure_that_only_nodes_that_are_away_have_caused_is_published_as_such(federation: Federation) -> None:
    with pytest.raises(RunFailedError):
        federation.train(round_timeout=1, on_shortfall="fail", grid={"silent": set(federation.names)})
    assert federation.published("failure.json")["reason"] == "nodes_unavailable"


def test_too_few_nodes_are_published_as_such(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**6))
    monkeypatch.setattr("fedops_kit.grid.time.monotonic", lambda: next(ticks) * 100.0)
    monkeypatch.setattr("fedops_kit.grid.time.sleep", lambda seconds: None)
    with pytest.raises(RunFailedError):
        federation.train(grid={"offline": {"site00"}})
    assert federation.published("failure.json")["reason"] == "too_few_nodes"


def test_a_directory_that_another_run_holds_is_published_as_such(federation: Federation, monkeypatch) -> None:
    monkeypatch.setattr("fedops_kit.checkpoints.CheckpointDirectory.locked.__wrapped__.__defaults__", (0.0,))
    with CheckpointDirectory(str(federation.checkpoints()), 0, False).locked(), pytest.raises(RunFailedError):
        federation.train()
    assert federation.published("failure.json")["reason"] == "directory_busy"


def test_an_exception_of_the_users_code_is_published_as_such(federation: Federation, monkeypatch) -> None:
    monkeypatch.setattr("fedops_app.task.initial_arrays", lambda seed: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        federation.train()
    assert (federation.published("failure.json")["reason"]) == "exception"


def test_every_event_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    publisher = Publisher(None, "demo", COMMON)
    with caplog.at_level(logging.INFO, logger="flwr"):
        publisher.effective(None, {"strategy": {}})
        publisher.round_finished({"round": 1, "loss": float("nan"), "metrics": {"a": float("inf")}})
        publisher.result({"rounds": 1})
    events = [json.loads(record.getMessage()) for record in caplog.records]
    assert [event["event"] for event in events] == ["effective_configuration", "round_finished", "training_finished"]
    assert (events[1]["loss"], events[1]["metrics"]) == (None, {"a": None})


def test_a_torn_line_loses_only_itself(tmp_path: Path) -> None:
    publisher = Publisher(str(tmp_path), "demo", COMMON)
    publisher.effective(None, {})
    history = tmp_path / "demo/history.jsonl"
    publisher.round_finished({"round": 1})
    history.write_bytes(history.read_bytes()[:-20])
    publisher.round_finished({"round": 2})
    lines = history.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["round"] == 2


def test_a_directory_that_cannot_be_written_fails_the_run_at_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailedError, match="/file/demo cannot be written"):
        Publisher(str(tmp_path / "file"), "demo", COMMON).effective(None, {})


def test_a_history_that_cannot_be_written_does_not_stop_the_training(tmp_path: Path) -> None:
    publisher = Publisher(str(tmp_path), "demo", COMMON)
    publisher.effective(None, {})
    (tmp_path / "demo/history.jsonl").mkdir()
    publisher.round_finished({"round": 1})
    assert (tmp_path / "demo/effective.json").exists()


def test_orders_are_found_where_the_app_cannot_write(tmp_path: Path) -> None:
    orders = tmp_path / "trainings"
    orders.mkdir()
    told = Publisher(str(tmp_path / "published"), "demo", COMMON, str(orders))
    alone = Publisher(str(tmp_path / "published"), "demo", COMMON)
    (orders / "quiesced.json").write_text("{}")
    assert (told.is_to_stand_still, alone.is_to_stand_still) == (True, False)
    assert not Publisher(None, "demo", COMMON).is_to_stand_still


def test_what_is_told_is_for_the_group_and_for_nobody_else(tmp_path: Path) -> None:
    """Whoever supervises the training is another account."""
    before = os.umask(0o027)
    try:
        publisher = Publisher(str(tmp_path), "demo", COMMON)
        publisher.effective(None, {})
        publisher.round_finished({"round": 1})
        publisher.result({"rounds": 1})
        publisher.failed(RunFailedError("no"))
        publisher.effective(None, {})  # which puts the history away
    finally:
        os.umask(before)
    modes = {oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*") if path.is_file()}
    folders = {oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({"0o640"}, {"0o750"})


@pytest.mark.parametrize("line", ["[" * 100_000, "[]", "7", "null", '"round"'])
def test_a_line_of_a_history_that_is_no_round_is_passed_over(tmp_path: Path, line: str) -> None:
    publisher = Publisher(str(tmp_path), "demo", COMMON)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/history.jsonl").write_text(line + "\n")
    publisher.effective({"round": 1}, {})
    assert json.loads((tmp_path / "demo/history.jsonl").read_text().splitlines()[-1])["round"] == 1
