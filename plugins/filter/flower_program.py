# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: flower_program
short_description: Return the command that starts a program of Flower in a unit
version_added: 0.1.0
description:
  - Returns the beginning of C(ExecStart=) for a program of Flower, or for C(python) with Flower's libraries.
author:
  - fedops.flower contributors (@fedops)
positional: program, runtime
options:
  _input:
    description: The home of Flower, as P(fedops.flower.unit_path#filter) writes it.
    type: str
    required: true
  program:
    description: The program, such as V(flower-superlink).
    type: str
    required: true
  runtime:
    description: The runtime of the host, as the role C(runtime) takes it in C(runtime_kind).
    type: str
    default: venv
seealso:
  - plugin: fedops.flower.unit_path
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show how a unit starts the SuperLink
  ansible.builtin.debug:
    msg: ExecStart={{ '/opt/flower' | fedops.flower.unit_path | fedops.flower.flower_program('flower-superlink') }}
"""

RETURN = r"""
_value:
  description: The command.
  type: str
  sample: /opt/flower/venv/bin/flower-superlink
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base import runtimes
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def flower_program(home: str, program: str, runtime: str = runtimes.DEPLOYED[0]) -> str:
    with errors_as(AnsibleFilterError):
        return runtimes.command(home, program, runtime)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"flower_program": flower_program}
