# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a training begins, and that nothing in its way is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from simulated import Federation, Killed, trained

from fedops_kit.errors import RunFailedError


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def archived(federation: Federation) -> dict[str, list[str]]:
    """Return the directories below previous, by name without the time, with their files."""
    return {
        path.name.rsplit("-", 1)[0]: sorted(file.name for file in path.iterdir())
        for path in (federation.checkpoints() / "previous").glob("*")
    }


def pair(number: int) -> list[str]:
    return [f"checkpoint_round_{number}.json", f"checkpoint_round_{number}.npz"]


def test_the_log_says_where_a_training_begins(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    federation.train(num_rounds=2)
    assert "No checkpoint found of this training" in caplog.text
    assert "Resuming from checkpoint" not in caplog.text
    caplog.clear()
    federation.train(num_rounds=1)
    path = federation.checkpoints() / "checkpoint_round_2.npz"
    assert f"Resuming from checkpoint {path}, after round 2" in caplog.text
    assert "fl_num_rounds is 1 but 2 rounds are trained already" in caplog.text
    assert "No checkpoint found" not in caplog.text


def test_a_finished_training_is_not_trained_again(federation: Federation) -> None:
    federation.train(num_rounds=2)
    first = federation.published("result.json")
    assert trained(federation.train(num_rounds=2)) == []
    again = federation.published("result.json")
    assert again == {**first, "run_id": again["run_id"], "time": again["time"]}
    assert (first["rounds"], first["checkpoint"]) == (2, "checkpoint_round_2.npz")


def test_a_damaged_checkpoint_is_stepped_over_and_put_aside(federation: Federation) -> None:
    federation.train("straight", num_rounds=4)
    federation.train(num_rounds=3)
    damage(federation.checkpoints() / "checkpoint_round_3.npz")
    assert trained(federation.train(num_rounds=4)) == [3, 4]
    assert federation.arrays(4) == federation.arrays(4, "straight")
    hash8 = federation.published("effective.json")["configuration_hash"][:8]
    assert archived(federation) == {f"default-{hash8}": pair(3)}


def test_require_says_that_it_falls_back_when_the_newest_checkpoint_is_damaged(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=3)
    said = "fl_resume is require, so the training falls back to checkpoint_round_2.npz, after round 2."
    assert trained(federation.train(num_rounds=3, resume="require")) == []
    assert "falls back" not in caplog.text
    damage(federation.checkpoints() / "checkpoint_round_3.npz")
    assert trained(federation.train(num_rounds=4, resume="require")) == [3, 4]
    assert said in caplog.text
    assert "checkpoint_round_3.npz is damaged" in caplog.text.partition(said)[0]


def test_of_what_was_damaged_the_newest_three_are_kept(federation: Federation) -> None:
    federation.train(num_rounds=1)
    (federation.checkpoints() / "previous" / "damaged-by-me").mkdir(parents=True)
    for dummy in range(5):
        federation.train(num_rounds=2)
        (federation.checkpoints() / "checkpoint_round_2.json").write_text("{")
    federation.train(num_rounds=2)
    kept = sorted(path.name for path in (federation.checkpoints() / "previous").glob("damaged-*"))
    assert len(kept) == 4
    assert kept[-1] == "damaged-by-me"  # which is no name of ours
    assert all(sorted(os.listdir(federation.checkpoints() / "previous" / name)) == pair(2) for name in kept[:3])


@pytest.mark.parametrize("file", ["checkpoint_round_3.json", "checkpoint_round_3.npz"])
def test_half_a_checkpoint_does_not_count(federation: Federation, file: str) -> None:
    federation.train(num_rounds=3)
    (federation.checkpoints() / file).unlink()
    assert trained(federation.train(num_rounds=3)) == [3]


def test_when_every_checkpoint_is_damaged_auto_begins_anew_and_keeps_them(federation: Federation) -> None:
    federation.train(num_rounds=1)
    damage(federation.checkpoints() / "checkpoint_round_1.npz")
    assert trained(federation.train(num_rounds=1)) == [1]
    assert list(archived(federation).values()) == [pair(1)]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"strategy": "FedMedian"}, "strategy 'FedAvg', now 'FedMedian'"),
        ({"strategy": "FedProx"}, "proximal_mu not used, now 1.0; strategy 'FedAvg', now 'FedProx'"),
        ({"seed": 7}, "seed 42, now 7"),
    ],
)
def test_another_training_is_put_aside_by_auto_and_told_apart_by_require(
    federation: Federation, changed: dict[str, object], difference: str
) -> None:
    federation.train(num_rounds=2)
    hash8 = federation.published("effective.json")["configuration_hash"][:8]
    with pytest.raises(RunFailedError) as failure:
        federation.train(num_rounds=2, resume="require", **changed)
    path = federation.checkpoints() / "checkpoint_round_2.npz"
    assert f"{path} is of another training: {difference}." in str(failure.value)
    assert str(failure.value).count("another training") == 1  # not once for every checkpoint
    assert federation.last.log == []
    assert trained(federation.train(num_rounds=2, **changed)) == [1, 2]
    assert archived(federation) == {f"default-{hash8}": sorted(pair(1) + pair(2))}


def test_another_model_is_another_training(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    federation.train(num_rounds=1)
    monkeypatch.setattr("fedops_app.task.HIDDEN", 32)
    with pytest.raises(RunFailedError, match=r"arrays hidden.weight\[64, 64\] float32.*, now hidden.weight\[64, 32\]"):
        federation.train(num_rounds=1, resume="require")
    assert trained(federation.train(num_rounds=1)) == [1]


def test_never_begins_anew_and_keeps_what_was_there(federation: Federation) -> None:
    federation.train(num_rounds=2)
    assert trained(federation.train(num_rounds=2, resume="never")) == [1, 2]
    assert list(archived(federation).values()) == [sorted(pair(1) + pair(2))]


def test_require_fails_without_a_checkpoint(federation: Federation) -> None:
    with pytest.raises(RunFailedError, match="fl_resume is require but .* holds no good checkpoint.* It holds none"):
        federation.train(resume="require")


def test_require_resumes_where_it_can(federation: Federation) -> None:
    federation.train(num_rounds=2)
    assert trained(federation.train(num_rounds=3, resume="require")) == [3]


def test_a_foreign_checkpoint_of_a_lower_round_is_put_aside_too(federation: Federation) -> None:
    federation.train("other", num_rounds=1, seed=1)
    federation.train(num_rounds=3, checkpoint_interval=3)
    for name in pair(1):
        os.rename(federation.checkpoints("other") / name, federation.checkpoints() / name)
    assert trained(federation.train(num_rounds=4, checkpoint_interval=3)) == [4]
    assert list(archived(federation).values()) == [pair(1)]


def test_what_a_kill_amid_the_removal_of_old_checkpoints_left_is_put_aside_with_the_reason(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=3)
    (federation.checkpoints() / "checkpoint_round_1.json").unlink()
    assert trained(federation.train(num_rounds=4)) == [4]
    assert archived(federation) == {"damaged": ["checkpoint_round_1.npz"]}
    (said,) = (entry.getMessage() for entry in caplog.records if "is moved to" in entry.getMessage())
    assert said.startswith(
        f"Not all in {federation.checkpoints()} leads to checkpoint_round_3.npz."
        f" What lay in the way is moved to {federation.checkpoints()}/previous/damaged-"
    )


def test_without_checkpoints_every_run_begins_at_the_first_round(federation: Federation) -> None:
    federation.train(num_rounds=2)
    assert trained(federation.train(num_rounds=2, checkpoint_enabled=False)) == [1, 2]
    assert federation.published("effective.json")["resumed_from"] is None


def test_the_effective_configuration_names_the_checkpoint_that_was_resumed(federation: Federation) -> None:
    with pytest.raises(Killed):
        federation.train(grid={"killed_in_round": 3})
    federation.train()
    resumed = federation.published("effective.json")["resumed_from"]
    assert (resumed["round"], resumed["file"]) == (2, "checkpoint_round_2.npz")
