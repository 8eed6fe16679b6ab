# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.fence import FenceError, networks


def fence_networks(given: object, variable: str = "") -> dict[str, list[str]]:
    try:
        return networks(given)
    except FenceError as error:
        raise AnsibleFilterError(f"{variable}: {error}" if variable else str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fence_networks": fence_networks}
