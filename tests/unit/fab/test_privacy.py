# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differential privacy of trainings: exact after whatever has died on the way, counted in full, and still learning."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from simulated import Federation, Killed, trained
from test_exact_resume import KILLS, ROUNDS_TO_KILL, train_and_kill, variables

from fedops_kit.accountant import accountant
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.accounting import epsilon, rounds_within
from fedops_kit.knowledge._config.privacy import ADAPTIVE, FIXED, LOCAL_NOISE

CENTRAL = {"privacy": FIXED, "weighting": "uniform"}
KINDS: dict[str, dict[str, object]] = {
    FIXED: CENTRAL,
    ADAPTIVE: {**CENTRAL, "privacy": ADAPTIVE, "privacy_clipping_norm": 0.1},
    LOCAL_NOISE: {"privacy": LOCAL_NOISE, "privacy_noise_multiplier": 0.01},
}
SEEDED = {"privacy_seed": 7}
every_kind = pytest.mark.parametrize("kind", KINDS)


def lines(federation: Federation, training: str = "default") -> list[dict[str, Any]]:
    return federation.published("privacy.jsonl", training)


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "Krum"])
@every_kind
def test_twenty_kills_leave_the_bytes_of_an_undisturbed_training(
    federation: Federation, strategy: str, kind: str
) -> None:
    settings = {
        "num_rounds": ROUNDS_TO_KILL, "checkpoint_keep_last": 3, **KINDS[kind], **SEEDED, **variables(strategy),
    }  # fmt: skip
    federation.train("straight", **settings)
    chance = random.Random(f"private kills of {strategy} {kind}")
    reached = [train_and_kill(federation, settings, chance) for _kill in range(KILLS)]
    assert reached == sorted(reached)
    assert 0 < reached[-1] < ROUNDS_TO_KILL
    federation.train("killed", **settings)
    assert federation.arrays(ROUNDS_TO_KILL, "killed") == federation.arrays(ROUNDS_TO_KILL, "straight")


@every_kind
def test_noise_is_another_one_each_time(federation: Federation, kind: str) -> None:
    federation.train("one", num_rounds=1, **KINDS[kind])
    federation.train("two", num_rounds=1, **KINDS[kind])
    assert federation.arrays(1, "one") != federation.arrays(1, "two")


@every_kind
def test_a_task_that_seeds_numpy_does_not_know_the_noise(
    federation: Federation, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fedops_app import task

    train, first = task.train, task.initial_arrays

    def seeding(*given: Any) -> Any:
        made = train(*given)
        np.random.seed(1)
        return made

    def seeding_first(*given: Any) -> Any:
        np.random.seed(1)
        return first(*given)

    monkeypatch.setattr(task, "train", seeding)
    monkeypatch.setattr(task, "initial_arrays", seeding_first)
    test_noise_is_another_one_each_time(federation, kind)


def test_off_is_what_it_was(federation: Federation) -> None:
    federation.train("without", num_rounds=2)
    federation.train("off", num_rounds=2, privacy="none", privacy_clipping_norm=3, privacy_delta=0.1)
    assert federation.arrays(2, "without") == federation.arrays(2, "off")
    assert not (federation.root / "trainings/default/privacy.jsonl").exists()
    assert "privacy" not in federation.published("history.jsonl")[-1]
    assert "privacy" not in federation.published("effective.json")
    assert "privacy" not in json.loads((federation.checkpoints("off") / "checkpoint_round_2.json").read_text())


@pytest.mark.parametrize(
    ("kind", "noise", "learns"),
    [
        (FIXED, 0.5, True),
        (FIXED, 50.0, False),
        (ADAPTIVE, 0.5, True),
        (LOCAL_NOISE, 0.03, True),
        (LOCAL_NOISE, 5.0, False),
    ],
)
def test_mild_noise_still_learns_and_strong_noise_does_not(
    federation: Federation, kind: str, noise: float, learns: bool
) -> None:
    settings = {"privacy_noise_multiplier": noise, "privacy_clipping_norm": 1.0, "local_epochs": 3, "num_rounds": 15}
    federation.train(**{**KINDS[kind], **settings})
    before = federation.published("initial.json")["accuracy"]
    accuracies = [line["accuracy"] for line in federation.published("history.jsonl")]
    assert before < 0.3
    assert (accuracies[-1] > 0.85) == learns, accuracies


def test_epsilon_by_round_is_told_everywhere(federation: Federation) -> None:
    federation.train(**CENTRAL, privacy_noise_multiplier=2.0, num_rounds=3)
    told = [line["privacy"] for line in federation.published("history.jsonl")]
    assert [each["epsilon"] for each in told] == [epsilon({2.0: number}, 1e-5) for number in (1, 2, 3)]
    assert [each["releases"] for each in told] == [1, 2, 3]
    assert told[0]["noise_stddev"] == pytest.approx(2.0 * 1.0 / 7)
    assert federation.published("result.json")["privacy"]["epsilon"] == told[-1]["epsilon"]
    effective = federation.published("effective.json")["privacy"]
    assert (effective["noise_multiplier"], effective["accountant"]) == (2.0, accountant())
    manifest = json.loads((federation.checkpoints() / "checkpoint_round_3.json").read_text())
    assert manifest["privacy"] == {"clipping_norm": 1.0, "releases": [[2.0, 3]]}


def test_a_round_that_is_trained_twice_counts_twice_where_its_model_was_let_out(federation: Federation) -> None:
    rare = {**CENTRAL, "checkpoint_interval": 3}
    with pytest.raises(Killed):
        federation.train(**rare, grid={"killed_in_round": 6})  # 4 and 5 were let out, and are not saved
    assert trained(federation.train(**rare)) == [4, 5, 6]
    assert [line["round"] for line in lines(federation)] == [1, 2, 3, 4, 5, 4, 5, 6]
    assert federation.published("result.json")["privacy"]["releases"] == 8
    # Of a round that was lost before its model was made, nothing was seen.
    federation.train("more", training_name="more", **CENTRAL, num_rounds=1)
    with pytest.raises(Killed):
        federation.train("more", training_name="more", **CENTRAL, grid={"killed_in_round": 2})
    federation.train("more", training_name="more", **CENTRAL, num_rounds=2)
    assert len(lines(federation, "more")) == 2


def test_replies_that_were_asked_for_count_where_sites_add_the_noise(federation: Federation) -> None:
    with pytest.raises(Killed):
        federation.train(**KINDS[LOCAL_NOISE], num_rounds=2, grid={"killed_in_round": 2})
    federation.train(**KINDS[LOCAL_NOISE], num_rounds=2)
    assert [line["round"] for line in lines(federation)] == [1, 2, 2]


def test_it_is_written_down_before_it_is_let_out(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees a model, or a reply, with noise finds it counted."""
    seen: list[tuple[str, int, int]] = []

    def look(site: str, message: Message) -> None:
        if message.has_content() and message.metadata.dst_node_id != 1 and "config" in message.content.config_records:
            path = federation.root / "trainings/default/privacy.jsonl"
            count = len(path.read_text().splitlines()) if path.exists() else 0
            number = message.content.config_records["config"]["server-round"]
            seen.append((message.metadata.message_type, number, count))

    federation.train(**CENTRAL, num_rounds=3, grid={"on_the_way": look})
    assert set(seen) == {
        *(("train", number, number - 1) for number in (1, 2, 3)),
        *(("evaluate", number, number) for number in (1, 2, 3)),
    }


def test_a_budget_ends_a_training_as_completed(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    noise, budget = 4.0, 3.0
    possible = rounds_within(noise, 1e-5, budget)
    assert 1 < possible < 20
    settings = {**CENTRAL, "privacy_noise_multiplier": noise, "privacy_epsilon_budget": budget, "num_rounds": 20}
    settings["checkpoint_interval"] = 5
    federation.train(**settings)
    result = federation.published("result.json")
    assert result["rounds"] == possible
    assert result["checkpoint"] == f"checkpoint_round_{possible}.npz"
    assert (result["privacy"]["over"], result["privacy"]["ended"]) == (True, True)
    assert result["privacy"]["epsilon"] <= budget < epsilon({noise: possible + 1}, 1e-5)
    assert f"stopped after round {possible}, as one more would exceed the privacy budget" in caplog.text
    assert federation.train(**settings).log == []  # again changes nothing
    assert federation.published("result.json")["privacy"]["ended"] is True
    more = {**settings, "privacy_epsilon_budget": 3.5}
    assert trained(federation.train(**more))[0] == possible + 1
    assert federation.published("result.json")["privacy"]["epsilon"] <= 3.5


def test_what_a_lost_run_has_spent_ends_the_next_one_earlier(federation: Federation) -> None:
    noise, budget = 4.0, 3.0
    possible = rounds_within(noise, 1e-5, budget)
    settings = {**CENTRAL, "privacy_noise_multiplier": noise, "privacy_epsilon_budget": budget, "num_rounds": 20}
    rare = {**settings, "checkpoint_interval": 50}
    with pytest.raises(Killed):
        federation.train(**rare, grid={"killed_in_round": 3})
    federation.train(**rare)
    assert federation.published("result.json")["rounds"] == possible - 2
    with pytest.raises(RunFailedError, match="budget of this training is used up: its runs before have spent"):
        federation.train("elsewhere", **rare)


def test_with_a_seed_a_killed_training_ends_in_the_same_round(federation: Federation) -> None:
    settings = {**CENTRAL, **SEEDED, "privacy_noise_multiplier": 4.0, "privacy_epsilon_budget": 3.0, "num_rounds": 20}
    federation.train("one", training_name="straight", **settings)
    rounds = federation.published("result.json", "straight")["rounds"]
    rare = {**settings, "checkpoint_interval": 3}
    for number in (3, rounds - 1, rounds):
        with pytest.raises(Killed):
            federation.train("killed", **rare, grid={"killed_in_round": number})
    federation.train("killed", **rare)
    assert federation.published("result.json")["rounds"] == rounds
    assert federation.arrays(rounds, "killed") == federation.arrays(rounds, "one/straight")


def test_a_checkpoint_that_has_come_alone_brings_what_was_spent(federation: Federation) -> None:
    federation.train(**CENTRAL, num_rounds=4)
    (federation.root / "trainings/default/privacy.jsonl").unlink()
    federation.train(**CENTRAL, num_rounds=5)
    assert federation.published("result.json")["privacy"]["releases"] == 5
    federation.train(**CENTRAL, num_rounds=6)
    assert federation.published("result.json")["privacy"]["releases"] == 6


def test_what_cannot_be_written_down_is_not_let_out(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    federation.train(**CENTRAL, num_rounds=1)
    path = federation.root / "trainings/default/privacy.jsonl"
    path.unlink()
    path.mkdir()
    with pytest.raises(RunFailedError, match="has spent cannot be read"):
        federation.train(**CENTRAL, num_rounds=2)
    path.rmdir()

    def full(*_given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fedops_kit.publish._append", full)
    with pytest.raises(RunFailedError, match="cannot be written down .No space left on device."):
        federation.train(**CENTRAL, num_rounds=2)
    assert not (federation.checkpoints() / "checkpoint_round_2.npz").exists()


def test_a_line_that_is_damaged_was_about_a_release(federation: Federation) -> None:
    federation.train(**CENTRAL, num_rounds=2)
    path = federation.root / "trainings/default/privacy.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first[:20]}\n{second.replace(': 1.0', ': -1')}\n")
    federation.train(**CENTRAL, num_rounds=3)
    assert federation.published("result.json")["privacy"]["releases"] == 3


def test_a_checkpoint_that_says_nonsense_of_it_is_damaged(federation: Federation) -> None:
    from fedops_kit.knowledge._checkpoint.manifest import sealed

    federation.train(**CENTRAL, num_rounds=3)
    path = federation.checkpoints() / "checkpoint_round_3.json"
    manifest = json.loads(path.read_text())
    for nonsense in ({"clipping_norm": -1, "releases": []}, {"clipping_norm": 1.0, "releases": [[1.0]]}, 3):
        manifest.pop("manifest_sha256", None)
        path.write_text(json.dumps(sealed({**manifest, "privacy": nonsense})))
        assert trained(federation.train(**CENTRAL, num_rounds=4)) == [3, 4]
        for number in (3, 4):
            (federation.checkpoints() / f"checkpoint_round_{number}.npz").rename(federation.root / f"{number}.npz")
            (federation.root / f"{number}.npz").rename(federation.checkpoints() / f"checkpoint_round_{number}.npz")
        manifest = json.loads(path.read_text())
        (federation.checkpoints() / "checkpoint_round_4.npz").unlink()
        (federation.checkpoints() / "checkpoint_round_4.json").unlink()


@pytest.mark.parametrize("killed_in_round", [3, 5, 6])
@every_kind
def test_it_goes_with_schedules_spikes_boosts_and_early_stopping(
    federation: Federation, kind: str, killed_in_round: int
) -> None:
    settings = {
        **KINDS[kind], **SEEDED, "strategy": "FedAdam", "checkpoint_interval": 2, "privacy_noise_multiplier": 0.5,
        "lr_schedule": "linear_warmup total_iters=2 then reduce_on_plateau patience=0 factor=0.5",
        "server_lr_schedule": "cosine_warm_restarts T_0=3", "spike_factor": 1.1, "spike_action": "rollback",
        "site_boost": 1.5, "early_stopping_patience": 5, "privacy_epsilon_budget": 1e6,
    }  # fmt: skip
    federation.train("straight", **settings)
    with pytest.raises(Killed):
        federation.train("killed", **settings, grid={"killed_in_round": killed_in_round})
    federation.train("killed", **settings)
    last = federation.published("result.json")["rounds"]
    assert federation.arrays(last, "killed") == federation.arrays(last, "straight")


def test_sixteen_bits_are_noised_as_float32_and_rounded_once(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fedops_app import task

    first = task.initial_arrays
    monkeypatch.setattr(
        task, "initial_arrays", lambda seed: {name: each.astype(np.float16) for name, each in first(seed).items()}
    )
    train = task.train

    def narrow(arrays: Any, *more: Any) -> Any:
        made, metrics = train({name: each.astype(np.float32) for name, each in arrays.items()}, *more)
        return {name: each.astype(np.float16) for name, each in made.items()}, metrics

    monkeypatch.setattr(task, "train", narrow)
    for kind, given in KINDS.items():
        federation.train(kind, **{**given, "privacy_noise_multiplier": 0.02}, num_rounds=1)
        with np.load(federation.checkpoints(kind) / "checkpoint_round_1.npz") as found:
            arrays = [found[name] for name in found.files]
        assert {str(each.dtype) for each in arrays} == {"float16"}
        assert all(np.isfinite(each).all() for each in arrays)


def test_without_noise_nothing_is_promised(federation: Federation) -> None:
    federation.train(**CENTRAL, privacy_noise_multiplier=0, privacy_clipping_norm=1e6, num_rounds=1)
    assert federation.published("result.json")["privacy"]["epsilon"] is None
    federation.train("one", training_name="plain", weighting="uniform", num_rounds=1)
    assert federation.arrays(1) == federation.arrays(1, "one/plain")  # and nothing is changed
    assert math.isinf(epsilon({0.0: 1}, 1e-5))
