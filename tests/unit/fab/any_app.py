# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running an app of others on the simulated grid, as it stands or with the two lines that keep its strategy."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from flwr.app import Context, RecordDict
from flwr.supercore.run import Run
from simulated import SimulatedGrid

from fedops_kit.knowledge._config.kit import KIT_ROWS, kit_default, kit_key

APPS = Path(__file__).resolve().parents[2] / "apps"
NODES = {11: "north", 22: "south", 33: "west"}


@dataclass
class AnyApp:
    """An app, copied to where it may write."""

    name: str
    root: Path
    kept: bool = True
    runs: int = 0

    def __post_init__(self) -> None:
        self.path = self.root / self.name
        shutil.copytree(APPS / self.name, self.path, ignore=shutil.ignore_patterns("__pycache__"))
        app = tomllib.loads((self.path / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
        self.config = {**app["config"], **{kit_key(row): kit_default(row) for row in KIT_ROWS}}
        self.components = app["components"]
        self.package = self.components["serverapp"].partition(".")[0]
        if self.kept:
            server = self.path / self.package / "server_app.py"
            server.write_text(with_two_lines(server.read_text()))

    def loaded(self, component: str) -> object:
        """Return the ServerApp or the ClientApp, imported anew: each is a process of its own in a federation."""
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]
        module, dummy, attribute = self.components[component].partition(":")
        sys.path.insert(0, str(self.path))
        try:
            importlib.invalidate_caches()
            return getattr(importlib.import_module(module), attribute)
        finally:
            sys.path.remove(str(self.path))

    def train(self, where: str, grid: dict | None = None, **config: object) -> Path:
        """Run it once; return the folder that it ran in, and left its model in."""
        self.runs += 1
        run_config = {**self.config, **config}
        if self.kept:
            own = {"enabled": True, "interval": 1, "path": str(self.root / where), "keep-last": 0}
            run_config |= {f"fedops.checkpoint-{key}": value for key, value in own.items()}
        sites = {
            site: {"partition-id": number, "num-partitions": len(NODES)} for number, site in enumerate(NODES.values())
        }
        self.last = SimulatedGrid(
            NODES,
            self.root,
            self.runs,
            client=self.loaded("clientapp"),
            run_config=run_config,
            node_configs=sites,
            **(grid or {}),
        )
        run = Run.create_empty(self.runs)
        run.fab_id, run.fab_version, run.fab_hash = f"flwrlabs/{self.name}", "1.0.0", "0123456789ab"
        self.last.set_run(run)
        folder = self.root / f"{where}-folder"
        folder.mkdir(exist_ok=True)
        before = Path.cwd()
        os.chdir(folder)
        try:
            self.loaded("serverapp")(self.last, Context(self.runs, 0, {}, RecordDict(), run_config))
        finally:
            os.chdir(before)
        return folder


def with_two_lines(server: str) -> str:
    """Return a ServerApp that keeps its strategy: one line that imports, and one that wraps."""
    server, imported = re.subn(
        r"(?m)^(from flwr.serverapp import Grid, ServerApp)$", r"\1\nfrom fedops_kit import keep", server
    )
    server, wrapped = re.subn(
        r"(?m)^    (.*)strategy\.start\(", r"    strategy = keep(strategy, context)\n    \1strategy.start(", server
    )
    assert (imported, wrapped) == (1, 1)
    return server
