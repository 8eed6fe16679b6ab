#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opennebula_context_info
short_description: Read the FL_* variables in the context of an OpenNebula machine
version_added: 0.1.0
description:
  - Reads what the C(one-context) packages have left in O(directory), or the context device itself when they have not.
  - Nothing of it is run. What is not about Flower, tokens and passwords among it, is not returned.
  - Playbooks of the collection read the context of the SuperLink's host when C(opennebula_context) is true for it.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr.info
attributes:
  platform:
    description: Target operating systems on which this module works.
    platforms: linux
    support: full
options:
  directory:
    description: Directory with C(one_env) or C(context.sh).
    type: path
    default: /var/run/one-context
  device:
    description: Device with C(context.sh). It is mounted for as long as the file is read, where nobody else sees it.
    type: path
    default: /dev/disk/by-label/CONTEXT
  required:
    description: Whether a host without a context is an error.
    type: bool
    default: false
seealso:
  - plugin: fedops.flower.from_context
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the context
  fedops.flower.opennebula_context_info:
  become: true
  register: machine

- name: Show the training that it asks for
  ansible.builtin.debug:
    msg: "{{ machine.context | fedops.flower.from_context }}"
"""

RETURN = r"""
context:
  description:
    - The variables that are set and about Flower, without the prefix C(ONEAPP_). A name without it comes first.
    - Empty when the host has no context.
  returned: success
  type: dict
  sample: {"FL_STRATEGY": "FedAdam", "FL_NUM_ROUNDS": "10"}
source:
  description: The file or the device that was read; null when the host has no context.
  returned: success
  type: str
  sample: /var/run/one-context/one_env
"""

import os
import subprocess

from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._console.machine import assignments, of_flower

FILES = ("one_env", "context.sh")
LARGEST = 1 << 20  # bytes; OpenNebula's own templates have 64 KiB at most
# In a mount namespace of its own, so that nothing of it is left behind.
MOUNTED = 'mount -o ro,nosuid,nodev,noexec "$1" "$2" && exec head -c "$3" "$2/context.sh"'


class NoContextError(FedopsError):
    """The host has no context, or one that cannot be read."""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/run/one-context"},
            "device": {"type": "path", "default": "/dev/disk/by-label/CONTEXT"},
            "required": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    with module.explaining("read", advice="Run it as root."):
        source, text = read(params["directory"], params["device"], module.tmpdir)
        if source is None and params["required"]:
            raise NoContextError(
                f"The host has no context of OpenNebula: neither {params['directory']} nor {params['device']} has one."
                " Set opennebula_context to false for it."
            )
        context = of_flower(assignments(text))
    module.exit_json(changed=False, context=context, source=source)


def read(directory: str, device: str, below: str) -> tuple[str | None, str]:
    """The place and the text of a context; nothing and an empty text when there is none."""
    for name in FILES:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                return path, file.read(LARGEST).decode("utf-8", "replace")
    return (device, _on_device(device, below)) if os.path.exists(device) else (None, "")


def _on_device(device: str, below: str) -> str:
    command = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", device, below, str(LARGEST)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise NoContextError(f"The context on {device} cannot be read: {said}. Run it as root.")
    return done.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    main()
