#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mount_point
short_description: Make a directory that can only be mounted on
version_added: 0.1.0
description:
  - Makes a mount point that belongs to root, with mode 0000 and, where the file system knows it, immutable.
    While nothing is mounted there, nobody can write underneath.
  - Files that lie in the directory fail the task, or are put aside.
  - Does nothing while the right thing is mounted there; another one fails the task.
  - Every directory on the way must be root's, and no link is followed.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.layout.owner
attributes:
  check_mode:
    description: Can run in check mode and tell what would be done.
    support: full
  diff_mode:
    description: Returns what is there before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same options, the second run changes nothing.
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

import os
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import (
    ASIDE,
    Mount,
    StorageError,
    mounted_at,
    stray_problem,
)
from ansible_collections.fedops.flower.plugins.module_utils._storage.ground import Ground, all_mounts
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_guard import guard, is_guarded, release
from ansible_collections.fedops.flower.plugins.module_utils._storage.places import foreign_problem, strangers


def put_aside(path: str, existing: str, uid: int, gid: int, check_mode: bool) -> list[str]:
    """Deal with the files in the directory; return what was done."""
    names = [name for name in os.listdir(path) if name not in (".lock", "lost+found")] if os.path.isdir(path) else []
    if not names:
        return []
    if existing == "stop":
        raise StorageError(stray_problem(path, names))
    if found := strangers(path, uid):
        raise StorageError(foreign_problem(path, found, uid, gid))
    if os.path.lexists(path + ASIDE):
        raise StorageError(f"{path + ASIDE} is in the way of the files in {path}. Bring both together, then run again.")
    if not check_mode:
        os.rename(path, path + ASIDE)
    return [f"{path} renamed to {path + ASIDE}"]


def prepare(path: str, existing: str, uid: int, gid: int, check_mode: bool) -> list[str]:
    """Make the mount point; return what was done."""
    changes = put_aside(path, existing, uid, gid, check_mode)
    if changes or not os.path.isdir(path) or not is_guarded(path):
        changes.append(f"{path} closed to everybody while nothing is mounted there")
        if not check_mode:
            guard(path)
    return changes


def expect(path: str, mounted: Mount, source: str | None) -> None:
    """Refuse a mount of something else."""
    if source and os.path.realpath(source.rstrip("/")) != os.path.realpath(mounted.source.rstrip("/")):
        raise StorageError(
            f"{path} is to have {source} mounted, but {mounted.source} is mounted there. Stop flower-superexec and"
            f" flower-checkpoints.timer, unmount it (umount {path}), take it out of /etc/fstab, then run again."
        )


def remove(path: str, mounted: Mount | None, check_mode: bool) -> list[str]:
    """Remove the mount point; return what was done."""
    if mounted:
        raise StorageError(f"{path} cannot be removed: {mounted.source} is mounted there. Unmount it first.")
    if not os.path.isdir(path):
        return []
    if not check_mode:
        release(path)
        os.rmdir(path)
    return [f"{path} removed"]


def ground_of(path: str, params: dict[str, Any]) -> Ground:
    return Ground(path, params["uid"], params["gid"], params["home"], mounted=True)


def expect_roots_place(path: str, params: dict[str, Any]) -> None:
    """Refuse a path that somebody else than root could lead elsewhere."""
    if place := ground_of(path, params).territory():
        raise StorageError(
            f"{path} cannot be a mount point: {place}, on the way to it, belongs to the user {params['uid']}. Choose a"
            " directory below those of root."
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "home": {"type": "path", "default": HOME},
            "existing": {"type": "str", "choices": ["stop", "move"], "default": "stop"},
            "uid": {"type": "int", "default": APPS.number},
            "gid": {"type": "int", "default": APPS.number},
            "source": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    with module.explaining("prepared", path):
        ground_of(path, module.params).refuse_others()
        mounted = mounted_at(all_mounts(), path)
        if not mounted:
            expect_roots_place(path, module.params)
        if module.params["state"] == "absent":
            changes = remove(path, mounted, module.check_mode)
        elif mounted:
            changes = []
            expect(path, mounted, module.params["source"])
        else:
            existing, uid, gid = (module.params[key] for key in ("existing", "uid", "gid"))
            ground_of(path, module.params).found()  # no link, and no file
            changes = prepare(path, existing, uid, gid, module.check_mode)
    module.exit_json(
        changed=bool(changes),
        mounted=mounted and {"source": mounted.source, "type": mounted.type},
        aside=path + ASIDE if os.path.isdir(path + ASIDE) else None,
        diff={"before": "", "after": "".join(f"{change}\n" for change in changes)},
    )


if __name__ == "__main__":
    main()
