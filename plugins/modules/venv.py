#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: venv
short_description: Build a release of an environment from a hashed lock, and use it
version_added: 0.1.0
description:
  - Installs exactly what a lock with hashes lists, with C(uv), into a virtual environment that belongs to root.
  - Each lock and interpreter gives a release of its own, below C(releases) beside O(path), which never changes once it
    is built.
  - O(path) is a link to the release in use. It is switched in one step, once the release is whole.
  - An environment in the place of the link, from before there were releases, is moved to them.
  - The lock and the wheels travel from the controller as one archive, and only to a host that does not have that lock.
  - The environment is compiled to bytecode, since the service account cannot write into it.
  - An interpreter that is older than Flower supports is refused.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.releases
  - fedops.flower.layout.venv
  - fedops.flower.sent
  - fedops.flower.sent.fresh
attributes:
  check_mode:
    description: Can run in check mode and tell whether the environment would be built.
    support: full
  diff_mode:
    description: Returns the release in use before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same lock, the second run changes nothing.
    support: full
options:
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
  switch:
    description: Whether to use the release. Without it, it is built beside the one in use, and nothing else.
    type: bool
    default: true
  kept:
    description: How many releases to keep, with the one in use. Those that were in use longest ago are removed.
  keep:
    description: Names of releases to keep, also where O(kept) leaves no place for them.
    type: list
    elements: str
    default: []
  checksum:
    description: SHA-256 of O(lock). It is computed on the controller. Do not set it.
    type: str
  version:
    description: The version of Flower in O(lock). It is read on the controller. Do not set it.
    type: str
  offline:
    description: Whether there is a O(wheelhouse). It is decided on the controller. Do not set it.
    type: bool
    default: false
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
  description: SHA-256 of the lock.
  returned: success
  type: str
  sample: 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809
release:
  description: Name of the release that the lock gives on this host.
  returned: success
  type: str
  sample: flwr-1.41.0-3fa4c2d1
before:
  description: Name of the release that was in use; null when there was none.
  returned: success
  type: str
  sample: flwr-1.41.0-9bb01d7e
built:
  description: Whether the release was not there and was built, or would be.
  returned: success
  type: bool
  sample: true
removed:
  description: Names of releases that were removed.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME, below
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import VENV
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import KEPT, Releases, release_name
from ansible_collections.fedops.flower.plugins.module_utils._release.venv import Venv


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": below(HOME, VENV)},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "lock": {"type": "path", "required": True},
            "uv_lock": {"type": "path", "required": True},
            "wheelhouse": {"type": "path"},
            "index_url": {"type": "str", "no_log": True},
            "switch": {"type": "bool", "default": True},
            "kept": {"type": "int", "default": KEPT},
            "keep": {"type": "list", "elements": "str", "default": []},
            "fresh": {"type": "bool", "default": False},
            "checksum": {"type": "str"},
            "version": {"type": "str"},
            "offline": {"type": "bool", "default": False},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["kept"] < 1:
        module.fail_json(msg=f"kept is {params['kept']} but must be at least 1: the release in use stays.")
    releases = Releases(params["path"])
    venv = Venv(params["python"], params["index_url"], params["offline"])
    with module.explaining("changed", params["path"]):
        python = venv.look_at_python()
        name = release_name(params["version"], params["checksum"], f"{python.path} {python.version}")
        before, built = releases.current, releases.is_built(name)
        surplus = releases.surplus(name, params["kept"], params["keep"]) if params["switch"] else []
        result = {
            "changed": not built or bool(surplus) or (params["switch"] and before != name),
            "checksum": params["checksum"],
            "release": name,
            "before": before,
            "built": not built,
            "removed": surplus,
            "diff": {"before": f"{before or 'nothing'}\n", "after": f"{name if params['switch'] else before}\n"},
        }
        if module.check_mode or not result["changed"]:
            module.exit_json(**result)
        if not built:
            complete = venv.offline or python.has_pip or not params["packages"]
            if params["archive"] is None or not complete:
                needs = {"needs_archive": params["archive"] is None, "needs_preparation": not complete}
                module.exit_json(changed=False, **needs)
            venv.build(releases.make_room(name), params["archive"])
        if params["switch"]:
            releases.switch(name)
            result["removed"] = releases.surplus(name, params["kept"], params["keep"])
            releases.remove(result["removed"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
