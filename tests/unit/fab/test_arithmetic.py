# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two ways to compute live side by side: a training keeps the one that it began with, and a new one has the newest."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message
from flwr.serverapp.strategy.qfedavg import compute_delta_and_h
from normalized import FUNCTIONS, Normalized
from simulated import Federation, Killed

from fedops_app import task
from fedops_kit import arithmetic, dtypes, resume
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._checkpoint.manifest import sealed
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.table import BY_NAME
from fedops_kit.mixing import mix

every_strategy = pytest.mark.parametrize("name", STRATEGIES)
PARAMETERS = {
    "Krum": {"num_malicious": 2},
    "MultiKrum": {"num_malicious": 2, "num_nodes_to_select": 3},
    "Bulyan": {"num_malicious": 1},
}


@pytest.fixture
def normalized(monkeypatch: pytest.MonkeyPatch) -> Normalized:
    """Have a model with a batch normalization in the place of the app's own."""
    for name in FUNCTIONS:
        monkeypatch.setattr(task, name, getattr(Normalized(), name), raising=False)
    return Normalized()


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin trainings as the first release did."""
    monkeypatch.setattr(resume, "NEWEST", arithmetic.FIRST)


def model(federation: Federation, number: int, where: str = "checkpoints") -> dict[str, np.ndarray]:
    with np.load(federation.checkpoints(where) / f"checkpoint_round_{number}.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if "state/" not in name}


def manifest(federation: Federation, number: int, where: str = "checkpoints") -> dict:
    return json.loads((federation.checkpoints(where) / f"checkpoint_round_{number}.json").read_text())


@every_strategy
def test_a_model_without_buffers_ends_with_the_same_bytes_either_way(
    federation: Federation, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {"strategy": name, "num_rounds": 2, **PARAMETERS.get(name, {})}
    federation.train("new", **same)
    monkeypatch.setattr(resume, "NEWEST", arithmetic.FIRST)
    federation.train("old", **same)
    assert federation.arrays(2, "new") == federation.arrays(2, "old")
    assert manifest(federation, 2, "new")["arithmetic"] == 2
    assert "arithmetic" not in manifest(federation, 2, "old")


@every_strategy
def test_a_training_goes_on_in_the_way_it_began(
    federation: Federation, normalized: Normalized, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"strategy": name, "num_rounds": 3, **PARAMETERS.get(name, {})}
    with monkeypatch.context() as first_release:
        first_release.setattr(resume, "NEWEST", arithmetic.FIRST)
        if name == "QFedAvg":
            with pytest.raises(Exception, match="same_kind"):  # what the first release made of a counter
                federation.train("straight", **asked)
            return
        federation.train("straight", **asked)
        with pytest.raises(Killed):
            federation.train("interrupted", **asked, grid={"killed_in_round": 2})
    federation.train("interrupted", **asked)
    assert federation.arrays(3, "interrupted") == federation.arrays(3, "straight")
    assert "arithmetic" not in manifest(federation, 3, "interrupted")
    assert federation.published("effective.json")["arithmetic"] == 1


@every_strategy
def test_a_new_training_with_buffers_is_exact_when_it_is_interrupted(
    federation: Federation, normalized: Normalized, name: str
) -> None:
    asked = {"strategy": name, "num_rounds": 4, **PARAMETERS.get(name, {})}
    federation.train("straight", **asked)
    with pytest.raises(Killed):
        federation.train("interrupted", **asked, grid={"killed_in_round": 3})
    federation.train("interrupted", **asked, nodes_seed=5)
    assert federation.arrays(4, "interrupted") == federation.arrays(4, "straight")
    assert manifest(federation, 4, "interrupted")["arithmetic"] == 2
    last = model(federation, 4, "straight")
    assert all(last[f"{layer}.norm.running_var"].min() > 0 for layer in ("stem", "block"))
    assert list(last) == list(normalized.initial_arrays(0))


def test_who_goes_on_with_buffers_in_the_old_way_is_told_how_to_change(
    federation: Federation, normalized: Normalized, earlier: None, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=2)
    (told,) = (text for text in caplog.messages if "are treated as parameters" in text)
    assert "6 of the model's arrays, block.norm.num_batches_tracked among them" in told
    assert "another fl_training_name, and its newest checkpoint as fl_initial_checkpoint; or set fl_resume" in told


def test_who_begins_anew_changes_over(
    federation: Federation, normalized: Normalized, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as first_release:
        first_release.setattr(resume, "NEWEST", arithmetic.FIRST)
        federation.train(num_rounds=1)
    federation.train(num_rounds=1, resume="never")
    assert manifest(federation, 1)["arithmetic"] == 2


def test_an_app_that_forgets_its_buffers_is_told(
    federation: Federation, normalized: Normalized, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(task, "buffers")
    federation.train(num_rounds=1)
    (told,) = (text for text in caplog.messages if "as PyTorch calls" in text)
    assert told.startswith("stem.norm.running_mean is called as PyTorch calls")
    assert "(4 such arrays). Name them in buffers() of task.py" in told


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["stem.norm.variance"], "buffers() names 'stem.norm.variance', which is no array of the model."),
        (list(Normalized().initial_arrays(0)), "The model holds no parameters: "),
        (None, "buffers() returns None, and no list of names. Correct buffers() in task.py."),
        ("stem.norm.running_var", "buffers() returns 'stem.norm.running_var', and no list of names."),
        ([["stem.norm.running_var"]], "buffers() returns [['stem.norm.running_var']], and no list of names."),
    ],
)
def test_buffers_that_cannot_be_end_the_run_before_a_round(
    federation: Federation, normalized: Normalized, monkeypatch: pytest.MonkeyPatch, named: object, message: str
) -> None:
    monkeypatch.setattr(task, "buffers", lambda: named, raising=False)
    with pytest.raises(RunFailedError, match="^" + re.escape(message)):
        federation.train(num_rounds=1)
    assert federation.last.log == []


def test_an_arithmetic_that_this_release_does_not_know_is_another_training(federation: Federation) -> None:
    federation.train(num_rounds=1)
    path = federation.checkpoints() / "checkpoint_round_1.json"
    for file in (path, federation.checkpoints() / "checkpoint_latest.json"):
        file.write_text(json.dumps(sealed({**json.loads(path.read_text()), "arithmetic": 3})))
    with pytest.raises(RunFailedError, match="is of another training: arithmetic 3, which this release does not know"):
        federation.train(num_rounds=2, resume="require")


@every_strategy
def test_mixed_replies_are_exact_when_a_training_is_interrupted(
    federation: Federation, normalized: Normalized, name: str
) -> None:
    asked = {"strategy": name, "num_rounds": 3, "nnm_malicious": 2, **PARAMETERS.get(name, {})}
    federation.train("plain", **{**asked, "nnm_malicious": 0})
    federation.train("straight", **asked)
    with pytest.raises(Killed):
        federation.train("interrupted", **asked, grid={"killed_in_round": 2})
    federation.train("interrupted", **asked, nodes_seed=5)
    assert federation.arrays(3, "interrupted") == federation.arrays(3, "straight") != federation.arrays(3, "plain")
    assert list(model(federation, 3, "straight")) == list(normalized.initial_arrays(0))


def test_too_few_replies_to_be_mixed_end_the_round(federation: Federation) -> None:
    asked = {"nnm_malicious": 3, "num_rounds": 1, "on_shortfall": "fail"}
    with pytest.raises(RunFailedError, match="6 valid replies, 7 needed"):
        federation.train(**asked, grid={"fails": lambda site, number, attempt: site == "site03"})


def test_what_is_mixed_has_the_order_and_the_shapes_of_the_model() -> None:
    values = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(2 + 1j), "n": np.zeros((0, 2)), "c": np.ones(3, ">f4")}
    before = ArrayRecord({name: Array(np.zeros_like(array)) for name, array in values.items()})
    replies = [
        ArrayRecord({name: Array(np.asarray(array * size, array.dtype)) for name, array in values.items()})
        for size in (1, 2, 3, 1000)
    ]
    mix(replies, before, list(values), 1)
    assert [list(reply) for reply in replies] == [list(values)] * 4
    for name, array in values.items():
        np.testing.assert_allclose(replies[0][name].numpy(), array * 2)  # the mean of the first three, without the liar
        np.testing.assert_allclose(replies[3][name].numpy(), array * 335, rtol=1e-6)
        assert {(str(reply[name].numpy().dtype), reply[name].numpy().shape) for reply in replies} == {
            (str(array.dtype), array.shape)
        }


class Claiming:
    """Sites that say other numbers of examples than they have."""

    def __init__(self, claims: dict[str, float], metric: str = "num-examples") -> None:
        self.claims, self.metric = claims, metric

    def __call__(self, site: str, message: Message) -> None:
        for metrics in message.content.metric_records.values():
            if site in self.claims and self.metric in metrics:
                metrics[self.metric] = self.claims[site]


def test_a_claim_is_worth_what_the_variables_say(federation: Federation) -> None:
    def trained(where: str, claims: dict[str, float], **more: object) -> bytes:
        federation.train(where, num_rounds=1, grid={"on_the_way": Claiming(claims)}, **more)
        return federation.arrays(1, where)

    alike = dict.fromkeys(federation.names, 50)
    lied = {**alike, "site03": 2**53}
    plain = trained("plain", alike)
    assert trained("believed", lied) != plain
    assert trained("bounded", lied, max_examples=50) == plain
    assert trained("uniform", lied, weighting="uniform") == trained("others", {"site01": 3}, weighting="uniform")
    shared = [trained(f"shared-{claim}", {**alike, "site03": claim}, max_weight_share=2) for claim in (10**6, 2**53)]
    assert shared[0] == shared[1] != plain


def test_claims_are_told_by_site_and_round(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    federation.train(num_rounds=2, grid={"on_the_way": Claiming({"site03": 2**53})})
    told = [text for text in caplog.messages if "more than all other sites together" in text]
    assert [text.split(" claims ")[0] for text in told] == ["Round 1: site03", "Round 2: site03"]


def test_a_claim_that_jumps_over_a_lost_run_is_told(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    before = {"on_the_way": Claiming(dict.fromkeys(federation.names, 50)), "killed_in_round": 3}
    with pytest.raises(Killed):
        federation.train(num_rounds=4, grid=before)
    federation.train(
        num_rounds=4, grid={"on_the_way": Claiming({**dict.fromkeys(federation.names, 50), "site03": 101})}
    )
    told = [text for text in caplog.messages if "and claimed" in text]
    assert told == [
        f"Round 3: {what}site03 claims 101 examples, and claimed 50 before." for what in ("", "evaluating, ")
    ]


@pytest.mark.parametrize("loss", [0.0, 1e12])
def test_no_loss_owns_or_stops_qfedavg(federation: Federation, loss: float) -> None:
    asked = {"strategy": "QFedAvg", "num_rounds": 3}
    federation.train("straight", **asked)
    federation.train("lied", **asked, grid={"on_the_way": Claiming({"site03": loss}, "train_loss")})
    begun = {name: array.astype(np.float64) for name, array in task.initial_arrays(42).items()}
    moved = [
        {name: array - begun[name] for name, array in model(federation, 3, where).items()}
        for where in ("straight", "lied")
    ]
    norms = [np.sqrt(sum((array**2).sum() for array in each.values())) for each in moved]
    along = sum((moved[0][name] * moved[1][name]).sum() for name in begun) / (norms[0] * norms[1])
    assert along > 0.9
    assert 0.5 < norms[1] / norms[0] < 2
    line = federation.published("history.jsonl")[-1]
    assert (line["metrics"]["train_loss"] > 1e9) == (loss > 1)  # what was reported is what is told


def test_qfedavg_steps_less_the_larger_q_and_the_updates() -> None:
    """What docs/robustness.md says of its step, and why q is small unless somebody chooses it."""

    def step(q: float, *lengths: float) -> float:
        moved, bounds = zip(
            *(compute_delta_and_h([np.zeros(1)], [np.full(1, length)], q, L=10.0, loss=0.5) for length in lengths),
            strict=True,
        )
        return -sum(delta[0][0] for delta in moved) / sum(bounds) / (sum(lengths) / len(lengths))

    default = BY_NAME["qfedavg_q"].default
    assert step(0.0, 1.0, 3.0) == pytest.approx(1.0)
    assert step(0.1, 1.0, 3.0) == pytest.approx(1 / (1 + 0.1 * 10 / 0.5 * (1 + 9) / 2))
    assert step(default, 1.0, 1.0, 3.0) > 0.5 > 0.2 > step(0.1, 1.0, 1.0, 3.0)


def test_a_model_of_bfloat16_is_trained_saved_and_resumed(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through everything, with a task that keeps its numbers as NumPy has them without ml_dtypes."""
    plain = {name: getattr(task, name) for name in ("initial_arrays", "train", "evaluate", "evaluate_centrally")}

    def narrow(arrays: task.Arrays) -> task.Arrays:
        return {name: dtypes.narrowed(np.asarray(values), "bfloat16") for name, values in arrays.items()}

    def wide(arrays: task.Arrays) -> task.Arrays:
        assert all(str(values.dtype) == "|V2" for values in arrays.values())
        return {name: dtypes.wide(values) for name, values in arrays.items()}

    def train(arrays: task.Arrays, *rest: object) -> tuple:
        made, metrics = plain["train"](wide(arrays), *rest)
        return narrow(made), metrics

    monkeypatch.setattr(task, "initial_arrays", lambda seed: narrow(plain["initial_arrays"](seed)))
    monkeypatch.setattr(task, "train", train)
    for name in ("evaluate", "evaluate_centrally"):
        monkeypatch.setattr(task, name, lambda arrays, *rest, name=name: plain[name](wide(arrays), *rest))
    for strategy in ("FedAvg", "FedAvgM", "FedAdam", "Bulyan"):
        asked = {"strategy": strategy, "num_rounds": 4, "local_epochs": 4}
        federation.train(f"straight-{strategy}", **asked)
        with pytest.raises(Killed):
            federation.train(strategy, **asked, grid={"killed_in_round": 3})
        federation.train(strategy, **asked)
        assert federation.arrays(4, strategy) == federation.arrays(4, f"straight-{strategy}")
        assert {entry["dtype"] for entry in manifest(federation, 4, strategy)["arrays"]} == {"bfloat16"}
    assert federation.published("history.jsonl")[-1]["accuracy"] > 0.4


def test_what_a_strategy_chose_is_told(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    federation.train(strategy="MultiKrum", num_rounds=1, num_malicious=2, num_nodes_to_select=3)
    (told,) = (text for text in caplog.messages if " chose " in text)
    assert re.fullmatch(r"Round 1: MultiKrum chose site0\d, site0\d, site0\d", told)
