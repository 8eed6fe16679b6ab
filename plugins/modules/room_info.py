#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: room_info
short_description: Measure the room that the SuperLink host has for a training
version_added: 0.1.0
description:
  - Returns the memory of the host, the room in the directory of the checkpoints, and the size of the model if it is
    known. M(fedops.flower.training_config) checks the training against them.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.checkpoints
  - fedops.flower.flwr.info
options:
  path:
    description:
      - The checkpoint directory. While it does not exist, the room is that of the nearest directory above it.
  training:
    description:
      - Name of the training. The size of the model is that of its newest checkpoint, and what it holds in O(path)
        counts as room, because it makes way for newer ones. It may have a
        folder of its name there.
    type: str
    required: true
  model_megabytes:
    description:
      - Size of the model's arrays in megabytes (10^6 bytes), where no checkpoint tells it yet. V(0) says that it is not
        known.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Measure the room
  fedops.flower.room_info:
    training: default
    model_megabytes: 350
  register: room

- name: Hold the training against it
  fedops.flower.training_config:
    room: "{{ room }}"
"""

RETURN = r"""
model:
  description: Size of the model's arrays in bytes. Null when it is not known.
  returned: success
  type: int
  sample: 350000000
memory:
  description: Memory of the host in bytes.
  returned: success
  type: int
  sample: 16658747392
storage:
  description: Bytes that are free in the directory of the checkpoints, with those that the training holds there.
  returned: success
  type: int
  sample: 83214209024
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.files import nearest
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import CHECKPOINTS_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.directory import list_checkpoints, room
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.looking import read_as_owner
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.trainings import directory_of
from ansible_collections.fedops.flower.plugins.module_utils._config.sizing import MEGABYTE, model_bytes, physical_memory


def room_figures(path: str, training: str, megabytes: float, strict: bool) -> dict[str, int | None]:
    """Return what is there."""
    path = directory_of(path, training, strict)
    own = [checkpoint for checkpoint in list_checkpoints(path, strict) if checkpoint.training == training]
    model = model_bytes(own[-1].manifest) if own else int(megabytes * MEGABYTE) or None
    return {"model": model, "memory": physical_memory(), "storage": room(nearest(path), own)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            "training": {"type": "str", "required": True},
            "model_megabytes": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not 0 <= params["model_megabytes"] < float("inf"):
        module.fail_json(msg=f"model_megabytes is {params['model_megabytes']} but must be 0 or more.")
    with module.explaining("looked at", params["path"]):
        found = read_as_owner(
            params["path"],
            lambda strict: room_figures(params["path"], params["training"], params["model_megabytes"], strict),
        )
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
