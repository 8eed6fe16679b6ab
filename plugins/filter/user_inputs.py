# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: user_inputs
short_description: Write the user inputs of an OpenNebula template
version_added: 0.1.0
description:
  - Returns the user inputs with which OpenNebula asks for training variables, by their names in a context.
  - The default of each is filled in. A console sends it whether or not anybody looked at it, so that the filter
    P(fedops.flower.from_context#filter) takes a value that is this default for unset.
  - What is for demonstrations alone is never asked.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description:
      - V(required) are the nine of strategies and checkpoints, with six strategies.
      - V(appliance) adds those for rounds and clients that the appliance has had from its first release.
      - V(all) adds every other variable of the collection, and its further strategies behind the six.
    type: str
    choices: [required, appliance, all]
    required: true
  form:
    description:
      - V(dict) is a dictionary of definitions.
      - V(template) is text for a virtual machine template, with the C(CONTEXT) that hands the answers on.
      - V(service) is a service template of OneFlow, as a dictionary. The service asks, and its role C(superlink) alone
        gets the answers.
    type: str
    choices: [dict, template, service]
    default: dict
seealso:
  - plugin: fedops.flower.from_context
    plugin_type: filter
  - plugin: fedops.flower.survey_spec
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show one definition
  ansible.builtin.debug:
    msg: "{{ ('required' | fedops.flower.user_inputs).FL_STRATEGY }}"

- name: Write what goes into a virtual machine template
  ansible.builtin.copy:
    content: "{{ 'appliance' | fedops.flower.user_inputs('template') }}"
    dest: /tmp/user-inputs.txt
    mode: "0644"

- name: Write a service template for oneflow-template create
  ansible.builtin.copy:
    content: "{{ 'all' | fedops.flower.user_inputs('service') | to_nice_json }}"
    dest: /tmp/service.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The user inputs in the form that was asked for.
  type: raw
  sample:
    FL_PROXIMAL_MU: "O|number-float|FedProx proximal term (mu)||1.0"
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._console.user_inputs import rendered
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def user_inputs(selection: str, form: str = "dict") -> object:
    with errors_as(AnsibleFilterError):
        return rendered(selection, form)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"user_inputs": user_inputs}
