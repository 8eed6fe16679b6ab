#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supernode_units
short_description: Run the SuperNodes of a host
version_added: 0.1.0
description:
  - Writes the units and the configuration of each SuperNode of a host, and makes systemd run exactly these, all in one
    execution.
  - Each SuperNode has two units. C(flower-supernode) has its key and talks to the SuperLink. C(flower-clientapps) runs
    its ClientApps, as a user that systemd makes for them. The program that does this is built on the controller, and
    becomes C(bin/flower-clientapps) below O(home).
  - Restarts a SuperNode only if something that concerns it has changed.
  - Stops a SuperNode of the host that is not given, and removes everything that belongs to it alone, except its key and
    its data.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.layout.supernode_user
  - fedops.flower.sent
  - fedops.flower.sent.fresh
  - fedops.flower.sent.program
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be written, restarted and removed.
    support: full
  diff_mode:
    description: Shows each text before and after, and the SHA-256 of the program of the ClientApps.
    support: full
options:
  user:
    description: Account that the SuperNodes run as.
  data_group:
    description: The group that reads data.
  unit:
    description:
      - Text of the unit of a SuperNode; for instances, of the template unit that they share.
      - Required when there are O(supernodes), like O(apps_unit) and O(launcher).
    type: str
    default: ""
  apps_unit:
    description: Text of the unit that runs the ClientApps; for instances, of the template unit that they share.
    type: str
    default: ""
  launcher:
    description: Text of the program that the first unit starts, which becomes C(bin/flower-supernode) below O(home).
    type: str
    default: ""
  supernodes:
    description: The SuperNodes that the host is to run, and no others. Empty means none.
    type: list
    elements: dict
    required: true
    suboptions:
      instance:
        description: Name of the instance. Empty for the only SuperNode of a host.
        type: str
        default: ""
      config:
        description: What the SuperNode tells its ClientApps, as TOML.
        type: str
        required: true
      settings:
        description: What the instance adds to the template unit of O(unit).
        type: str
        default: ""
      apps_settings:
        description: What the instance adds to the template unit of O(apps_unit).
        type: str
        default: ""
      name:
        description: What the federation calls it.
        type: str
        default: ""
      leave_after:
        description:
          - In how many trainings its site has agreed to take part. Once it has, it is not started any more.
          - V(0) means in all.
        type: int
        default: 0
      gpus:
        description:
          - The GPUs of the host that its ClientApps may use, by the index or UUID that C(nvidia-smi -L) shows; V(auto)
            alone means all that no other SuperNode of the host has. By default they may use none.
          - Nothing is changed when a GPU that is named cannot be used.
        type: list
        elements: str
        default: []
      data_directory:
        description: Where its data lies. It is made when it would lie in C(data) below O(home).
        type: str
        default: ""
  systemd_directory:
    description: Directory of the units.
    type: path
    default: /etc/systemd/system
seealso:
  - module: fedops.flower.supernode_keys
"""

EXAMPLES = r"""
- name: Run two SuperNodes
  fedops.flower.supernode_units:
    unit: "{{ lookup('ansible.builtin.template', 'flower-supernode.service.j2') }}"
    apps_unit: "{{ lookup('ansible.builtin.template', 'flower-clientapps.service.j2') }}"
    launcher: "{{ lookup('ansible.builtin.file', 'flower-supernode.py', rstrip=false) }}"
    supernodes:
      - instance: ward-a
        config: |
          site = "ward-a"
        settings: |
          [Service]
          Environment=SUPERNODE_PORT=9094
        apps_settings: |
          [Service]
          User=flower-app-ward-a
          Environment=SUPERNODE_PORT=9094
      - instance: ward-b
        config: |
          site = "ward-b"
        settings: |
          [Service]
          Environment=SUPERNODE_PORT=9095
        apps_settings: |
          [Service]
          User=flower-app-ward-b
          Environment=SUPERNODE_PORT=9095

- name: Run none any more
  fedops.flower.supernode_units:
    supernodes: []
"""

RETURN = r"""
restarted:
  description: Units that were restarted.
  returned: success
  type: list
  elements: str
  sample: [flower-supernode@ward-a.service]
started:
  description: Units that were started or enabled.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Units that were stopped and removed.
  returned: success
  type: list
  elements: str
  sample: []
left:
  description: The names of SuperNodes that have taken part in as many trainings as their site has agreed to.
  returned: success
  type: list
  elements: str
  sample: []
gpus:
  description: The GPUs of each SuperNode that uses any, by its name.
  returned: success
  type: dict
  sample: {"ward-a": ["0 (NVIDIA H200, GPU-00000000-0000-0000-0000-000000000000)"]}
"""

import grp
import pwd

from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS, SUPERNODE_ACCOUNT, SYSTEMD
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import file as file_of
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._base.sent import SentFile
from ansible_collections.fedops.flower.plugins.module_utils._supernode.place import INSTANCE_NAME, NAME_RULE
from ansible_collections.fedops.flower.plugins.module_utils._supernode.units import Units, UnitsError
from ansible_collections.fedops.flower.plugins.module_utils._supernode.wanted import StateOwners, Texts, WantedUnits


def problems(texts: dict[str, str], instances: list[str]) -> list[str]:
    """Return what is wrong with the arguments."""
    found = [
        f"instance is '{name}' but {NAME_RULE}." for name in instances if name and not INSTANCE_NAME.fullmatch(name)
    ]
    found += [f"instance '{name}' is given twice." for name in dict.fromkeys(instances) if instances.count(name) > 1]
    if "" in instances and len(instances) > 1:
        found.append("A SuperNode without an instance must be the only one of its host.")
    for option, text in texts.items():
        if instances and not text:
            found.append(f"{option} is empty but supernodes is not. Give the text of their {option}.")
    return found


def owners(user: str, data_group: str, needed: bool) -> StateOwners:
    """Return the numbers of accounts; those of root when nothing is to be given to them."""
    try:
        account, group = pwd.getpwnam(user), grp.getgrnam(data_group)
    except KeyError:
        if needed:
            missing = f"The account {user} or the group {data_group} does not exist"
            raise UnitsError(f"{missing}: run the role fedops.flower.runtime first.") from None
        return StateOwners()
    return StateOwners((account.pw_uid, account.pw_gid), group.gr_gid, group.gr_gid)


def main() -> None:
    supernode = {
        "instance": {"type": "str", "default": ""},
        "config": {"type": "str", "required": True},
        "settings": {"type": "str", "default": ""},
        "apps_settings": {"type": "str", "default": ""},
        "data_directory": {"type": "str", "default": ""},
        "name": {"type": "str", "default": ""},
        "leave_after": {"type": "int", "default": 0},
        "gpus": {"type": "list", "elements": "str", "default": []},
    }
    texts = {name: {"type": "str", "default": ""} for name in ("unit", "apps_unit", "launcher")}
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "user": {"type": "str", "default": SUPERNODE_ACCOUNT.name},
            "data_group": {"type": "str", "default": APPS.name},
            **texts,
            "program": {"type": "str"},
            "archive": {"type": "path"},
            "fresh": {"type": "bool", "default": False},
            "supernodes": {"type": "list", "elements": "dict", "required": True, "options": supernode},
            "systemd_directory": {"type": "path", "default": SYSTEMD},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = [WantedUnits(**one) for one in params["supernodes"]]
    given = {name: params[name] for name in texts}
    bad = problems(given, [one.instance for one in wanted])
    if bad:
        module.fail_json(msg="\n".join(bad))
    launcher = file_of(params["home"], "clientapps_launcher")
    program = SentFile(launcher, params["program"] or "", params["archive"], 0o755)
    if wanted and not (module.check_mode or program.archive or program.is_in_place):
        module.exit_json(changed=False, needs_archive=True)
    with module.explaining("written"):
        needed = bool(wanted) and not module.check_mode
        own = owners(params["user"], params["data_group"], needed)
        outcome = Units(params["home"], own, params["systemd_directory"], module.check_mode).ensure(
            Texts(**given), program, wanted
        )
    for warning in outcome.warnings:
        module.warn(warning)
    for name, why in outcome.left.items():
        module.warn(f"{name}: {why}")
    module.exit_json(
        changed=outcome.changed,
        restarted=outcome.restarted,
        started=outcome.started,
        removed=outcome.removed,
        left=sorted(outcome.left),
        gpus=outcome.gpus,
        diff=outcome.diff,
    )


if __name__ == "__main__":
    main()
