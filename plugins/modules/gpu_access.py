#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_access
short_description: Let a service use GPUs of its host
version_added: 0.1.0
description:
  - Opens the device files of GPUs of NVIDIA and AMD to a service of systemd, and those of no other GPU, by a file
    C(gpus.conf) beside its unit. The unit itself is to have a private C(/dev).
  - Restarts the service if it runs and anything has changed.
  - M(fedops.flower.supernode_units) does so for ClientApps.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be written.
    support: full
  diff_mode:
    description: Shows the file before and after.
    support: full
options:
  home:
    description: Home of Flower, whose libraries are held against the driver.
  service:
    description: The service, such as C(flower-superexec.service).
    type: str
    required: true
  gpus:
    description:
      - The GPUs, by the index or UUID that C(nvidia-smi -L) shows. V(auto) alone means all that work. Empty means none.
      - Nothing is changed when a GPU that is named cannot be used.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Evaluate models on the first GPU
  fedops.flower.gpu_access:
    service: flower-superexec.service
    gpus: ["0"]
"""

RETURN = r"""
gpus:
  description: The GPUs that the service may use.
  returned: success
  type: list
  elements: str
  sample: ["0 (NVIDIA H200, GPU-00000000-0000-0000-0000-000000000000)"]
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._gpus.access import give_access
from ansible_collections.fedops.flower.plugins.module_utils._gpus.shares import asked_gpus, gpus_problem


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "service": {"type": "str", "required": True},
            "gpus": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    if rule := gpus_problem(params["gpus"]):
        module.fail_json(msg=f"gpus is {params['gpus']} but {rule}.")
    with module.explaining("written"):
        done = give_access(params["service"], asked_gpus(params["gpus"]), params["home"], check_mode=module.check_mode)
    for warning in done.given.warnings:
        module.warn(warning)
    if done.changed and not module.check_mode:
        for command in (["daemon-reload"], ["try-restart", params["service"]]):
            module.run_command(["systemctl", *command], check_rc=True)
    module.exit_json(
        changed=done.changed, gpus=[gpu for gpus in done.given.told.values() for gpu in gpus], diff=done.diff
    )


if __name__ == "__main__":
    main()
