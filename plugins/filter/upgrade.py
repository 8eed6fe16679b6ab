# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._release import upgrade


def upgrade_plan(
    looks: Mapping[str, Mapping[str, Any]],
    superlink: str,
    health: int,
    supernodes: Sequence[Mapping[str, Any]] | None,
    kept: int,
    held_since: str | None = None,
    held_for: str = "",
    online_timeout: float = 0,
) -> dict[str, Any]:
    federation = upgrade.Federation(superlink, int(health), supernodes, held_since, held_for)
    return upgrade.plan(looks, federation, int(kept), float(online_timeout))


def upgrade_gate(services: Sequence[Mapping[str, Any]], release: str) -> list[str]:
    return upgrade.gate_problems(services, release)


def upgrade_nodes_gate(
    names: Sequence[str],
    before: Sequence[Mapping[str, Any]],
    now: Sequence[Mapping[str, Any]],
    restarted: bool = True,
) -> list[str]:
    return upgrade.node_problems(names, before, now, restarted)


def upgrade_reason(variables: Mapping[str, Any]) -> str:
    failure = variables["upgrade_failure"]
    journal = variables.get("upgrade_journal", {}).get("stdout_lines", [])
    return upgrade.reason(variables["inventory_hostname"], failure["gate"], failure["why"], journal)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "upgrade_plan": upgrade_plan,
            "upgrade_gate": upgrade_gate,
            "upgrade_nodes_gate": upgrade_nodes_gate,
            "upgrade_reason": upgrade_reason,
        }
