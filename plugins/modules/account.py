#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: account
short_description: Make the service accounts and their directories
version_added: 0.1.0
description:
  - Makes system users, groups and any number of directories and secrets in one execution.
  - The numbers are part of the promise, since volumes are shared between hosts and with containers.
    A host where somebody else has them is refused.
  - A directory that belongs to another one of the accounts, as it did before there were several, is left as it is and
    returned in RV(old). O(migrate) gives it, and what that account owns in it, to its new owner.
  - No link is followed but one that root alone could have made.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
attributes:
  check_mode:
    description: Can run in check mode and tell what would be made.
    support: full
  diff_mode:
    description: Returns what is there before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same options, the second run changes nothing.
    support: full
options:
  accounts:
    description: The accounts. Each has a group of its own name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the user and of its group.
        type: str
        required: true
      uid:
        description: Number of the user. Without one there is only the group.
        type: int
      gid:
        description: Number of the group.
        type: int
        required: true
      home:
        description: Home of the user, absolute or below O(home). Empty means O(home).
        type: str
        default: ""
      groups:
        description: Other groups that the user is a member of.
        type: list
        elements: str
        default: []
      variable:
        description: The variable that an operator sets to have other numbers.
        type: str
        default: ""
  home:
    description: Directory of all that is Flower's. It belongs to root.
  directories:
    description: Directories to make, parents first.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory, absolute or below O(home).
        type: path
        required: true
      owner:
        description: Number of the user that owns the directory.
        type: int
        default: 0
      group:
        description: Number of the group of the directory.
        type: int
        default: 0
      mode:
        description: Permissions of the directory, in octal.
        type: str
        default: "0750"
  secrets:
    description:
      - Files with 32 random bytes, absolute or below O(home), which only root can read.
      - They are born on the host, Ansible never sees them, and one that is there is never written again.
    type: list
    elements: path
    default: []
  migrate:
    description:
      - Give directories that belong to another one of the accounts to their new owners, and move what ServerApps have
        told of their trainings from C(trainings) to C(published).
      - Every process of the old owner is ended first, since it could hold files open that are no longer its own.
        Stop the services before.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make the account of the ServerApps, with a place for data that it can only read
  fedops.flower.account:
    accounts:
      - name: flower
        uid: 49999
        gid: 49999
    directories:
      - path: data
        group: 49999
"""

RETURN = r"""
fresh:
  description: Whether the home was missing before this execution.
  returned: success
  type: bool
  sample: false
old:
  description: Directories that belong to another one of the accounts, and have been left to it.
  returned: success
  type: list
  elements: str
  sample: [/opt/flower/state]
"""

import grp
import os
import pwd
import stat
from typing import Any, Callable

from ansible_collections.fedops.flower.plugins.module_utils._base import guarded
from ansible_collections.fedops.flower.plugins.module_utils._base.accounts import (
    Found,
    end_processes_of,
    is_missing,
)
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._training.split import split


def attempt(look_up: Callable[..., Any], key: Any, field: str) -> Any:
    try:
        return getattr(look_up(key), field)
    except KeyError:
        return None


def missing_of(account: dict[str, Any]) -> list[str]:
    """Return what of an account has to be made."""
    name, uid, gid, variable = (account[key] for key in ("name", "uid", "gid", "variable"))
    group = Found(attempt(grp.getgrnam, name, "gr_gid"), attempt(grp.getgrgid, gid, "gr_name"))
    missing = ["group"] if is_missing("gid", name, gid, group, variable) else []
    if uid is not None:
        user = Found(attempt(pwd.getpwnam, name, "pw_uid"), attempt(pwd.getpwuid, uid, "pw_name"))
        missing += ["user"] if is_missing("uid", name, uid, user, variable) else []
    return missing


def make_accounts(module: AnsibleModule) -> list[str]:
    """Make groups, users and memberships, and return what was missing."""
    accounts, home = module.params["accounts"], module.params["home"]
    missing = [(account, missing_of(account)) for account in accounts]  # judge all before making one
    made, commands = [], []
    for account, kinds in missing:
        name = account["name"]
        if "group" in kinds:
            commands.append(["groupadd", "--system", "--gid", str(account["gid"]), name])
        if "user" in kinds:
            commands.append([
                "useradd", "--system", "--uid", str(account["uid"]), "--gid", str(account["gid"]), "--home-dir",
                os.path.join(home, account["home"]).rstrip("/"), "--no-create-home", "--shell", "/usr/sbin/nologin",
                "--comment", "Flower", name,
            ])  # fmt: skip
        made += [f"{kind} {name}" for kind in kinds]
    for account in accounts:
        for group in account["groups"]:
            if account["name"] not in (attempt(grp.getgrnam, group, "gr_mem") or []):
                commands.append(["usermod", "--append", "--groups", group, account["name"]])
                made.append(f"member {account['name']} of {group}")
    for command in commands:
        if not module.check_mode:
            module.run_command(command, check_rc=True)
    return made


class OwnedDirectory:
    """A directory as wanted."""

    def __init__(self, path: str, owner: int, group: int, mode: str) -> None:
        self.path, self.owners, self.mode = path, (owner, group), int(mode, 8)
        self.found = guarded.status(path)
        if self.found is not None and stat.S_ISLNK(self.found.st_mode):
            with guarded.directory(path) as descriptor:  # which refuses it unless root alone could have made it
                self.path, self.found = os.path.realpath(path), os.fstat(descriptor)

    @property
    def is_in_place(self) -> bool:
        found = self.found
        if found is None or not stat.S_ISDIR(found.st_mode):
            return False
        return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (self.mode, *self.owners)

    def belongs_to(self, users: set[int]) -> bool:
        """Tell whether another one of these users owns it."""
        return self.found is not None and self.found.st_uid in users - {guarded.ROOT, self.owners[0]}

    def make(self, migrate: bool) -> None:
        if migrate and self.found is not None:
            guarded.hand_over(self.path, [self.found.st_uid], self.owners)
        guarded.make_directory(self.path, self.mode, self.owners)


def make_directories(module: AnsibleModule) -> tuple[list[str], list[str]]:
    """Make the directories; return what was changed, and what is left to an account that had it before."""
    home, migrate = module.params["home"], module.params["migrate"]
    users = {account["uid"] for account in module.params["accounts"]} - {None}
    made, old = [], []
    if not module.check_mode:
        os.makedirs(os.path.dirname(home), 0o755, exist_ok=True)
    for item in [{"path": home, "owner": 0, "group": 0, "mode": "0755"}, *module.params["directories"]]:
        directory = OwnedDirectory(os.path.join(home, item["path"]), item["owner"], item["group"], item["mode"])
        is_old = directory.belongs_to(users)
        if is_old and not migrate:
            old.append(directory.path)
        elif directory.path.startswith(tuple(f"{path}/" for path in old)):
            continue  # it comes with what is above it
        elif not directory.is_in_place:
            made.append(f"directory {directory.path}")
            if not module.check_mode:
                if is_old and directory.found is not None:
                    end_processes_of([directory.found.st_uid])
                directory.make(is_old)
    return made, old


def make_secret(module: AnsibleModule, path: str) -> bool:
    """Make a secret that is not there, and have it belong to root alone; tell whether that changed anything."""
    found = guarded.status(path)
    if found is None:
        if not module.check_mode:
            guarded.write_bytes(path, os.urandom(32), 0o600, (0, 0))
        return True
    with guarded.regular_file(path, owners=[guarded.ROOT]) as stream:
        if (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, 0):
            return False
        if not module.check_mode:
            os.fchown(stream.fileno(), 0, 0)
            os.fchmod(stream.fileno(), 0o600)
    return True


def main() -> None:
    account = {
        "name": {"type": "str", "required": True},
        "uid": {"type": "int"},
        "gid": {"type": "int", "required": True},
        "home": {"type": "str", "default": ""},
        "groups": {"type": "list", "elements": "str", "default": []},
        "variable": {"type": "str", "default": ""},
    }
    directory = {
        "path": {"type": "path", "required": True},
        "owner": {"type": "int", "default": 0},
        "group": {"type": "int", "default": 0},
        "mode": {"type": "str", "default": "0750"},
    }
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "dict", "required": True, "options": account},
            "home": {"type": "path", "default": HOME},
            "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
            "secrets": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "migrate": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    home = module.params["home"]
    fresh = not os.path.isdir(home)
    with module.explaining("made", advice="Free that path, then run again."):
        changes = make_accounts(module)
        made, old = make_directories(module)
        changes += made
        if module.params["migrate"] and not module.check_mode:
            changes += [f"training {name}" for name in split(home)]
        for path in (os.path.join(home, item) for item in module.params["secrets"]):
            if make_secret(module, path):
                changes.append(f"secret {path}")
    after = "".join(f"{change}\n" for change in changes)
    module.exit_json(changed=bool(changes), fresh=fresh, old=old, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
