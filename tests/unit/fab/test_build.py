# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app builds, holds nothing but itself, and is the same bytes whenever it is built from the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

APP = Path(__file__).resolve().parents[3] / "files/fab"


def build(where: Path) -> Path:
    where.mkdir()
    app = where / "fab"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    # What lies around in a checkout must not travel to the hosts.
    (app / "fedops_app/__pycache__").mkdir()
    (app / "fedops_app/__pycache__/task.cpython-311.pyc").write_bytes(b"")
    (app / "checkpoint_round_1.npz").write_bytes(b"")
    quiet = {"FLWR_HOME": str(where / ".flwr"), "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    command = [str(Path(sys.executable).with_name("flwr")), "build", "--app", str(app)]
    subprocess.run(command, cwd=where, env={"HOME": str(where), "PATH": "/usr/bin:/bin", **quiet}, check=True)
    (fab,) = where.glob("*.fab")
    return fab


def test_the_build_is_reproducible_and_holds_only_the_app(tmp_path: Path) -> None:
    one, two = build(tmp_path / "one"), build(tmp_path / "two")
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())
    sources = {path.relative_to(APP).as_posix() for path in APP.glob("fedops_*/**/*.py")}
    with zipfile.ZipFile(one) as archive:
        assert set(archive.namelist()) == sources | {"pyproject.toml", ".info/CONTENT"}
