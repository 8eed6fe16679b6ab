# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts run Flower's own programs with the arguments of the units."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from federation import BenchmarkError
from plain_flower import drop_in, plain_flower

UNIT = """\
[Service]
{more}ExecStart=/opt/flower/venv/bin/python -I /opt/flower/bin/flower-{name} \\
    --insecure \\
    --superexec-auth-secret-file {secret}
Restart=always
"""
SUPERNODE = UNIT.format(name="supernode", secret="%d/superexec.secret", more="")
CLIENTAPPS = UNIT.format(name="clientapps", secret="/dev/stdin", more="StandardInput=file:/etc/secret\n")


def test_the_arguments_stay() -> None:
    assert drop_in(SUPERNODE, "flower-supernode", "") == (
        "[Service]\nExecStart=\nExecStart=/opt/flower/venv/bin/flower-supernode \\\n    --insecure \\\n"
        "    --superexec-auth-secret-file %d/superexec.secret\n"
    )


def test_a_secret_that_only_a_launcher_can_read_becomes_a_file() -> None:
    told = drop_in(CLIENTAPPS, "flower-superexec", "StandardInput=null\nLoadCredential={secret}\n")
    assert "LoadCredential=superexec.secret:/etc/secret\n" in told
    assert "--superexec-auth-secret-file %d/superexec.secret\n" in told
    assert "/dev/stdin" not in told


def test_a_unit_without_a_launcher_is_told() -> None:
    with pytest.raises(BenchmarkError, match="No launcher is in the unit of flower-superlink"):
        drop_in("[Service]\nExecStart=/bin/true\n", "flower-superlink", "")


def test_all_is_as_before_in_the_end_whatever_happens() -> None:
    commands: list[tuple[str, ...]] = []

    def on(host: str, *command: str) -> str:
        commands.append((host, *command))
        return SUPERNODE

    federation = SimpleNamespace(hosts=["superlink1"], superlink="superlink1", on=on, write=lambda *dummy: None)
    with pytest.raises(ZeroDivisionError), plain_flower(federation):
        raise ZeroDivisionError
    assert commands[-2][1:3] == ("sh", "-c")
    assert commands[-2][3].startswith("rm --force /run/systemd/system/flower-")
    assert commands[-1] == ("superlink1", "systemctl", "daemon-reload")
