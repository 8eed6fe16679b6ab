# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the context of a machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._console.machine_context import TOKEN_FILE, read
from ansible_collections.fedops.flower.plugins.modules import opennebula_context_info as module


def ran(capsys: pytest.CaptureFixture[str], **arguments: object) -> dict:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["one_env", "context.sh"])
def test_what_the_packages_left_is_read(capsys, tmp_path: Path, name: str) -> None:
    text = {
        "one_env": 'export FL_STRATEGY="Krum"\nexport ONEGATE_TOKEN="t"\n',
        "context.sh": "FL_STRATEGY='Krum'\nTOKEN='t'\n",
    }
    (tmp_path / name).write_text(text[name])
    result = ran(capsys, directory=str(tmp_path), device=str(tmp_path / "none"), required=True)
    assert (result["context"], result["source"]) == ({"FL_STRATEGY": "Krum"}, str(tmp_path / name))
    assert result["changed"] is False


def test_no_context_is_none_or_an_error(capsys, tmp_path: Path) -> None:
    places = {"directory": str(tmp_path), "device": str(tmp_path / "none")}
    result = ran(capsys, **places)
    assert (result["context"], result["source"]) == ({}, None)
    result = ran(capsys, **places, required=True)
    assert result["failed"] is True
    assert result["msg"].startswith("The host has no context of OpenNebula: neither ")


def test_a_device_that_cannot_be_mounted_is_told(capsys, tmp_path: Path) -> None:
    (tmp_path / "CONTEXT").write_text("no file system")
    result = ran(capsys, directory=str(tmp_path), device=str(tmp_path / "CONTEXT"))
    assert result["failed"] is True
    assert result["msg"].startswith(f"The context on {tmp_path / 'CONTEXT'} cannot be read: ")


def test_a_device_is_read_where_nobody_else_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for mount, because a container may not mount one."""
    programs, point = tmp_path / "bin", tmp_path / "point"
    programs.mkdir()
    point.mkdir()
    device = tmp_path / "CONTEXT"
    device.write_text("FL_STRATEGY='Bulyan'\n")
    (tmp_path / "token").write_text("yCxi\n")
    (programs / "mount").write_text(
        '#!/bin/sh\n[ "$2" = ro,nosuid,nodev,noexec ] && cp "$3" "$4/context.sh"'
        f' && cp {tmp_path / "token"} "$4/token.txt"\n'
    )
    (programs / "unshare").write_text('#!/bin/sh\n[ "$1" = --mount ] && shift && exec "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert subprocess.run(["mount"], check=False).returncode != 0
    places = str(tmp_path / "nowhere"), str(device), str(point)
    assert read(*places) == (str(device), device.read_text())
    assert read(*places, TOKEN_FILE) == (str(device), "yCxi\n")
