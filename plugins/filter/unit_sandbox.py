# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_sandbox
short_description: Return the sandbox of a unit of Flower
version_added: 0.1.0
description:
  - Returns the directives of systemd that shut a unit in.
author:
  - fedops.flower contributors (@fedops)
positional: port, networks, devices
options:
  _input:
    description: The unit, such as V(flower-superlink).
    type: str
    required: true
  port:
    description: The port that it listens on, where it is to be reached from outside.
    type: int
  networks:
    description: Networks that it may speak to beside this host.
    type: list
    elements: str
    default: []
  devices:
    description: Devices that it may use, as C(DeviceAllow=) of systemd takes them; text may have several, with commas.
    type: list
    elements: str
    default: []
seealso:
  - plugin: fedops.flower.unit_path
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what the SuperLink gives up
  ansible.builtin.debug:
    msg: "{{ ('flower-superlink' | fedops.flower.unit_sandbox).directives }}"
"""

RETURN = r"""
_value:
  description: What stands in the unit.
  type: dict
  contains:
    directives:
      description: Directives, a line each.
      type: str
    closed_doors:
      description: Sockets of the host that user code is kept from, as C(InaccessiblePaths=) takes them.
      type: str
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base import hardening
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import as_list
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def unit_sandbox(
    unit: str, port: int | None = None, networks: Iterable[str] = (), devices: str | Sequence[str] = ()
) -> dict[str, str]:
    if unit not in hardening.SANDBOXES:
        raise AnsibleFilterError(f"The unit is {unit!r} but must be one of {', '.join(hardening.SANDBOXES)}.")
    with errors_as(AnsibleFilterError):
        directives = hardening.directives(unit, None if port is None else int(port), networks, as_list(devices))
    return {"directives": directives, "closed_doors": " ".join(hardening.CLOSED_DOORS)}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unit_sandbox": unit_sandbox}
