# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._config.sizing import MEGABYTE, superlink_bound


def superlink_memory(supernodes: int) -> str:
    return f"{-(-superlink_bound(int(supernodes)) // MEGABYTE)}M"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"superlink_memory": superlink_memory}
