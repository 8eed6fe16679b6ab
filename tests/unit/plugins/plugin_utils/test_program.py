# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.fedops.flower.plugins.plugin_utils._program import CLIENTAPPS, MIRROR, PROGRAMS, SUPERVISOR

ALL = {**PROGRAMS, CLIENTAPPS.name: CLIENTAPPS}
each = pytest.mark.parametrize("program", ALL.values(), ids=ALL)


@each
def test_the_same_sources_make_the_same_program(program) -> None:
    assert program.build() == program.build()


@each
def test_a_program_holds_what_it_imports_and_nothing_of_ansible(program) -> None:
    with zipfile.ZipFile(io.BytesIO(program.build())) as archive:
        names = archive.namelist()
        texts = [archive.read(name).decode() for name in names]
    assert "__main__.py" in names
    assert f"{program.package}/{program.entry.replace('.', '/')}.py" in names
    assert not any("ansible" in line for text in texts for line in text.splitlines() if "import" in line)


def test_the_mirror_has_no_part_of_the_supervisor() -> None:
    with zipfile.ZipFile(io.BytesIO(MIRROR.build())) as archive:
        assert not any("_supervisor" in name or "_training" in name for name in archive.namelist())


@pytest.mark.parametrize(("name", "status"), [("default", 78), ("../etc", 78)])
def test_the_supervisor_runs_isolated_from_everything(tmp_path, name, status) -> None:
    done = run(SUPERVISOR, tmp_path, "--home", str(tmp_path), name)
    assert (done.returncode, done.stderr) == (status, "")
    assert len(done.stdout.splitlines()) == 1


def test_the_mirror_runs_isolated_from_everything(tmp_path) -> None:
    done = run(MIRROR, tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--directory" in done.stdout


def test_the_program_of_the_clientapps_is_all_modules_of_its_folder() -> None:
    with zipfile.ZipFile(io.BytesIO(CLIENTAPPS.build())) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    assert names == {path.name for path in (CLIENTAPPS.folder / "clientapps").iterdir() if path.suffix} | {
        "__init__.py",
        "__main__.py",
    }


def run(program, folder, *arguments):
    path = folder / program.file_name
    path.write_bytes(program.build())
    command = [sys.executable, "-I", "-B", str(path), *arguments]
    return subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
