#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: memory_info
short_description: List what keeps the SuperNodes of a host from taking part
version_added: 0.1.0
description:
  - Finds in the journal which services of SuperNodes were killed for want of memory in the last 24 hours, and
    which SuperNodes have left because their site has agreed to no more trainings.
  - Says which GPUs the host has, and which of them a SuperNode is to use and cannot.
  - M(fedops.flower.run_info) does the same for the services of a SuperLink host.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr.info
seealso:
  - module: fedops.flower.run_info
"""

EXAMPLES = r"""
- name: Read which SuperNodes were killed for want of memory
  fedops.flower.memory_info:
  register: memory
"""

RETURN = r"""
problems:
  description:
    - A sentence for each service that was killed, with how often it was, and what bounds it.
    - A sentence for each SuperNode that has left.
    - A sentence for each GPU that cannot be used, where SuperNodes use any.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      The runner of its ClientApps (flower-clientapps.service) was killed for want of memory once in the last 24 hours,
      last at 2026-11-26T03:20:11+00:00. It runs again. Its bound is 4.0 GB. Raise supernode_memory_max if the host has
      more.
gpus:
  description: The GPUs of the host, or the parts of those that are cut (MIG).
  returned: success
  type: list
  elements: dict
  sample:
    - index: "0"
      name: NVIDIA H200
      uuid: GPU-00000000-0000-0000-0000-000000000000
      driver: 580.159.04
      supernodes: [ward-a]
      memory: 150754820096
      memory_used: 1509949440
      busy: 37
      problem: ""
  contains:
    index: {description: "Its number, as the tool of its driver counts.", type: str}
    name: {description: What its maker calls it., type: str}
    uuid: {description: Its UUID., type: str}
    driver: {description: The release of its driver., type: str}
    supernodes: {description: The instances of SuperNodes that may use it., type: list, elements: str}
    memory: {description: "Its memory, in bytes.", type: int}
    memory_used: {description: "How much of that is in use, in bytes.", type: int}
    busy: {description: "For how much of the time it worked lately, in percent.", type: int}
    problem: {description: Why nothing can use it., type: str}
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.memory import memory_problems
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._gpus.devices import found_gpus
from ansible_collections.fedops.flower.plugins.module_utils._supernode.gpu_use import (
    gpu_problems,
    gpu_rows,
    gpus_allowed,
)
from ansible_collections.fedops.flower.plugins.module_utils._supernode.place import bounded_services
from ansible_collections.fedops.flower.plugins.module_utils._supernode.sessions import farewells


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    gpus, allowed = found_gpus(), gpus_allowed()
    problems = memory_problems(bounded_services()) + farewells() + gpu_problems(gpus, allowed)
    module.exit_json(changed=False, problems=problems, gpus=gpu_rows(gpus, allowed))


if __name__ == "__main__":
    main()
