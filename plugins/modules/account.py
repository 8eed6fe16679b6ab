#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: account
short_description: Make the service account and its directories
version_added: 0.1.0
description:
  - Makes a system user, its group and any number of directories and secrets in one execution.
  - The numbers are part of the promise, since volumes are shared between hosts and with containers.
    A host where somebody else has them is refused.
author:
  - fedops.flower contributors (@fedops)
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
  name:
    description: Name of the user and of its group.
    type: str
    default: flower
  uid:
    description: Number of the user.
    type: int
    default: 49999
  gid:
    description: Number of the group.
    type: int
    default: 49999
  home:
    description: Home of the user. It belongs to root.
    type: path
    default: /opt/flower
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
        description: Owner of the directory. Empty means the account.
        type: str
        default: ""
      mode:
        description: Permissions of the directory, in octal.
        type: str
        default: "0750"
  secrets:
    description:
      - Files with 32 random bytes, absolute or below O(home), which only the account can read.
      - They are born on the host, Ansible never sees them, and one that is there is never written again.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Make the account of Flower with a place for data that it can only read
  fedops.flower.account:
    directories:
      - path: data
        owner: root
"""

RETURN = r"""
fresh:
  description: Whether the home was missing before this execution.
  returned: success
  type: bool
  sample: false
"""

import grp
import os
import pwd
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._account import AccountError, Found, is_missing


def attempt(look_up: Callable[..., Any], key: Any, field: str) -> Any:
    try:
        return getattr(look_up(key), field)
    except KeyError:
        return None


def make_account(module: AnsibleModule) -> list[str]:
    """Make the group and the user, and return the names of what was missing."""
    name, uid, gid, home = (module.params[key] for key in ("name", "uid", "gid", "home"))
    group = Found(attempt(grp.getgrnam, name, "gr_gid"), attempt(grp.getgrgid, gid, "gr_name"))
    user = Found(attempt(pwd.getpwnam, name, "pw_uid"), attempt(pwd.getpwuid, uid, "pw_name"))
    # Judge both before making one.
    missing = [("group", is_missing("gid", name, gid, group)), ("user", is_missing("uid", name, uid, user))]
    commands = {
        "group": ["groupadd", "--system", "--gid", str(gid), name],
        "user": ["useradd", "--system", "--uid", str(uid), "--gid", str(gid), "--home-dir", home, "--no-create-home",
                 "--shell", "/usr/sbin/nologin", "--comment", "Flower", name],
    }  # fmt: skip
    made = [kind for kind, absent in missing if absent]
    for kind in made:
        if not module.check_mode:
            module.run_command(commands[kind], check_rc=True)
    return [f"{kind} {name}" for kind in made]


def make_directory(module: AnsibleModule, path: str, owner: str, group: str, mode: str) -> bool:
    """Make one directory with its owner and mode, and tell whether that changed anything."""
    missing = not os.path.isdir(path)
    if missing and module.check_mode:
        return True
    if missing:
        os.makedirs(path, 0o700)
    wanted = {
        "path": path, "owner": owner, "group": group, "mode": mode, "secontext": [None, None, None], "attributes": None,
    }  # fmt: skip
    return module.set_fs_attributes_if_different(wanted, missing)


def make_secret(module: AnsibleModule, path: str, uid: str, gid: str) -> bool:
    """Make a secret that is not there, and have it belong to the account alone; tell whether that changed anything."""
    missing = not os.path.exists(path)
    if missing and module.check_mode:
        return True
    if missing:
        temporary = f"{path}.new"  # a secret that was cut short must not pass for one
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(os.urandom(32))
            os.fchown(descriptor, int(uid), int(gid))
        os.rename(temporary, path)
    wanted = {
        "path": path, "owner": uid, "group": gid, "mode": "0600", "secontext": [None, None, None], "attributes": None,
    }  # fmt: skip
    return module.set_fs_attributes_if_different(wanted, missing)


def main() -> None:
    directory = {
        "path": {"type": "path", "required": True},
        "owner": {"type": "str", "default": ""},
        "mode": {"type": "str", "default": "0750"},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "flower"},
            "uid": {"type": "int", "default": 49999},
            "gid": {"type": "int", "default": 49999},
            "home": {"type": "path", "default": "/opt/flower"},
            "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
            "secrets": {"type": "list", "elements": "path", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    home = module.params["home"]
    # As numbers: in check mode the account may not have its name yet.
    uid, gid = str(module.params["uid"]), str(module.params["gid"])
    fresh = not os.path.isdir(home)
    try:
        changes = make_account(module)
        if make_directory(module, home, "root", "root", "0755"):
            changes.append(f"directory {home}")
        for item in module.params["directories"]:
            path = os.path.join(home, item["path"])
            if make_directory(module, path, item["owner"] or uid, gid, item["mode"]):
                changes.append(f"directory {path}")
        for path in (os.path.join(home, item) for item in module.params["secrets"]):
            if make_secret(module, path, uid, gid):
                changes.append(f"secret {path}")
    except AccountError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be made: {error.strerror}. Free that path, then run again.")
    after = "".join(f"{change}\n" for change in changes)
    module.exit_json(changed=bool(changes), fresh=fresh, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
