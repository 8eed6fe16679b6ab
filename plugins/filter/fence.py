# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.fence import networks
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def fence_networks(given: object, variable: str = "This") -> dict[str, list[str]]:
    with errors_as(AnsibleFilterError):
        return networks(given, variable)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fence_networks": fence_networks}
