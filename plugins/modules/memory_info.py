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
  returned: success
  type: list
  elements: str
  sample:
    - >-
      The runner of its ClientApps (flower-clientapps.service) was killed for want of memory once in the last 24 hours,
      last at 2026-11-26T03:20:11+00:00. It runs again. Its bound is 4.0 GB. Raise supernode_memory_max if the host has
      more.
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.memory import memory_problems
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._supernode.place import bounded_services
from ansible_collections.fedops.flower.plugins.module_utils._supernode.sessions import farewells


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, problems=memory_problems(bounded_services()) + farewells())


if __name__ == "__main__":
    main()
