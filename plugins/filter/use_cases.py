# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._console.machine import of_flower
from ansible_collections.fedops.flower.plugins.module_utils._flower import use_cases
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Undefined


def use_case_overlay(name: object, app: str, overlay: Mapping[str, str] | None = None) -> dict[str, str]:
    with errors_as(AnsibleFilterError), expecting("This is no overlay of an app", ValueError):
        return use_cases.overlay_of(name, app, overlay)


def use_case_problems(name: object, training: Mapping[str, Any]) -> list[str]:
    with errors_as(AnsibleFilterError), expecting("These are no values of training variables", ValueError):
        return use_cases.variable_problems(name, training)


def use_case_of_site(hosts: Iterable[Mapping[str, Any]]) -> str:
    with expecting("These are not the variables of hosts"):
        return use_cases.asked_of([_given(variables) for variables in hosts])


def _given(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is written with variables that only a role defines."""
    found = {}
    for name in use_cases.ASKED_BY:
        with suppress(UndefinedError):
            value = variables.get(name)
            if not isinstance(value, Undefined):
                in_context = name in use_cases.CONTEXTS
                found[name] = of_flower(value) if in_context and isinstance(value, Mapping) else value
    return found


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "use_case_of_site": use_case_of_site,
            "use_case_overlay": use_case_overlay,
            "use_case_problems": use_case_problems,
        }
