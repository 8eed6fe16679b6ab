# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sealed archive that is copied to or from a host does not stay there, whatever fails on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
ON_THE_HOST = "__places.files.sealed_backup"


def handling(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task for task in tasks if ON_THE_HOST in str(task)]


@pytest.mark.parametrize("playbook", ["backup", "restore"])
def test_the_archive_is_removed_always(playbook: str) -> None:
    plays = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text("utf-8"))
    (block,) = handling([task for play in plays for task in play.get("tasks", [])])
    assert handling(block["block"]) != []
    removal = {"path": f"{{{{ {ON_THE_HOST} }}}}", "state": "absent"}
    assert [task["ansible.builtin.file"] for task in block["always"]] == [removal]
