# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.fedops.flower.plugins.plugin_utils import _program


def test_the_same_sources_make_the_same_program() -> None:
    assert _program.build() == _program.build()


def test_the_program_holds_what_it_imports_and_nothing_of_ansible() -> None:
    with zipfile.ZipFile(io.BytesIO(_program.build())) as archive:
        names = archive.namelist()
        texts = [archive.read(name).decode() for name in names]
    assert "__main__.py" in names
    assert all(f"fedops_supervisor/{name}.py" in names for name in ("_supervisor", "_supervision", "_watch", "_flwr"))
    assert not any("ansible" in line for text in texts for line in text.splitlines() if "import" in line)


@pytest.mark.parametrize(("name", "status"), [("default", 78), ("../etc", 78)])
def test_the_program_runs_isolated_from_everything(tmp_path, name, status) -> None:
    path = tmp_path / _program.NAME
    path.write_bytes(_program.build())
    command = [sys.executable, "-I", "-B", str(path), "--home", str(tmp_path), name]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert len(done.stdout.splitlines()) == 1
