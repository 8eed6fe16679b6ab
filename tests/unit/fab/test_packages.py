# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app is built on the kit, and the kit on nothing of the app: another Flower app may have it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parents[3] / "files/fab/fedops_kit"


def test_the_kit_never_names_the_app() -> None:
    assert [str(path) for path in KIT.rglob("*.py") if "fedops_app" in path.read_text("utf-8")] == []


def test_every_module_of_the_kit_can_be_imported_without_the_app(tmp_path: Path) -> None:
    shutil.copytree(KIT, tmp_path / KIT.name, ignore=shutil.ignore_patterns("__pycache__"))
    files = sorted(path.relative_to(tmp_path).with_suffix("") for path in (tmp_path / KIT.name).rglob("*.py"))
    names = [".".join(file.parts).removesuffix(".__init__") for file in files]
    program = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (names, "")
