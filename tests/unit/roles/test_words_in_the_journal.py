# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of an app that begins with <0> would reach the terminal of everybody who is logged in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
OURS = ("flower-checkpoints.service.j2",)  # no process of it writes what others have said


def test_no_unit_takes_a_level_from_what_is_written_but_the_one_whose_lines_are_its_own() -> None:
    runtime = yaml.safe_load((ROLES / "runtime" / "vars" / "main.yml").read_text("utf-8"))
    training = yaml.safe_load((ROLES / "training" / "vars" / "main.yml").read_text("utf-8"))
    assert runtime["__runtime_hardening"]["SyslogLevelPrefix"] == "no"
    assert training["__training_sees_serverapps"]["SyslogLevelPrefix"] == "yes"


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/templates/*.service.j2")), ids=lambda path: path.name)
def test_every_unit_is_hardened(path) -> None:
    assert path.name in OURS or "hardening" in path.read_text("utf-8")
