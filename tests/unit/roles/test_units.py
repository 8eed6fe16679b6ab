# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every unit that a role installs is shut in as the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.hardening import SANDBOXES

ROLES = Path(__file__).resolve().parents[3] / "roles"
# They run nothing but systemctl, and no process of them writes what others have said.
OURS = {"flower-checkpoints", "flower-worker-switch"}
TEMPLATES = {path.name.split(".")[0].rstrip("@"): path for path in ROLES.glob("*/templates/*.service.j2")}


def test_every_unit_that_a_role_installs_has_a_row() -> None:
    assert set(TEMPLATES) == {*SANDBOXES, *OURS}


@pytest.mark.parametrize("unit", SANDBOXES)
def test_a_unit_takes_all_of_its_own_row(unit) -> None:
    text = TEMPLATES[unit].read_text("utf-8")
    assert re.findall(r"'([\w-]+)' \| fedops\.flower\.unit_sandbox", text) == [unit]
    assert len(re.findall(r"^\{\{ .*\.directives \}\}$", text, re.M)) == 1


def test_a_supernode_and_its_clientapps_stop_and_start_together() -> None:
    assert "\nWants={{ unit.apps }}\n" in TEMPLATES["flower-supernode"].read_text("utf-8")
    assert "\nPartOf={{ unit.supernode }}\n" in TEMPLATES["flower-clientapps"].read_text("utf-8")
