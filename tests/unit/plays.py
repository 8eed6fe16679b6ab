# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real plays of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[2] / ".ansible" / "collections"


def play_in(
    folder: Path,
    *arguments: str | Path,
    collections: Path = COLLECTIONS,
    timeout: float = 120,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook in a folder that is its home as well, with PATH and C(more) for its environment."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *arguments],
        env={
            "PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "COLUMNS": "2000",
            "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            **(more or {}),
        },
        cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
