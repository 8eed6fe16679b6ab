# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ClientApp starts for each message, and imports what it needs for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FAB = Path(__file__).resolve().parents[3] / "files" / "fab"
# What only a ServerApp has a use for, and what takes long: the table of variables, and all that is checked by it.
NOT_NEEDED = {"_config.table", "_config.training", "exact", "guards", "keeping", "reports"}


def test_a_clientapp_leaves_out_what_is_the_servers() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import fedops_app.client_app\n"
        "print(*(name for name in sys.modules if name.startswith('fedops_kit.')))"
    )
    told = subprocess.run(
        [sys.executable, "-B", "-c", program, FAB], capture_output=True, text=True, check=True, timeout=120
    ).stdout.split()
    names = {name.removeprefix("fedops_kit.").removeprefix("knowledge.") for name in told}
    assert "packing" in names
    assert names & NOT_NEEDED == set()
