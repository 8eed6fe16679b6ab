# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.facts import facts_problem
from ansible_collections.fedops.flower.plugins.module_utils._base.facts import PREFIXES, overriding, problem

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        (None, []),
        ({"os_family": "Debian", "hostname": "sn", "discovered_interpreter_python": "/usr/bin/python3"}, []),
        (
            {"fl_strategy": 1, "__supernode_keys": [], "runtime_home": "/"},
            ["__supernode_keys", "fl_strategy", "runtime_home"],
        ),
        ({"fl_\x1b[2J": 1}, ["fl_\\x1b[2J"]),
    ],
)
def test_facts_with_names_of_ours_are_found(facts, names) -> None:
    assert overriding(facts) == names


def test_they_are_told_and_not_without_end() -> None:
    assert problem("sn", {"os_family": "Debian"}) is None
    assert "inventory: fl_0, fl_1, fl_10, fl_11, " in str(problem("sn", {f"fl_{number}": 1 for number in range(99)}))
    assert " and 89 more. Do not trust" in str(problem("sn", {f"fl_{number}": 1 for number in range(99)}))
    assert facts_problem({}, "sn") == ""
    with pytest.raises(AnsibleFilterError, match="no dictionary"):
        facts_problem("text", "sn")


def test_every_variable_of_the_collection_has_such_a_name() -> None:
    names = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    for path in [*(ROOT / "roles").glob("*/defaults/main*"), *(ROOT / "roles").glob("*/defaults/main/*")]:
        names.update(re.findall(r"^(\w+):", path.read_text("utf-8"), re.M) if path.is_file() else [])
    assert sorted(name for name in names if not f"{name}_".startswith(PREFIXES)) == []
