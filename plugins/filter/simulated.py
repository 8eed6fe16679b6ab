# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._flower import simulated
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting


def simulated_sites(asked: Any, data: str, folders: Iterable[str] | None = None) -> list[dict[str, str]]:
    with errors_as(AnsibleFilterError):
        return simulated.simulated_sites(asked, data, folders)


def simulation_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    with errors_as(AnsibleFilterError), expecting("The input is no dictionary of numbers", AttributeError):
        return simulated.simulation_settings(given)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"simulated_sites": simulated_sites, "simulation_settings": simulation_settings}
