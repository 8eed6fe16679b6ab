#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_info
short_description: Find a disk for checkpoints and judge whether it may get a file system
version_added: 0.1.0
description:
  - Finds a disk by path, id, label, serial number or UUID, and reads what is on it.
  - A disk with any signature of a file system, partition table, volume manager or RAID fails the task with what was
    found, unless it is a file system that the role C(checkpoints) has made before, or that O(adopt) takes.
    So does a disk without a known signature that is not empty.
  - Nothing is ever written.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr.info
  - fedops.flower.layout.mount_point
  - fedops.flower.storage
options:
  device:
    description:
      - The disk, by path, or as V(ID=virtio-flower), V(LABEL=flower-ckpt), V(SERIAL=0123) or V(UUID=…).
      - The id is a name below C(/dev/disk/by-id). A label and a UUID are those of a file system.
    type: str
    required: true
  adopt:
    description: Whether a file system of this kind that somebody else has made is used, with all that is on it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find the disk for checkpoints
  fedops.flower.disk_info:
    device: SERIAL=flower-0001
  register: found

- name: Give it a file system if it has none
  community.general.filesystem:
    dev: "{{ found.device }}"
    fstype: ext4
    opts: "-L {{ found.label }}"
  when: found.action == 'format'
"""

RETURN = r"""
device:
  description: The device.
  returned: success
  type: str
  sample: /dev/vdb
action:
  description: V(format) when the disk is empty, V(use) when its file system is to be used as it is.
  returned: success
  type: str
  sample: use
uuid:
  description: UUID of the file system; null while there is none.
  returned: success
  type: str
  sample: 9a8bfaa1-46d2-4574-b45c-0e5b6913ac8f
label:
  description: The label by which a file system made for checkpoints is known again.
  returned: success
  type: str
  sample: flower-ckpt
size:
  description: Size of the disk in bytes.
  returned: success
  type: int
  sample: 10737418240
"""

import os
from collections.abc import Sequence

from ansible_collections.fedops.flower.plugins.module_utils._base.home import CHECKPOINTS, HOME, below
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._storage.disk_search import Ask, find
from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import FILE_SYSTEMS, LABEL, judge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "filesystem": {"type": "str", "choices": list(FILE_SYSTEMS), "default": "ext4"},
            "mount_point": {"type": "path", "default": below(HOME, CHECKPOINTS)},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )

    def run(command: Sequence[str]) -> tuple[int, str, str]:
        return module.run_command(list(command), check_rc=False, environ_update={"LC_ALL": "C.UTF-8"})

    with module.explaining("read"):
        found = find(Ask(run), module.params["device"])
        place = os.path.realpath(
            module.params["mount_point"]
        )  # as the kernel tells it, when a directory above is a link
        action = judge(found, module.params["filesystem"], place, module.params["adopt"])
    uuid = found.file_system.uuid if found.file_system else None
    module.exit_json(changed=False, device=found.path, action=action, uuid=uuid, label=LABEL, size=found.size)


if __name__ == "__main__":
    main()
