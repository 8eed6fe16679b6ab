# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that simulates sites: its model is that of a federation of the same sites, and says what it is.

Without Ray the sites work in this process. With it (make test-simulation) Flower's simulation runtime runs them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flwr.simulation
import pytest
from flwr.app import Context, RecordDict
from simulated import Federation, SimulatedGrid

from fedops_kit.knowledge._config.training import Training

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "roles/simulation/files/simulate.py"
ROUNDS = 3
Run = Callable[[dict[str, Any]], None]


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs the program with sites in the place of Ray's, whose numbers are in no order."""

    def run_simulation(server_app: Any, client_app: Any, num_supernodes: int, backend_config: dict) -> None:
        nodes = {number * 7919 % 101 + 1: "" for number in range(num_supernodes)}
        grid = SimulatedGrid(nodes, Path("/nowhere"), 77, client=client_app, arrival_seed=5)
        server_app(grid, Context(77, 0, {}, RecordDict(), {}))

    def run(spec: dict[str, Any]) -> None:
        found = importlib.util.spec_from_file_location("simulate", PROGRAM)
        program = importlib.util.module_from_spec(found)
        found.loader.exec_module(program)
        monkeypatch.setattr(flwr.simulation, "run_simulation", run_simulation)
        monkeypatch.setattr(os, "environ", dict(os.environ))
        path = Path(spec["environment"]["FEDOPS_TRAININGS_DIR"]).parent / "spec.json"
        path.write_text(json.dumps(spec))
        for name, value in spec["environment"].items():
            monkeypatch.setenv(name, value)
        assert program.main(str(path)) == 0

    return run


def by_ray(spec: dict[str, Any]) -> None:
    path = Path(spec["environment"]["FEDOPS_TRAININGS_DIR"]).parent / "spec.json"
    path.write_text(json.dumps(spec))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, str(PROGRAM), str(path)], env=environment, check=True, timeout=900)


@pytest.fixture(params=["here", "ray"])
def simulate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    if request.param == "here":
        return in_this_process(monkeypatch)
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: make test-simulation has it")
    return by_ray


def spec(federation: Federation, where: str, **given: Any) -> dict[str, Any]:
    root = federation.root / where
    root.mkdir()
    fixed = {"checkpoint_enabled": True, "checkpoint_interval": 1, "num_rounds": ROUNDS, "purpose": "simulation"}
    training = Training.from_variables(
        {
            f"fl_{name}": value
            for name, value in {**fixed, "checkpoint_path": str(root / "checkpoints"), **given}.items()
        }
    )
    return {
        "app": str(ROOT / "files/fab"), "app_id": "fedops/fedops-app", "app_version": "0.1.0", "app_hash": "ab" * 32,
        "run_config": training.toml, "cpus": 1, "gpus": 0, "all_cpus": 2,
        "sites": [{"name": name, "data": str(federation.root / "data" / name)} for name in federation.names],
        "environment": {"FEDOPS_TRAININGS_DIR": str(root / "published"), "FEDOPS_DATA_DIR": str(root / "none")},
    }  # fmt: skip


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam"])
def test_the_model_is_that_of_a_federation_of_the_same_sites(
    federation: Federation, simulate: Run, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"strategy": strategy, "fraction_train": 0.6, "min_available_clients": len(federation.names)}
    with monkeypatch.context() as context:
        context.setenv("FEDOPS_DATA_DIR", "/nowhere")
        federation.train("real", num_rounds=ROUNDS, **settings)
    simulate(spec(federation, "once", **settings))
    simulate(spec(federation, "twice", **settings))
    for number in range(1, ROUNDS + 1):
        real = federation.arrays(number, "real")
        assert federation.arrays(number, "once/checkpoints") == real
        assert federation.arrays(number, "twice/checkpoints") == real


def test_it_says_everywhere_what_it_is(federation: Federation, simulate: Run) -> None:
    simulate(spec(federation, "told"))
    published = federation.root / "told/published/default"
    told = [json.loads((published / name).read_text()) for name in ("effective.json", "result.json")]
    told += [json.loads(line) for line in (published / "history.jsonl").read_text().splitlines()]
    told.append(json.loads((federation.root / "told/checkpoints/checkpoint_latest.json").read_text()))
    assert [each["purpose"] for each in told] == ["simulation"] * (2 + ROUNDS + 1)
    assert [site["site"] for site in told[2]["sites"]] == federation.names
