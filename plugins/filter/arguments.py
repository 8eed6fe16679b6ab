# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: argument_problems
short_description: Check the types of the variables of roles before they run
version_added: 0.1.0
description:
  - Ansible holds variables to the argument specs of a role when the role begins, which may be late in a playbook, and
    then shows all of the specs. This lists what it would refuse then, of those that are set.
  - A value that cannot be known before a host is asked is left to the role.
author:
  - fedops.flower contributors (@fedops)
positional: roles
options:
  _input:
    description: The variables of a host.
    type: dict
    required: true
  roles:
    description: Names of roles of this collection, one after the other.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Stop when there are problems
  ansible.builtin.assert:
    that: hostvars['aggregator'] | fedops.flower.argument_problems('checkpoints') == []
"""

RETURN = r"""
_value:
  description: The problems, a sentence each. Secrets are not in them.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import show
from jinja2.runtime import Undefined

ROLES = Path(__file__).resolve().parents[2] / "roles"


def argument_problems(given: Mapping[str, Any], *roles: str) -> list[str]:
    found = []
    for name, option in {name: option for role in roles for name, option in _options(role).items()}.items():
        value = _known(given, name)
        spec: dict[str, Any] = {key: option[key] for key in ("type", "elements", "choices") if key in option}
        if value is not None and ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages:
            told = "set" if option.get("no_log") else "empty" if value == "" else show(value)
            found.append(f"{name} is {told} but must be {_rule(spec)}.")
    return found


@cache
def _options(role: str) -> dict[str, dict[str, Any]]:
    path = ROLES / role / "meta" / "argument_specs.yml"
    if not path.is_file():
        raise AnsibleFilterError(f"This collection has no role {role}.")
    options: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["argument_specs"]["main"]["options"]
    return options


def _known(given: Mapping[str, Any], name: str) -> Any:
    """The value, unless it is not set or comes of what only a host can say."""
    if name not in given:  # what is set is few of the many, and templated when it is looked at
        return None
    try:
        value = given[name]
    except AnsibleError:
        return None
    return None if isinstance(value, Undefined) else value


def _rule(spec: Mapping[str, Any]) -> str:
    if "choices" in spec:
        return f"one of {', '.join(map(str, spec['choices']))}"
    inside = f" of {spec['elements']}" if "elements" in spec else ""
    return f"of the type {spec['type']}{inside}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"argument_problems": argument_problems}
