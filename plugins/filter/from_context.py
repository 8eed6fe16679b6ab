# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: from_context
short_description: Read training variables from an OpenNebula context
version_added: 0.1.0
description:
  - Turns the C(FL_*) variables of an OpenNebula context into the C(fl_*) variables of the same meaning.
  - C(ONEAPP_FL_*) is the same; where both are set, the name without C(ONEAPP_) comes first.
  - Empty variables are left out. So is a value that is the default of its user input, because a console fills it in
    by itself (P(fedops.flower.user_inputs#filter)); the variable then has the default of the strategy.
  - A path of a container becomes the directory of the host that is mounted there.
  - What is not about training is left out. A name that is nearly that of a variable is kept, so that the check of the
    training names it.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description: The variables of the context.
    type: dict
    required: true
extends_documentation_fragment:
  - fedops.flower.layout
seealso:
  - plugin: fedops.flower.training_problems
    plugin_type: filter
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Show the training that a context asks for
  ansible.builtin.debug:
    msg: "{{ context | fedops.flower.from_context | fedops.flower.run_config }}"
  vars:
    context:
      FL_STRATEGY: FedAdam
      FL_CHECKPOINT_ENABLED: "YES"
      FL_SERVER_LR: ""
      ETH0_IP: 192.0.2.10
"""

RETURN = r"""
_value:
  description: The training variables.
  type: dict
  sample:
    fl_strategy: FedAdam
    fl_checkpoint_enabled: true
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._console import context as contexts
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def from_context(context: Mapping[str, Any], home: str = HOME) -> dict[str, object]:
    with errors_as(AnsibleFilterError):
        return contexts.from_context(context, home=home)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"from_context": from_context}
