# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings on a simulated grid: the app's own ServerApp and ClientApp code, with the digits dealt to sites."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, quiet_flower

sys.path.insert(0, str(ROOT / "testbed"))
sys.path.insert(0, str(ROOT / "files/fab"))
sys.path.insert(0, str(ROOT / "examples/digits"))

import deal
from flwr.app import Context, Message, RecordDict
from simulated import SimulatedGrid

from fedops_app.run import run_training
from fedops_kit.knowledge._config.table import BY_KEY
from fedops_kit.knowledge._config.training import Training

TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Simulation:
    """Sites with their shares of the digits, and a server with the test set."""

    root: Path
    sites: tuple[str, ...]

    @classmethod
    def dealt(cls, root: Path, sites: int, alpha: float, seed: int) -> Simulation:
        """Deal the digits; a small alpha makes the sites very different, a large one makes them alike."""
        rng = np.random.default_rng(seed)
        rest, test = deal.hold_out(deal.load(), TEST_FRACTION, rng)
        names = tuple(f"site{number:02}" for number in range(1, sites + 1))
        for name, share in zip(names, deal.deal(rest, sites, alpha, rng), strict=True):
            share.save(root / name / "train.npz")
        test.save(root / "server" / "test.npz")
        return cls(root, names)

    @classmethod
    @contextmanager
    def of_hosts(cls, data: Path, sites: tuple[str, ...]) -> Iterator[Simulation]:
        """Lend the data of test hosts: C(test.npz) of the server, C(<host>/train.npz) or C(<host>/<site>/train.npz)."""
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            (root / "server").mkdir()
            (root / "server" / "test.npz").symlink_to(data / "test.npz")
            for site in sites:
                (share,) = (*data.glob(site), *data.glob(f"*/{site}"))
                (root / site).symlink_to(share)
            yield cls(root, sites)

    def repeat(self, run_config: Mapping[str, object], **more: object) -> dict[str, Any]:
        """Train what a run configuration says; return the result that it leaves."""
        variables = {BY_KEY[key].name: value for key, value in run_config.items()}
        self.train({**variables, "checkpoint_path": str(self.root / "checkpoints")}, **more)
        return json.loads((self.root / "trainings" / str(variables["training_name"]) / "result.json").read_text())

    def train(
        self,
        variables: Mapping[str, object],
        node_configs: Mapping[str, dict[str, object]] | None = None,
        on_the_way: Callable[[str, Message], None] = lambda _site, _message: None,
        grid: Callable[..., SimulatedGrid] = SimulatedGrid,
    ) -> list[dict[str, Any]]:
        """Run one training of all sites; return its history, a row a round. Raises as the ServerApp would."""
        everybody = {"min_fit_clients": len(self.sites), "min_available_clients": len(self.sites)}
        given = {"fraction_evaluate": 0, **everybody, **variables}
        training = Training.from_variables({"fl_" + name: value for name, value in given.items()})
        nodes = dict(enumerate(self.sites, start=1))
        made = grid(nodes, self.root, node_configs=dict(node_configs or {}), on_the_way=on_the_way)
        with _server(self.root):
            run_training(made, Context(made.run_id, 0, {}, RecordDict(), training.run_config))
        history = self.root / "trainings" / str(training.values["training_name"]) / "history.jsonl"
        return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]


@contextmanager
def _server(root: Path) -> Iterator[None]:
    """Be the server's process for a while: its directories, and no log."""
    before = dict(os.environ)
    gc.freeze()  # Flower collects garbage after every reply of some strategies
    os.environ |= {"FEDOPS_DATA_DIR": str(root / "server"), "FEDOPS_TRAININGS_DIR": str(root / "trainings")}
    try:
        with quiet_flower():
            yield
    finally:
        os.environ.clear()
        os.environ |= before
        gc.unfreeze()
