# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke run of the real app: what it leaves, what it is called, and what it says of a site that fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from simulated import Federation

from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.training import Training

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))
from module_utils._supervisor.smoke import smoke_variables, verdict


def settings(federation: Federation, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the real training and its smoke run, as the module ``training_config`` does."""
    path = str(federation.checkpoints())
    real = {"fl_checkpoint_path": path, "fl_local_epochs": 4, "fl_num_rounds": 50, "fl_batch_size": 4, **given}
    asked = [Training.from_variables(real)]
    first = {"training": dict(asked[0].values), "run_config": asked[0].toml}
    smoke = Training.from_variables({**real, **smoke_variables(first, federation.names, batches=2)})
    return first, {"training": dict(smoke.values), "run_config": smoke.toml, "values": smoke.run_config}


def judged(federation: Federation, real: dict[str, Any], smoke: dict[str, Any]) -> dict[str, Any]:
    name = smoke["training"]["training_name"]
    history = federation.published("history.jsonl", name)
    own = Path(smoke["training"]["checkpoint_path"]) / name
    manifest = json.loads((own / "checkpoint_latest.json").read_text())
    run = {"run_id": history[-1]["run_id"], "history": history, "finished": True, "result": manifest}
    sites = {"sites": federation.names, "supernodes": {"supernodes": []}}
    return verdict({**sites, "real": real, "smoke": smoke, "run": run, "model": {"latest": manifest}})


def test_it_saves_beside_the_real_training_and_says_everywhere_what_it_is(federation: Federation) -> None:
    real, smoke = settings(federation)
    federation.train_run_config(smoke["values"])
    found = judged(federation, real, smoke)
    assert (found["passed"], found["sites"]) == (True, len(federation.names))
    assert found["expected_seconds"] + 1 > 50 * (found["round_seconds"] - 0.05)  # both are rounded
    assert [path.name for path in federation.checkpoints().iterdir() if path.name[0] != "."] == ["smoke-default"]
    manifest = json.loads((federation.checkpoints() / "smoke-default/checkpoint_latest.json").read_text())
    for told in (
        manifest,
        *(federation.published(name, "smoke-default") for name in ("effective.json", "result.json")),
    ):
        assert told["purpose"] == "smoke"
    assert federation.published("history.jsonl", "smoke-default")[-1]["purpose"] == "smoke"


def test_a_real_training_says_nothing_of_it_and_is_another_one(federation: Federation) -> None:
    federation.train(num_rounds=1)
    assert "purpose" not in federation.published("result.json")
    own = {"fl_training_name": "default"}
    assert (
        Training.from_variables(own).configuration_hash
        != Training.from_variables({**own, "fl_purpose": "smoke"}).configuration_hash
    )


def test_a_site_that_fails_is_told_while_the_others_train(federation: Federation) -> None:
    real, smoke = settings(federation)
    last = federation.names[-1]
    federation.train_run_config(smoke["values"], grid={"fails": lambda site, number, attempt: site == last})
    assert judged(federation, real, smoke)["problems"] == [f"{last} did not train: told to fail"]


def test_too_few_sites_end_it_at_once_with_the_reason(federation: Federation) -> None:
    dummy, smoke = settings(federation)
    with pytest.raises(RunFailedError, match="told to fail"):
        federation.train_run_config(smoke["values"], grid={"fails": lambda site, number, attempt: True})
