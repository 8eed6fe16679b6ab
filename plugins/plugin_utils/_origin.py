# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a variable is when an empty extra variable means that nobody has set it.

AWX sends an empty text for each question of a survey that is left empty. As an extra variable it hides what inventory
and play say.
Private to the collection: it may change at any time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset


class Values:
    """The variables of a host, as a plugin is given them, without the extra variables that are empty."""

    def __init__(self, templar: Any, variables: Mapping[str, Any], task: Any = None) -> None:
        self._templar = templar
        self._variables = variables
        self._task = task

    def of(self, name: str) -> Any:
        """The value, rendered; nothing where there is none."""
        value = self._rendered(self._variables.get(name))
        return self._rendered(self._beneath.get(name)) if is_unset(value) and name in self._empty else value

    def _rendered(self, value: Any) -> Any:
        return self._templar.template(value)

    @property
    def _manager(self) -> Any:
        return getattr(self._variables.get("hostvars"), "_variable_manager", None)

    @cached_property
    def _empty(self) -> frozenset[str]:
        extra = getattr(self._manager, "extra_vars", None) or {}
        return frozenset(name for name, value in extra.items() if is_unset(value))

    @cached_property
    def _beneath(self) -> Mapping[str, Any]:
        manager = copy.copy(self._manager)
        manager._extra_vars = {name: value for name, value in manager.extra_vars.items() if name not in self._empty}
        host = manager._inventory.get_host(self._variables.get("inventory_hostname"))
        play = getattr(getattr(self._task, "_parent", None), "_play", None)
        return manager.get_vars(play=play, host=host, task=self._task, include_hostvars=False) or {}
