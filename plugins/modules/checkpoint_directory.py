#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: checkpoint_directory
short_description: Make the directory of checkpoints and prove that they can be saved there
version_added: 0.1.0
description:
  - Makes the directory, gives it to the service account, and tries every step of a save there as that account.
    It creates, writes, syncs, locks, renames, links and removes.
  - Every directory above it must belong to root and be writable by root alone, or belong to the account; no link is
    followed. Below a directory of the account, the account makes its own. An existing directory changes its owner only
    if it belongs to root and holds nothing but checkpoints.
  - The proof matters most on NFS, where the server decides what the account may do. A step that fails is named, with
    its most likely cause. The files of the proof are removed again.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout
  - fedops.flower.layout.owner
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be changed. Nothing is proven then.
    support: full
  diff_mode:
    description: Returns what is there before and after.
    support: full
options:
  path:
    description: The directory.
  home:
    description: The directory of Flower. Of what is below it, only C(checkpoints) and a mount of its own may be given.
  mounted:
    description: Whether something of the account's own is mounted on O(path), which may belong to anybody so far.
    type: bool
    default: false
  state:
    description: With V(absent) the directory is removed with all that is in it, where it is the account's.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description: Permissions of the directory, in octal.
    type: str
    default: "0750"
  adopt:
    description:
      - Whether the account is given what is mounted on O(path) also when it holds what is no checkpoint. Without it,
        such a directory fails the task and is not touched. A directory that is no mount is never given so.
    type: bool
    default: false
  bring:
    description:
      - A directory whose files are brought into O(path), for example what M(fedops.flower.mount_point) has put aside.
        Root reads it, and the files become the account's. It is removed when all of it has arrived. What cannot be read
        or written fails the task with its name, and then nothing is removed.
    type: path
"""

EXAMPLES = r"""
- name: Make the directory of checkpoints
  fedops.flower.checkpoint_directory:
    path: /opt/flower/checkpoints
"""

RETURN = r"""
steps:
  description: What the account was seen to do.
  returned: when not in check mode
  type: list
  elements: str
  sample: [create a file, write, fsync a file]
brought:
  description: The files that were brought.
  returned: success
  type: list
  elements: str
  sample: [checkpoint_round_5.npz]
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import (
    CHECKPOINTS_OPTION,
    HOME_OPTION,
    OWNER_OPTIONS,
)
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import (
    StorageError,
    bring_problem,
    conflict_problem,
    mounts,
    probe_problem,
)
from ansible_collections.fedops.flower.plugins.module_utils._storage.ground import Ground, expect_roots_way
from ansible_collections.fedops.flower.plugins.module_utils._storage.probe import StepError, as_user, probe
from ansible_collections.fedops.flower.plugins.module_utils._storage.relocation import (
    Source,
    Target,
    bring,
    conflicts,
    remove,
)


def owner_of(path: str) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def kind_of(path: str) -> str:
    """Return the file system that a directory lies on."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        found = mounts(stream.read())
    path = os.path.realpath(path)
    covering = [mount for mount in found if (path + "/").startswith(mount.point.rstrip("/") + "/")]
    return max(covering, key=lambda mount: len(mount.point)).type if covering else "unknown"


def prove(module: AnsibleModule, path: str, uid: int, gid: int) -> list[str]:
    try:
        return as_user(uid, gid, lambda: probe(path))
    except StepError as error:
        raise StorageError(probe_problem(error.step, error.number, path, uid, owner_of(path), kind_of(path))) from error


def bring_all(source: Source, target: Target) -> list[str]:
    """Bring files as the account, and remove what they came from when all of it has arrived."""
    if in_the_way := conflicts(source, target):
        raise StorageError(conflict_problem(source.path, target.path, in_the_way))
    brought = bring(source, target)
    remove(source, target)
    return brought


@contextmanager
def explained(source: str, path: str) -> Iterator[None]:
    try:
        yield
    except StepError as error:
        raise StorageError(bring_problem(source, path, error.step, error.number)) from error


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            **HOME_OPTION,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mounted": {"type": "bool", "default": False},
            **OWNER_OPTIONS,
            "mode": {"type": "str", "default": "0750"},
            "adopt": {"type": "bool", "default": False},
            "bring": {"type": "path"},
        },
        supports_check_mode=True,
    )
    path, uid, gid, source = (module.params[key] for key in ("path", "uid", "gid", "bring"))
    result: dict[str, list[str]] = {"brought": []}
    with module.explaining("made", path):
        ground = Ground(path, uid, gid, module.params["home"], module.params["mounted"])
        if module.params["state"] == "absent":
            gone = ground.remove(module.check_mode)
            after = "".join(f"{change}\n" for change in gone)
            module.exit_json(changed=bool(gone), diff={"before": "", "after": after}, **result)
        changes = ground.have(int(module.params["mode"], 8), module.params["adopt"], module.check_mode)
        if not module.check_mode:
            result["steps"] = prove(module, path, uid, gid)
        if source:
            expect_roots_way(source)
        if source and os.path.isdir(source) and not os.path.islink(source):
            changes.append(f"files of {source} brought to {path}")
            with explained(source, path):
                if module.check_mode:
                    Source(source).files()  # what cannot be read is told before anything is done
                else:
                    result["brought"] = bring_all(Source(source), Target(path, uid, gid))
    after = "".join(f"{change}\n" for change in changes)
    module.exit_json(changed=bool(changes), diff={"before": "", "after": after}, **result)


if __name__ == "__main__":
    main()
