# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: checkpoints_packages
short_description: List the packages that a back end of checkpoints needs
version_added: 0.1.0
description:
  - Returns the packages of Debian that a backend of the role C(checkpoints) needs.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.storage
positional: filesystem
options:
  _input:
    description: The backend. One that is not known needs nothing here; checking it is for another filter.
    type: str
    required: true
seealso:
  - plugin: fedops.flower.checkpoints_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what NFS needs
  ansible.builtin.debug:
    msg: "{{ 'nfs' | fedops.flower.checkpoints_packages }}"
"""

RETURN = r"""
_value:
  description: The packages.
  type: list
  elements: str
  sample: [nfs-common]
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._storage import backends
from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import FILE_SYSTEMS


def checkpoints_packages(backend: str, filesystem: str = "ext4") -> list[str]:
    if filesystem not in FILE_SYSTEMS:
        raise AnsibleFilterError(f"The file system is {filesystem!r} but must be one of {', '.join(FILE_SYSTEMS)}.")
    return backends.packages(backend, {"filesystem": filesystem})


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"checkpoints_packages": checkpoints_packages}
