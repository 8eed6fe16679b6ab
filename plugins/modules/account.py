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
  - The numbers are fixed, since volumes are shared between hosts and with containers.
    A host where they belong to somebody else is refused.
  - A directory that belongs to another one of the accounts, as it did before there were several, is left as it is and
    returned in RV(old). O(migrate) gives it, and what that account owns in it, to its new owner.
  - Follows no link that anybody but root could have made.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be made.
    support: full
  diff_mode:
    description: Returns what is there before and after.
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
  apps_user:
    description:
      - The account among O(accounts) that runs the ServerApps. What works on the host later finds its name there, in
        C(/etc/flower/apps-user) where it is not the usual one.
    type: str
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

import os

from ansible_collections.fedops.flower.plugins.module_utils._base.accounts import lacking
from ansible_collections.fedops.flower.plugins.module_utils._base.belongings import make_directories, make_secret
from ansible_collections.fedops.flower.plugins.module_utils._base.identity import record_apps_user
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._training.split import split


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
            **HOME_OPTION,
            "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
            "secrets": {"type": "list", "elements": "path", "default": [], "no_log": False},
            "migrate": {"type": "bool", "default": False},
            "apps_user": {"type": "str"},
        },
        supports_check_mode=True,
    )
    accounts, home, migrate = (module.params[name] for name in ("accounts", "home", "migrate"))
    fresh, apps_user = not os.path.isdir(home), module.params["apps_user"]
    with module.explaining("made", advice="Free that path, then run again."):
        changes, lines = lacking(accounts, home)
        if lines and not module.check_mode:
            module.run_command(["systemd-sysusers", "--inline", *lines], check_rc=True)
        if apps_user and record_apps_user(apps_user, module.check_mode):
            changes.append(f"name {apps_user}")
        users = {account["uid"] for account in accounts} - {None}
        made, old = make_directories(home, module.params["directories"], users, migrate, module.check_mode)
        changes += made
        if migrate and not module.check_mode:
            changes += [f"training {name}" for name in split(home)]
        for path in (os.path.join(home, item) for item in module.params["secrets"]):
            if make_secret(path, module.check_mode):
                changes.append(f"secret {path}")
    after = "".join(f"{change}\n" for change in changes)
    module.exit_json(changed=bool(changes), fresh=fresh, old=old, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
