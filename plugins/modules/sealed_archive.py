#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_archive
short_description: Keep what a host cannot make again in a sealed archive, and restore it
version_added: 0.1.0
description:
  - Keeps files with their owner and mode, and SQLite databases as they are at one moment, through SQLite's own backup.
  - The archive is sealed on the host by age, for whoever has one of the private keys, so that no key leaves the host in
    plain text. It cannot be kept unsealed.
  - Archives that earlier releases have sealed as C(ansible-vault) does can still be opened.
  - Everything in it has its SHA-256. The whole archive is verified before anything is restored.
author:
  - fedops.flower contributors (@fedops)
requirements:
  - the package age, for O(method=age)
extends_documentation_fragment:
  - fedops.flower.layout.apps_user
attributes:
  check_mode:
    description: Can run in check mode and tell whether it would do anything. Nothing is read or written then.
    support: full
  diff_mode:
    description: Returns the names of what is kept or brought back.
    support: full
  action:
    description: Has a corresponding action plugin, which opens an archive of O(method=vault) on the controller.
    support: full
  idempotent:
    description: V(present) makes a new archive each time. The other states change nothing in the second run.
    support: partial
options:
  path:
    description: The archive, on the host. With O(method=vault) it is a file of the controller.
    type: path
    required: true
  state:
    description:
      - V(present) makes the archive, V(verified) reads all of it and leaves nothing behind, V(restored) brings back
        what is not there. Files that are there with other contents are refused, and then nothing is brought back.
    type: str
    choices: [present, verified, restored]
    default: present
  holds:
    description:
      - V(superlink) is all that a SuperLink host cannot make again, below its home. It has a list of ours. A restore
        writes nothing else, with the owners and modes of the list. What archives of older releases hold goes to its
        place of today.
      - V(files) are files that lie beside each other in O(base), and belong to whoever brings them back.
    type: str
    choices: [superlink, files]
    default: superlink
  base:
    description: The directory that the files lie in, or are brought back to.
    type: path
  names:
    description: The files of O(holds=files). What is not there is left out; a restore brings back no others.
    type: list
    elements: str
    default: []
  required:
    description:
      - Names that must be in the archive. One that is not fails the task, before anything is brought back or kept.
    type: list
    elements: str
    default: []
  method:
    description:
      - How the archive is sealed.
      - V(vault) only opens an archive of an earlier release. The controller opens it with ansible-core and hands the
        host a file of mode 0600 in a private temporary directory, which is removed when the task ends.
    type: str
    choices: [age, vault]
    default: age
  recipients:
    description: Public keys of age, for O(state=present). Whoever has one of the private keys can open the archive.
    type: list
    elements: str
    default: []
  identity:
    description: A private key of age, to open the archive.
    type: str
  password:
    description: The password of O(method=vault). It stays on the controller.
    type: str
  opened:
    description: The archive of O(method=vault) as the controller has opened it, on the host. Do not set it.
    type: path
  user:
    description: The account of the ServerApps on the host that is restored.
"""

EXAMPLES = r"""
- name: Keep the state of the SuperLink
  fedops.flower.sealed_archive:
    path: /var/backups/flower/superlink.sealed
    base: /opt/flower
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]

- name: Make sure that it can be opened
  fedops.flower.sealed_archive:
    path: /var/backups/flower/superlink.sealed
    state: verified
    required: [state/state.db]
    identity: "{{ vault_age_identity }}"
"""

RETURN = r"""
names:
  description: What is in the archive, or what was brought back.
  returned: when not in check mode
  type: list
  elements: str
  sample: [certificates/server.key, state/state.db]
problems:
  description: A sentence about each file that was not kept, since it is a link, a pipe or too large.
  returned: when not in check mode
  type: list
  elements: str
  sample: []
"""


from ansible_collections.fedops.flower.plugins.module_utils._backup.archive import create
from ansible_collections.fedops.flower.plugins.module_utils._backup.contents import HOLDS
from ansible_collections.fedops.flower.plugins.module_utils._backup.restore import restore
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import AGE, METHODS, VAULT, Seal
from ansible_collections.fedops.flower.plugins.module_utils._backup.unpack import verify
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule


def work(params: dict) -> tuple[list[str], list[str]]:
    """Return the names of what was done, and the problems."""
    seal = Seal(params["recipients"], params["identity"] or "", params["opened"] or "")
    path, base, holds, required = (params[key] for key in ("path", "base", "holds", "required"))
    if params["state"] == "present":
        kept = create(path, base, seal, holds, params["names"], required)
        return sorted(kept.files), kept.problems
    if params["state"] == "verified":
        return sorted(verify(path, seal, holds, required)), []
    return restore(path, base, seal, holds, params["user"], params["names"], required), []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "verified", "restored"], "default": "present"},
            "holds": {"type": "str", "choices": list(HOLDS), "default": "superlink"},
            "base": {"type": "path"},
            "names": {"type": "list", "elements": "str", "default": []},
            "required": {"type": "list", "elements": "str", "default": []},
            "method": {"type": "str", "choices": list(METHODS), "default": AGE},
            "recipients": {"type": "list", "elements": "str", "default": []},
            "identity": {"type": "str", "no_log": True},
            "password": {"type": "str", "no_log": True},
            "opened": {"type": "path"},
            "user": {"type": "str", "default": APPS.name},
        },
        required_if=[("state", "present", ["base"]), ("state", "restored", ["base"])],
        supports_check_mode=True,
    )
    state, method = module.params["state"], module.params["method"]
    if method == VAULT and state == "present":
        module.fail_json(msg="method is vault, which only opens archives. Seal with age: set recipients.")
    if module.check_mode:
        module.exit_json(changed=state != "verified")
    with module.explaining("opened", module.params["path"]):
        names, problems = work(module.params)
    changed = state == "present" or (state == "restored" and bool(names))
    after = "".join(f"{name}\n" for name in names) if changed else ""
    module.exit_json(changed=changed, names=names, problems=problems, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
