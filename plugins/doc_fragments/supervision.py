# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._config.limits import DEFAULT
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import QUIESCE_TIMEOUT

_TYPES = {
    "attempts": "int",
    "first_round_timeout": "float",
    "needed_nodes": "int",
    "session_interval": "float",
    "stall_timeout": "float",
    "timeout": "float",
}


class ModuleDocFragment:
    """Options whose defaults are those of supervision. What each means, the module says itself."""

    # Annotated, because ansible-test's yamllint reads each plain assignment as a literal and fails on this one.
    DOCUMENTATION: str = "options:\n" + "".join(
        f"  {name}:\n    type: {type_}\n    default: {DEFAULT[name]}\n" for name, type_ in _TYPES.items()
    )

    QUIESCE: str = f"options:\n  timeout:\n    type: float\n    default: {QUIESCE_TIMEOUT}\n"
