# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.filter.upgrade import (
    FilterModule,
    upgrade_gate,
    upgrade_nodes_gate,
    upgrade_plan,
    upgrade_reason,
)

NODE = {"name": "a", "node_id": "1", "status": "online", "online_at": "t"}


def test_the_filters_have_the_names_that_the_playbook_uses() -> None:
    assert set(FilterModule().filters()) == {"upgrade_plan", "upgrade_gate", "upgrade_nodes_gate", "upgrade_reason"}


@pytest.mark.parametrize("kept", [1, "1"])
def test_a_plan_takes_what_ansible_gives(kept: object) -> None:
    found = upgrade_plan({}, superlink="sl", health="200", supernodes=[], kept=kept)
    assert [problem.partition(" is ")[0] for problem in found["problems"]] == ["runtime_releases_kept", "sl"]


def test_gates_tell_what_is_missing() -> None:
    assert upgrade_gate([], "r") == ["none of Flower's services is there"]
    assert upgrade_nodes_gate(["a"], [NODE], [NODE]) == ["a has not come back since its restart"]
    assert upgrade_nodes_gate(["a"], [NODE], [NODE], restarted=False) == []


@pytest.mark.parametrize(("journal", "lines"), [({}, ""), ({"upgrade_journal": {"stdout_lines": ["no"]}}, "\n  | no")])
def test_a_host_that_could_not_be_asked_has_a_reason_all_the_same(journal: dict, lines: str) -> None:
    host = {"inventory_hostname": "sn", "upgrade_failure": {"gate": "Wait", "why": "gone"}}
    assert upgrade_reason({**host, **journal}) == f"sn, 'Wait': gone{lines}"
