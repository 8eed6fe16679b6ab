# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._delivery import slots, variables
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def model_registry_problems(given: Mapping[str, Any]) -> list[str]:
    with expecting("These are not the variables of a registry"):
        return variables.registry_problems(given)


def model_worker_problems(given: Mapping[str, Any]) -> list[str]:
    with expecting("These are not the variables of a worker"):
        return variables.worker_problems(given)


def model_registry_address(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    return variables.registry_address(hosts, hostvars)


def served(content: str) -> dict[str, Any]:
    return slots.served(content)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "model_registry_address": model_registry_address,
            "model_registry_problems": model_registry_problems,
            "model_worker_problems": model_worker_problems,
            "served": served,
        }
