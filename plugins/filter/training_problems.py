# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: training_problems
short_description: List what is wrong with training variables
version_added: 0.1.0
description:
  - Checks C(fl_*) variables and lists every problem with them at once, the worst first.
  - A problem of severity V(error) keeps the training from being started. A V(warning) tells of a training that probably
    is not what was meant, an V(info) of something worth to know.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.training
  - fedops.flower.training.input
  - fedops.flower.training.nodes_online
positional: nodes_online, runtime, home
seealso:
  - plugin: fedops.flower.run_config
    plugin_type: filter
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Refuse variables that cannot be trained with
  ansible.builtin.assert:
    that: problems | selectattr('severity', 'eq', 'error') | length == 0
    fail_msg: "{{ problems | map(attribute='message') | join('\n') }}"
  vars:
    problems: "{{ {'fl_strategy': 'Krum', 'fl_num_malicious': 1} | fedops.flower.training_problems(nodes_online=3) }}"
"""

RETURN = r"""
_value:
  description: The problems.
  type: list
  elements: dict
  contains:
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    variable:
      description: Name of the variable.
      type: str
      sample: fl_trim_beta
    value:
      description: Its value, or its default when it is unset.
      type: raw
      sample: 0.7
    rule:
      description: What the value breaks.
      type: str
      sample: must be above 0 and below 0.5
    hint:
      description: What to do about it.
      type: str
      sample: Correct it, or leave it unset for 0.2.
    message:
      description: All of it as sentences.
      type: str
      sample: fl_trim_beta is 0.7 but must be above 0 and below 0.5. Correct it, or leave it unset for 0.2.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._config.table import RUNTIME_NAMES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import check, node_count
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def training_problems(
    variables: Mapping[str, Any], nodes_online: object = None, runtime: str = RUNTIME_NAMES[0], home: str = HOME
) -> list[dict[str, Any]]:
    with errors_as(AnsibleFilterError):
        return [problem.as_dict() for problem in check(variables, node_count(nodes_online), runtime, home=home)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"training_problems": training_problems}
