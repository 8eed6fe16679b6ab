#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: venv
short_description: Bring a virtual environment to a hashed lock
version_added: 0.1.0
description:
  - Installs exactly what a lock with hashes lists, with C(uv), into a virtual environment that belongs to root.
  - The lock and the wheels travel from the controller as one archive, and only to a host that is not at that lock.
  - The environment is compiled to bytecode, since the service account cannot write into it.
  - An interpreter that is older than Flower supports is refused.
author:
  - fedops.flower contributors (@fedops)
attributes:
  check_mode:
    description: Can run in check mode and tell whether the environment would be built.
    support: full
  diff_mode:
    description: Returns the checksum of the lock before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same lock, the second run changes nothing.
    support: full
options:
  path:
    description: The virtual environment.
    type: path
    default: /opt/flower/venv
  python:
    description:
      - The interpreter on the host that the environment is made from.
      - Without a O(wheelhouse) it needs the module C(venv), which O(packages) bring.
    type: path
    default: /usr/bin/python3
  packages:
    description: Packages to install with C(apt) when O(python) lacks the module C(venv) and there is no O(wheelhouse).
    type: list
    elements: str
    default: []
  lock:
    description: Lock with hashes, on the controller, as C(uv pip compile --generate-hashes) writes it.
    type: path
    required: true
  uv_lock:
    description: Lock with hashes, on the controller, for C(uv) itself.
    type: path
    required: true
  wheelhouse:
    description: Directory with the wheels of both locks, on the controller. With it the host needs no network.
    type: path
  index_url:
    description: Package index to install from in place of the default one. It may hold credentials.
    type: str
  fresh:
    description: Whether the host is known to have no environment. Then it is not asked for it first.
    type: bool
    default: false
  checksum:
    description: SHA-256 of O(lock). It is computed on the controller and is not to be set.
    type: str
  offline:
    description: Whether there is a O(wheelhouse). It is decided on the controller and is not to be set.
    type: bool
    default: false
  archive:
    description: The transferred files on the host. It is not to be set.
    type: path
"""

EXAMPLES = r"""
- name: Build the environment of Flower without any network
  fedops.flower.venv:
    lock: "{{ playbook_dir }}/requirements.txt"
    uv_lock: "{{ playbook_dir }}/uv.txt"
    wheelhouse: /srv/wheels
"""

RETURN = r"""
checksum:
  description: SHA-256 of the lock that the environment is at.
  returned: success
  type: str
  sample: 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._venv import Venv, VenvError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/opt/flower/venv"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "lock": {"type": "path", "required": True},
            "uv_lock": {"type": "path", "required": True},
            "wheelhouse": {"type": "path"},
            "index_url": {"type": "str", "no_log": True},
            "fresh": {"type": "bool", "default": False},
            "checksum": {"type": "str"},
            "offline": {"type": "bool", "default": False},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    wanted, archive = module.params["checksum"], module.params["archive"]
    venv = Venv(module.params["path"], module.params["python"], module.params["index_url"], module.params["offline"])
    before = venv.checksum()
    result = {"changed": before != wanted, "checksum": wanted}
    result["diff"] = {"before": f"{before or 'nothing'}\n", "after": f"{wanted}\n"}
    if before == wanted:
        module.exit_json(**result)
    try:
        complete = venv.check_python() or not module.params["packages"]
        if module.check_mode:
            module.exit_json(**result)
        if archive is None or not complete:
            module.exit_json(changed=False, needs_archive=archive is None, needs_preparation=not complete)
        venv.build(archive)
    except VenvError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
