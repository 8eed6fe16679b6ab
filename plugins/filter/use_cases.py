# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._flower import use_cases
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting


def use_case_overlay(name: object, app: str, overlay: Mapping[str, str] | None = None) -> dict[str, str]:
    with errors_as(AnsibleFilterError), expecting("This is no overlay of an app", ValueError):
        return use_cases.overlay_of(name, app, overlay)


def use_case_problems(name: object, training: Mapping[str, Any]) -> list[str]:
    with errors_as(AnsibleFilterError), expecting("These are no values of training variables", ValueError):
        return use_cases.variable_problems(name, training)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"use_case_overlay": use_case_overlay, "use_case_problems": use_case_problems}
