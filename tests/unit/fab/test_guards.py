# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a run when nodes fail, stay away or send nonsense: never a quiet success."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import Federation

from fedops_kit import exact, guards
from fedops_kit.errors import RunFailedError
from fedops_kit.grid import SteadyGrid


def always(site: str, round_number: int, attempt: int) -> bool:
    return True


def in_round(*numbers: int):
    return lambda site, round_number, attempt: round_number in numbers


@pytest.mark.parametrize("on_shortfall", ["retry", "skip", "fail"])
def test_a_run_in_which_every_client_fails_is_a_failed_run(federation: Federation, on_shortfall: str) -> None:
    with pytest.raises(RunFailedError):
        federation.train(num_rounds=2, on_shortfall=on_shortfall, grid={"fails": always})
    assert [path.name for path in federation.checkpoints().iterdir()] == [".lock"]
    assert not (federation.root / "trainings/default/result.json").exists()


def test_the_failure_names_the_round_the_need_and_the_sites(federation: Federation) -> None:
    for name in federation.names:
        (federation.root / "data" / name / "train.npz").unlink()
    with pytest.raises(RunFailedError) as failure:
        federation.train(on_shortfall="fail")
    assert str(failure.value).startswith("Round 1 failed: 0 valid replies, 2 needed, 7 failed (site00: ")
    assert "site06/train.npz is missing. Put the data there" in str(failure.value)


def test_a_repeated_round_ends_with_the_bytes_of_an_undisturbed_one(federation: Federation) -> None:
    federation.train("straight", strategy="FedAdam", num_rounds=3)

    def once(site: str, round_number: int, attempt: int) -> bool:
        return round_number == 2 and attempt == 0

    federation.train("repeated", strategy="FedAdam", num_rounds=3, grid={"fails": once})
    assert federation.arrays(3, "repeated") == federation.arrays(3, "straight")


def test_a_round_is_repeated_only_so_often(federation: Federation) -> None:
    with pytest.raises(RunFailedError, match=r"^Round 2 failed: 0 valid replies, 2 needed, 7 failed"):
        federation.train(grid={"fails": in_round(2)})
    asked = [site for kind, number, site in federation.last.log if (kind, number) == ("train", 2)]
    assert len(asked) == 7 * (1 + len(exact.RETRY_PAUSES))


def test_a_skipped_round_leaves_no_checkpoint_and_the_last_good_model_is_saved(federation: Federation) -> None:
    federation.train(
        num_rounds=5, checkpoint_interval=4, on_shortfall="skip", grid={"fails": in_round(4, 5)}, strategy="FedAvgM"
    )
    saved = sorted(path.name for path in federation.checkpoints().glob("checkpoint_round_*.npz"))
    assert saved == ["checkpoint_round_3.npz"]
    history = federation.published("history.jsonl")
    assert [(line["round"], line["replies"], line["failures"], line["checkpoint"]) for line in history] == [
        (1, 7, 0, None), (2, 7, 0, None), (3, 7, 0, None), (4, 0, 7, None), (5, 0, 7, None),
    ]  # fmt: skip
    result = federation.published("result.json")
    assert [line["aggregated"] for line in history] == [True, True, True, False, False]
    assert (result["rounds"], result["checkpoint"]) == (3, "checkpoint_round_3.npz")
    assert (result["loss"], result["accuracy"]) == (history[2]["loss"], history[2]["accuracy"])


def test_rounds_that_were_skipped_at_the_end_are_trained_when_asked_for_again(federation: Federation) -> None:
    federation.train("straight", num_rounds=4, strategy="FedAvgM")
    federation.train("skipped", num_rounds=4, strategy="FedAvgM", on_shortfall="skip", grid={"fails": in_round(3, 4)})
    again = federation.train("skipped", num_rounds=4, strategy="FedAvgM")
    assert {number for dummy, number, dummy_site in again.log} == {3, 4}
    assert federation.arrays(4, "skipped") == federation.arrays(4, "straight")


def test_one_failing_client_does_not_stop_a_training(federation: Federation) -> None:
    federation.train(num_rounds=1, grid={"fails": lambda site, number, attempt: site == "site03"})
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"]) == (6, 1)


@pytest.mark.parametrize(
    ("variables", "failing", "needed"),
    [
        ({"strategy": "Krum", "num_malicious": 2}, 1, 7),
        ({"strategy": "Bulyan", "num_malicious": 1}, 1, 7),
        ({"strategy": "MultiKrum", "num_malicious": 1}, 3, 5),
        ({"strategy": "MultiKrum", "num_malicious": 1, "num_nodes_to_select": 5}, 2, 6),
        ({"strategy": "FedAvg", "min_fit_clients": 5}, 3, 5),
    ],
)
def test_a_strategy_never_aggregates_fewer_replies_than_it_needs(
    federation: Federation, variables: dict[str, object], failing: int, needed: int
) -> None:
    lost = set(federation.names[:failing])

    def fails(site: str, round_number: int, attempt: int) -> bool:
        return site in lost

    with pytest.raises(RunFailedError, match=f"{7 - failing} valid replies, {needed} needed, {failing} failed"):
        federation.train(on_shortfall="fail", grid={"fails": fails}, **variables)


@pytest.mark.parametrize(("failing", "warned"), [(2, False), (3, True)])
def test_replies_too_few_to_trim_are_told(
    federation: Federation, caplog: pytest.LogCaptureFixture, failing: int, warned: bool
) -> None:
    lost = set(federation.names[:failing])
    federation.train(
        num_rounds=1, strategy="FedTrimmedAvg", grid={"fails": lambda site, round_number, attempt: site in lost}
    )
    said = "Round 1: of 4 replies FedTrimmedAvg trims none, so that a single bad one counts in full. It needs 5"
    assert (said in caplog.text) is warned


def test_waiting_for_nodes_ends(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr("fedops_kit.grid.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("fedops_kit.grid.time.sleep", lambda seconds: None)
    with pytest.raises(RunFailedError, match=r"Only 6 of 7 SuperNodes were online after 600 seconds"):
        federation.train(grid={"offline": {"site00"}})
    assert federation.last.log == []


def test_a_round_that_loses_its_nodes_ends_too(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flwr.serverapp.strategy.strategy_utils.sleep", lambda seconds: None)
    offline: set[str] = set()

    def fails(site: str, round_number: int, attempt: int) -> bool:
        offline.add("site05")
        return False

    with pytest.raises(RunFailedError, match=r"Only 6 SuperNodes were online after 1 seconds"):
        federation.train(node_wait_timeout=1, grid={"offline": offline, "fails": fails})


def test_variables_are_held_against_the_nodes_that_are_online(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SteadyGrid, "wait_for_nodes", lambda self, minimum: 6)
    with pytest.raises(RunFailedError, match=r"Krum needs at least 2 x fl_num_malicious \(2\) \+ 3 = 7 SuperNodes"):
        federation.train(strategy="Krum", num_malicious=2)


def test_a_model_keeps_its_dtypes(federation: Federation) -> None:
    federation.train(strategy="FedAdam", num_rounds=1)
    with np.load(federation.checkpoints() / "checkpoint_round_1.npz") as archive:
        assert {str(archive[name].dtype) for name in archive.files if not name.startswith("state/")} == {"float32"}


def test_a_node_that_never_answers_counts_as_a_failure(federation: Federation) -> None:
    federation.train(num_rounds=1, round_timeout=1, grid={"silent": {"site01"}})
    line = federation.published("history.jsonl")[0]
    assert (line["replies"], line["failures"]) == (6, 1)


def test_too_many_silent_nodes_are_a_shortfall(federation: Federation) -> None:
    silent = set(federation.names[:6])
    with pytest.raises(
        RunFailedError, match=r"1 valid replies, 2 needed, 6 failed \(6 did not answer within 1 seconds"
    ):
        federation.train(round_timeout=1, on_shortfall="fail", grid={"silent": silent})


@pytest.mark.parametrize(
    ("reason", "plain"),
    [
        ("<class 'RuntimeError'>:<'site-a: /data/train.npz is missing.'>", "site-a: /data/train.npz is missing."),
        ("<class 'ZeroDivisionError'>:<'division by zero'>", "ZeroDivisionError: division by zero"),
        ("<class 'my.own.Error'>:<'it said 'no''>", "Error: it said 'no'"),
        ("Node Unavailable", "Node Unavailable"),
    ],
)
def test_the_reason_of_a_failed_client_is_told_without_flowers_frame(reason: str, plain: str) -> None:
    assert guards.plain_reason(reason) == plain


def test_a_checkpoint_that_was_due_in_a_skipped_round_is_saved_after_the_next_good_one(federation: Federation) -> None:
    grid = {"fails": in_round(2, 3)}
    federation.train(num_rounds=8, checkpoint_interval=3, on_shortfall="skip", grid=grid)
    saved = [line["round"] for line in federation.published("history.jsonl") if line["checkpoint"]]
    # 4 in the place of 3, and then as ever.
    assert saved == [4, 6, 8]
