# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's code makes of a training: the same goes on, other code is another one, unless it is told to go on."""

from __future__ import annotations

import json

import pytest
from simulated import Federation, trained

from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._checkpoint.manifest import CheckpointError, check, sealed
from fedops_kit.knowledge.version import VERSION

OURS, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64


def codes(federation: Federation, number: int) -> tuple[str | None, str | None]:
    manifest = json.loads((federation.checkpoints() / f"checkpoint_round_{number}.json").read_text())
    return manifest.get("code"), manifest.get("code_began")


def test_the_same_code_goes_on(federation: Federation) -> None:
    federation.train(num_rounds=2, code_sha256=OURS)
    assert trained(federation.train(num_rounds=3, code_sha256=OURS)) == [3]
    assert codes(federation, 3) == (OURS, OURS)


def test_other_code_is_another_training_and_what_it_had_is_kept(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=2, code_sha256=OURS)
    assert trained(federation.train(num_rounds=2, code_sha256=OTHER)) == [1, 2]
    assert "is of another training: code aaaaaaaa, now bbbbbbbb (fl_code_change: continue goes on)" in caplog.text
    assert codes(federation, 2) == (OTHER, OTHER)
    (aside,) = (federation.checkpoints() / "previous").iterdir()
    hash8 = federation.published("effective.json")["configuration_hash"][:8]
    assert aside.name.startswith(f"default-{hash8}.aaaaaaaa-")
    assert sorted(path.suffix for path in aside.iterdir()) == [".json", ".json", ".npz", ".npz"]
    assert [line["code"] for line in federation.published("history.jsonl")] == [OTHER, OTHER]


def test_other_code_goes_on_where_it_is_told_to_and_every_later_round_tells_both(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(num_rounds=2, code_sha256=OURS)
    assert trained(federation.train(num_rounds=3, code_sha256=OTHER, code_change="continue")) == [3]
    assert f"was trained with {OURS}, and the training goes on with {OTHER}" in caplog.text
    # It is that training from now on, whoever says it again or not.
    assert trained(federation.train(num_rounds=4, code_sha256=OTHER)) == [4]
    assert [codes(federation, number) for number in (2, 3, 4)] == [(OURS, OURS), (OTHER, OURS), (OTHER, OURS)]
    told = [(line["round"], line["code"], line["code_began"]) for line in federation.published("history.jsonl")]
    assert told == [(1, OURS, OURS), (2, OURS, OURS), (3, OTHER, OURS), (4, OTHER, OURS)]
    for name in ("effective.json", "result.json"):
        assert (federation.published(name)["code"], federation.published(name)["code_began"]) == (OTHER, OURS)
    assert not (federation.checkpoints() / "previous").exists()


def test_who_goes_back_to_the_code_before_goes_back_to_its_model(federation: Federation) -> None:
    federation.train(num_rounds=2, code_sha256=OURS)
    federation.train(num_rounds=3, code_sha256=OTHER, code_change="continue")
    assert trained(federation.train(num_rounds=4, code_sha256=OURS)) == [3, 4]
    assert codes(federation, 4) == (OURS, OURS)


def test_a_training_of_which_nobody_knows_the_code_takes_over_what_it_finds_and_says_so_once(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    federation.train(num_rounds=2)
    assert codes(federation, 2) == (None, None)
    said = f"checkpoint_round_2.npz does not say with which code it was trained: the training takes over {OURS}."
    assert trained(federation.train(num_rounds=3, code_sha256=OURS)) == [3]
    assert said in caplog.text
    assert codes(federation, 3) == (OURS, None)
    caplog.clear()
    assert trained(federation.train(num_rounds=4, code_sha256=OURS)) == [4]
    assert "does not say" not in caplog.text
    # Of a run that is not told its code, the same: it was submitted by hand.
    assert trained(federation.train(num_rounds=5)) == [5]
    assert codes(federation, 5) == (OURS, None)
    assert trained(federation.train(num_rounds=5, code_sha256=OTHER)) == [1, 2, 3, 4, 5]


def test_require_says_that_the_code_is_another_one(federation: Federation) -> None:
    federation.train(num_rounds=2, code_sha256=OURS)
    with pytest.raises(RunFailedError, match=r"code aaaaaaaa, now bbbbbbbb \(fl_code_change: continue goes on\)"):
        federation.train(num_rounds=3, code_sha256=OTHER, resume="require")


def test_code_changes_no_hash_and_no_byte(federation: Federation) -> None:
    federation.train(num_rounds=2)
    hashes = {federation.published("effective.json")["configuration_hash"]}
    federation.train("other", num_rounds=2, code_sha256=OURS, training_name="other")
    hashes.add(federation.published("effective.json", "other")["configuration_hash"])
    assert len(hashes) == 1
    assert federation.arrays(2) == (federation.checkpoints("other") / "checkpoint_round_2.npz").read_bytes()


def test_what_saved_a_checkpoint_is_told_beside_what_goes_on_from_it(
    federation: Federation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("fedops_kit.kept_rounds.VERSION", "0.0.9")
    federation.train(num_rounds=1, code_sha256=OURS)
    monkeypatch.undo()
    monkeypatch.setenv("FEDOPS_TRAININGS_DIR", str(federation.root / "trainings"))
    federation.train(num_rounds=2, code_sha256=OURS)
    assert f"checkpoint_round_1.npz was saved by the kit 0.0.9, this one is {VERSION}." in caplog.text
    assert federation.published("effective.json")["resumed_from"]["kit"] == "0.0.9"


@pytest.mark.parametrize("code", ["../x", "A" * 64, 1, None])
def test_a_manifest_with_a_code_that_is_no_hash_is_none(federation: Federation, code: object) -> None:
    federation.train(num_rounds=1, code_sha256=OURS)
    manifest = json.loads((federation.checkpoints() / "checkpoint_round_1.json").read_text())
    check("there", 1, manifest)
    for field in ("code", "code_began"):
        with pytest.raises(CheckpointError, match=f"is not a manifest: {field} is"):
            check("there", 1, sealed({**manifest, field: code}))
