# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site claims to have evaluated on is worth no more than what it claims to have trained on."""

from __future__ import annotations

import json

import pytest
from flwr.app import Message
from simulated import Federation, Killed

HONEST, LIE = 0.5, 0.0


@pytest.fixture
def lied(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Federation:
    """Sites whose accuracy is the same, and one that says otherwise, of 2^53 examples."""
    monkeypatch.setattr("fedops_app.task.evaluate_centrally", lambda *rest: None)
    return federation


def evaluating(site: str, message: Message) -> None:
    for metrics in message.content.metric_records.values():
        if "accuracy" in metrics:
            is_liar = site == "site03"
            metrics["accuracy"] = LIE if is_liar else HONEST
            metrics["num-examples"] = 2**53 if is_liar else 20


@pytest.mark.parametrize(
    ("asked", "accuracy"),
    [
        pytest.param({}, LIE, id="FedAvg believes it"),
        pytest.param({"max_examples": 20}, HONEST * 6 / 7, id="a bound"),
        pytest.param({"weighting": "uniform"}, HONEST * 6 / 7, id="all alike"),
        pytest.param({"max_weight_share": 2}, HONEST * 5 / 7, id="two shares"),
        pytest.param({"strategy": "FedMedian"}, HONEST * 5 / 7, id="a robust strategy"),
        pytest.param({"strategy": "Bulyan", "num_malicious": 1}, HONEST * 5 / 7, id="another one"),
    ],
)
def test_a_claim_is_worth_what_the_variables_say(lied: Federation, asked: dict, accuracy: float) -> None:
    lied.train(num_rounds=1, **asked, grid={"on_the_way": evaluating})
    (line,) = lied.published("history.jsonl")
    assert line["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert line["num_examples"] == 2**53 + 6 * 20  # what was claimed is what is told


def test_a_claim_is_told_by_site_and_round(lied: Federation, caplog: pytest.LogCaptureFixture) -> None:
    lied.train(num_rounds=2, grid={"on_the_way": evaluating})
    told = [text.split(" claims ")[0] for text in caplog.messages if "more than all other sites together" in text]
    assert told == ["Round 1: evaluating, site03", "Round 2: evaluating, site03"]


def test_a_claim_that_jumps_over_a_lost_run_is_told(lied: Federation, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Killed):
        lied.train(num_rounds=3, grid={"killed_in_round": 3})
    lied.train(num_rounds=3, grid={"on_the_way": evaluating})
    (told,) = (text for text in caplog.messages if "and claimed" in text and "site03" in text)
    assert told == f"Round 3: evaluating, site03 claims {2**53:g} examples, and claimed 44 before."


@pytest.mark.parametrize("claims", [{"site03": 10**400}, {"site03": True}, {"site03": [1]}, ["site03"], 5])
def test_claims_that_nobody_wrote_end_no_training(lied: Federation, claims: object) -> None:
    with pytest.raises(Killed):
        lied.train(num_rounds=2, grid={"killed_in_round": 2})
    path = lied.root / "trainings/default/roster.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "claims": claims, "evaluated": claims}))
    lied.train(num_rounds=2)
    assert lied.published("result.json")["exact"]


def test_who_trains_on_most_is_told_once_a_round(lied: Federation, caplog: pytest.LogCaptureFixture) -> None:
    def most(site: str, message: Message) -> None:
        for metrics in message.content.metric_records.values():
            metrics["num-examples"] = 1000.5 if site == "site03" else 0.5

    lied.train(num_rounds=1, grid={"on_the_way": most})
    told = [text.split(" claims ")[0] for text in caplog.messages if "more than all other sites together" in text]
    assert told == ["Round 1: site03"]
