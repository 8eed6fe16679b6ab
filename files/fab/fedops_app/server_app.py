# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: one training, from its variables to its result."""

from __future__ import annotations

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from .run import run_training

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the training that the run configuration describes."""
    run_training(grid, context)
