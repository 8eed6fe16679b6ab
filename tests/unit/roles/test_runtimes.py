# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role runtime has what the table of runtimes promises, and units are started as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.runtimes import DEPLOYED

ROLES = Path(__file__).resolve().parents[3] / "roles"
OPTIONS = yaml.safe_load((ROLES / "runtime/meta/argument_specs.yml").read_text("utf-8"))["argument_specs"]["main"]
FLOWERS_OWN = ("superlink/templates/flower-superlink", "superlink/templates/flower-superexec",
               "supernode/templates/flower-supernode", "supernode/templates/flower-clientapps")  # fmt: skip


def test_the_role_takes_every_runtime_that_is_deployed_and_has_tasks_for_it() -> None:
    assert OPTIONS["options"]["runtime_kind"]["choices"] == [*DEPLOYED]
    for kind in DEPLOYED:
        tasks = yaml.safe_load((ROLES / "runtime" / "tasks" / f"{kind}.yml").read_text("utf-8"))
        assert [task for task in tasks if task.get("register") == "runtime_venv"]


@pytest.mark.parametrize("unit", FLOWERS_OWN)
def test_a_unit_of_flower_is_started_as_the_runtime_of_its_host_says(unit) -> None:
    (start,) = [
        line for line in (ROLES / f"{unit}.service.j2").read_text("utf-8").splitlines() if line.startswith("ExecStart=")
    ]
    assert "fedops.flower.flower_program(" in start
    assert "runtime_kind" in start
    assert "venv" not in start
