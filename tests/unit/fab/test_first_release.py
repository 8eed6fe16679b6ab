# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that the first release has begun is resumed by this one, also when the table has got new rows."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from simulated import Federation, digits, trained

from fedops_kit.knowledge._config import continuity, training
from fedops_kit.knowledge._config.table import BY_KEY, VARIABLES
from fedops_kit.knowledge._config.variable import Variable

RECORDED = Path(__file__).parents[1] / "recorded"
REQUEST = json.loads((RECORDED / "trainings" / "ward" / "request.json").read_text())


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Federation:
    """The three sites with which it was begun, and what it had saved."""
    federation = Federation(tmp_path, sites=3)
    digits(tmp_path / "server" / "test.npz", seed=99)
    monkeypatch.setenv("FEDOPS_DATA_DIR", str(tmp_path / "server"))
    monkeypatch.setenv("FEDOPS_TRAININGS_DIR", str(tmp_path / "trainings"))
    shutil.copytree(RECORDED / "checkpoints", federation.checkpoints(), symlinks=True)
    return federation


def run_config(federation: Federation, **more: object) -> dict[str, object]:
    """Return what its request says, on this machine."""
    asked = tomllib.loads(REQUEST["run_config"])
    return {**asked, "checkpoint-path": str(federation.checkpoints()), **more}


def test_its_request_goes_on_from_its_checkpoint(ward: Federation) -> None:
    assert trained(ward.train_run_config(run_config(ward, resume="require"))) == [3, 4]
    effective, result = (ward.published(f"{name}.json", "ward") for name in ("effective", "result"))
    assert effective["resumed_from"]["file"] == "checkpoint_round_2.npz"
    assert effective["configuration_hash"] == result["configuration_hash"] == REQUEST["configuration_hash"]
    assert result["rounds"] == 4
    straight = run_config(ward, **{"checkpoint-path": str(ward.checkpoints("straight")), "training-name": "straight"})
    assert trained(ward.train_run_config(straight)) == [1, 2, 3, 4]
    # Recorded on another machine, whose arithmetic may differ in the last bits.
    with (
        np.load(ward.checkpoints() / "checkpoint_round_4.npz") as one,
        np.load(ward.checkpoints("straight") / "checkpoint_round_4.npz") as other,
    ):
        assert one.files == other.files
        assert all(np.allclose(one[name], other[name], atol=1e-4) for name in one.files)


@pytest.mark.parametrize("default", [3, 0.5, True, "plain"])
def test_so_it_does_when_the_app_knows_a_row_that_was_not_there(
    ward: Federation, monkeypatch: pytest.MonkeyPatch, default: object
) -> None:
    row = Variable("novelty", type(default).__name__, default, "Novelty", "Is new.", "local")
    for module in (training, continuity):
        monkeypatch.setattr(module, "VARIABLES", (*VARIABLES, row))
    for name in ("BY_KEY", "BY_ANSIBLE", "BY_NAME"):
        key = {"BY_KEY": row.key, "BY_ANSIBLE": row.ansible, "BY_NAME": row.name}[name]
        monkeypatch.setattr(training, name, {**getattr(training, name), key: row})
    monkeypatch.setattr("fedops_app.run.BY_NAME", training.BY_NAME)
    assert row.key not in BY_KEY
    # What Flower makes of it: the default that the new app declares.
    given = run_config(ward, resume="require", novelty=default)
    assert trained(ward.train_run_config(given)) == [3, 4]
    effective = ward.published("effective.json", "ward")
    assert effective["configuration_hash"] == REQUEST["configuration_hash"]
    assert effective["run_config"]["novelty"] == default
