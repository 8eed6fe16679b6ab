# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: asked
short_description: Read what a training variable was set to, wherever that was
version_added: 0.1.0
description:
  - Returns the value of training variables of the host that is worked on, an empty text where nobody has set one.
  - An extra variable wins, then comes the inventory, then the context of an OpenNebula machine.
  - An empty extra variable, as a survey of AWX sends it for a question that was left empty, hides nothing.
  - The module M(fedops.flower.training_config) reads all of them in this way.
author:
  - fedops.flower contributors (@fedops)
options:
  _terms:
    description: Names of the variables.
    type: list
    elements: str
    required: true
seealso:
  - module: fedops.flower.training_config
  - module: fedops.flower.opennebula_context_info
"""

EXAMPLES = r"""
- name: Show where the checkpoints of a training are
  ansible.builtin.debug:
    msg: "{{ lookup('fedops.flower.asked', 'fl_checkpoint_path') | default('/opt/flower/checkpoints', true) }}"
"""

RETURN = r"""
_raw:
  description: The values.
  type: list
  elements: raw
  sample: [/srv/checkpoints]
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._origin import Values


class LookupModule(LookupBase):
    """Read variables by their origin."""

    def run(self, terms: Sequence[str], variables: dict[str, Any] | None = None, **dummy: Any) -> list[Any]:
        variables = variables or {}
        values = Values(self._templar, variables)
        found = [values.of(str(name)) for name in terms]
        if any(map(is_unset, found)):
            home = values.of("runtime_home")
            context = {**(values.of("opennebula_context_found") or {}), **(values.of("training_context") or {})}
            with errors_as(AnsibleLookupError):
                lower = from_context(context, home=HOME if is_unset(home) else str(home))
            found = [
                lower.get(str(name), "") if is_unset(value) else value for name, value in zip(terms, found, strict=True)
            ]
        return found
