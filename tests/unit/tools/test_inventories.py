# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of docs pass the checks with which a playbook begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..plays import play_in

PAGE = Path(__file__).resolve().parents[3] / "docs" / "inventories.md"
INVENTORIES = dict(re.findall(r"```yaml\n# ([\w-]+\.yml)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
NOBODY = ["-e", "ansible_connection=ssh", "-e", "ansible_host=127.0.0.1", "-e", "ansible_port=1",
          "-e", "ansible_ssh_common_args="]  # fmt: skip


def test_there_is_one_for_each_situation() -> None:
    assert INVENTORIES.keys() == {
        "one-machine.yml", "hospitals.yml", "laboratory.yml", "opennebula-hosts.yml", "awx-hosts.yml",
    }  # fmt: skip


@pytest.mark.parametrize("name", INVENTORIES)
def test_an_inventory_passes_the_checks_until_a_host_is_asked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(INVENTORIES[name])
    done = play_in(tmp_path, "--check", "-i", tmp_path / name, "fedops.flower.site", *NOBODY)
    recap = done.stdout.partition("PLAY RECAP")[2]
    assert "unreachable=1" in recap, done.stdout + done.stderr
    assert not re.search("failed=[1-9]", recap), done.stdout


def test_a_mistake_in_one_would_be_told(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORIES["hospitals.yml"].replace("443", "44300443"))
    done = play_in(tmp_path, "--check", "-i", tmp_path / "hosts.yml", "fedops.flower.site", *NOBODY)
    assert (done.returncode, "superlink_fleet_port is 44300443 but must be a port" in done.stdout) == (2, True)
