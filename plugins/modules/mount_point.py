#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mount_point
short_description: Make a mount point that cannot be written to
version_added: 0.1.0
description:
  - Makes a mount point that belongs to root, with mode 0000 and, if the file system supports it, immutable.
    While nothing is mounted there, nobody can write to it.
  - If files lie in the directory, the task fails or puts them aside, as O(existing) says.
  - Does nothing while the right thing is mounted there, and fails if something else is.
  - Every directory above it must belong to root, and no link is followed.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.layout.owner
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be done.
    support: full
  diff_mode:
    description: Returns what is there before and after.
    support: full
options:
  path:
    description: The directory.
    type: path
    required: true
  home:
    description: The directory of Flower. Its folders are no mount points, but for C(checkpoints).
  existing:
    description:
      - What is done about files that lie in the directory. V(stop) fails the task and names them, V(move) renames the
        directory to the same name with C(.before-mount) at its end.
      - Files of others that are no checkpoints are never moved, unless the directory belongs to the account.
    type: str
    choices: [stop, move]
    default: stop
  source:
    description: What may be mounted there, as a device or an export.
    type: str
  state:
    description: With V(absent) the mount point is removed, once nothing is mounted there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Prepare the place where checkpoints are to be mounted
  fedops.flower.mount_point:
    path: /opt/flower/checkpoints
    source: /dev/vdb
"""

RETURN = r"""
mounted:
  description: What is mounted there; null when nothing is.
  returned: success
  type: dict
  sample: {"source": "/dev/vdb", "type": "ext4"}
aside:
  description: The directory with the files that were put aside, now or earlier; null when there is none.
  returned: success
  type: str
  sample: /opt/flower/checkpoints.before-mount
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION, OWNER_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import mounted_at
from ansible_collections.fedops.flower.plugins.module_utils._storage.ground import all_mounts
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_points import MountPoint


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            **HOME_OPTION,
            "existing": {"type": "str", "choices": ["stop", "move"], "default": "stop"},
            **OWNER_OPTIONS,
            "source": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    given = module.params
    point = MountPoint(*(given[name] for name in ("path", "home", "uid", "gid", "existing")))
    with module.explaining("prepared", point.path):
        mounted = mounted_at(all_mounts(), point.path)
        absent = given["state"] == "absent"
        changes = point.absent(module.check_mode) if absent else point.present(given["source"], module.check_mode)
    module.exit_json(
        changed=bool(changes),
        mounted=mounted and {"source": mounted.source, "type": mounted.type},
        aside=point.aside,
        diff={"before": "", "after": "".join(f"{change}\n" for change in changes)},
    )


if __name__ == "__main__":
    main()
