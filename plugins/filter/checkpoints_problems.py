# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: checkpoints_problems
short_description: Check where checkpoints are to lie
version_added: 0.1.0
description:
  - Lists everything that is wrong with the variables of the role C(checkpoints), without looking at a host.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description:
      - The variables without their prefix, that is C(backend), C(directory), C(device), C(export), C(nfs_options).
      - C(home) is the home of the service account, V(/opt/flower) unless it is given.
      - Where there is a mirror, C(mirror) holds the variables of C(checkpoints_mirror_*) without theirs.
    type: dict
    required: true
seealso:
  - module: fedops.flower.disk_info
"""

EXAMPLES = r"""
- name: Stop when checkpoints have no place
  ansible.builtin.assert:
    that: wanted | fedops.flower.checkpoints_problems == []
  vars:
    wanted:
      backend: nfs
      directory: /opt/flower/checkpoints
      device: ""
      export: nas.example.org:/exports/flower
      nfs_options: rw,hard,vers=4.2,_netdev
"""

RETURN = r"""
_value:
  description: The problems, a sentence or two each.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._mirror import rules
from ansible_collections.fedops.flower.plugins.module_utils._storage import backends


def checkpoints_problems(wanted: Mapping[str, Any]) -> list[str]:
    mirror = wanted.get("mirror")
    return backends.problems(wanted) + (rules.problems(mirror) if mirror else [])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"checkpoints_problems": checkpoints_problems}
