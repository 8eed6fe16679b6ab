# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._superlink import rules
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def superlink_problems(given: Mapping[str, Any], prefix: str = "") -> list[str]:
    with expecting("These are not the variables of the SuperLink"):
        return rules.problems({name: given[f"{prefix}{name}"] for name in rules.CHECKED if f"{prefix}{name}" in given})


def superlink_state_problem(file_system: str, home: str) -> str:
    return rules.state_problem(home, file_system) or ""


def gateway_listens(asked: Any, has_ipv6: bool) -> list[str]:
    return rules.listens(asked, has_ipv6)


def gateway_connections(supernodes: int) -> dict[str, int]:
    return rules.connections(int(supernodes))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "gateway_connections": gateway_connections,
            "gateway_listens": gateway_listens,
            "superlink_problems": superlink_problems,
            "superlink_state_problem": superlink_state_problem,
        }
