# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: facts_problem
short_description: Check whether a host's facts replace its inventory
version_added: 0.1.0
description:
  - Ansible takes facts from the answer of any module, and puts them above the variables of the inventory. A host that
    belongs to somebody else could choose the names of its SuperNodes that way, or which file of the controller is sent
    to it.
  - Returns a sentence that names such facts, or an empty text where there are none. The roles ask before the controller
    does anything by the variables of a host that another host, or the controller itself, would feel.
author:
  - fedops.flower contributors (@fedops)
positional: host
options:
  _input:
    description: The facts of the host, as C(ansible_facts) has them.
    type: dict
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse variables that the host has set itself
  ansible.builtin.assert:
    that: problem == ''
    fail_msg: "{{ problem }}"
  vars:
    problem: "{{ ansible_facts | fedops.flower.facts_problem(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The problem, or an empty text.
  type: str
  sample: ""
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.facts import problem


def facts_problem(facts: Any, host: str) -> str:
    if not isinstance(facts, Mapping):
        raise AnsibleFilterError("The input is no dictionary of facts.")
    return problem(host, facts) or ""


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"facts_problem": facts_problem}
