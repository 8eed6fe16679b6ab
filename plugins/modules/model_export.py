#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_export
short_description: Export a model of a training to a file on the controller
version_added: 0.1.0
description:
  - Takes a round of a training, verifies its checkpoint, and writes the arrays of its model as C(.npz),
    C(.safetensors), C(.pt), or in a form of the app's own.
  - The program that writes the file runs as ServerApps do, with their account, sandbox and environment, and without a
    network. Its output is treated as data. The size is limited, the arrays of C(.npz) and C(.safetensors) are compared
    with those of the checkpoint, and a C(.pt) file is read back by PyTorch.
  - The file travels in pieces and is hashed where it arrives. It gets its name once it is whole.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout
  - fedops.flower.sent.piece
attributes:
  check_mode:
    description: Can run in check mode and tell which round would be written, and whether there is such a file.
    support: full
  diff_mode:
    description: Returns the name of the file.
    support: full
  idempotent:
    description: A file that is there with the same bytes is left as it is.
    support: full
options:
  path:
    description: The checkpoint directory of all trainings on the host.
  home:
    description: Home of Flower on the host, in whose environment the file is written.
  training:
    description: Name of the training.
    type: str
    default: default
  round:
    description:
      - The number of the round, or V(best) for the best one that early stopping has found. By default it is the newest
        good one.
    type: str
  format:
    description:
      - V(npz) is what C(numpy.load) opens, V(safetensors) what its library reads, V(pt) a dictionary of tensors for
        C(torch.load), where PyTorch is in the environment of the ServerApps.
      - V(app) calls C(export(arrays, path)) in the module C(task) beside the app's ServerApp. C(arrays) are NumPy
        arrays by their names, C(path) is where to write. A function that adds an ending to it returns the path that it
        has written. A directory becomes a tar file.
    type: str
    choices: [npz, safetensors, pt, app]
    default: npz
  dest:
    description: The directory on the controller. The file is called C(<training>_round_<round>) with its ending.
    type: path
    required: true
  finish:
    description: Whether to remove O(file) on the host. Do not set it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Fetch the newest model
  fedops.flower.model_export:
    format: safetensors
    dest: /srv/models
  register: model

- name: Fetch the model of an earlier round of another training
  fedops.flower.model_export:
    training: second
    round: 40
    dest: /srv/models
"""

RETURN = r"""
dest:
  description: The file on the controller; in check mode without the ending that only the app knows.
  returned: success
  type: str
  sample: /srv/models/default_round_10.npz
round:
  description: The round that it is of.
  returned: success
  type: int
  sample: 10
checkpoint_sha256:
  description: SHA-256 of the checkpoint that it was made of.
  returned: success
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
sha256:
  description: SHA-256 of the file.
  returned: when not in check mode
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
bytes:
  description: Size of the file.
  returned: when not in check mode
  type: int
  sample: 41232
"""

import os
from base64 import b64encode
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import (
    CHECKPOINTS_OPTION,
    HOME_OPTION,
    PIECE_OPTIONS,
)
from ansible_collections.fedops.flower.plugins.module_utils._training import export_program
from ansible_collections.fedops.flower.plugins.module_utils._training.export import (
    EXPORT_FORMS,
    Exporter,
    find_checkpoint,
    read_piece,
)


def program() -> str:
    """Return the text of what writes the file; it may lie in the archive that this module runs from."""
    loader: Any = export_program.__spec__.loader
    return bytes(loader.get_data(export_program.__file__)).decode("utf-8")


def work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do the one step that the action asks for."""
    exporter = Exporter(params["home"], params["path"], params["training"])
    if params["finish"]:
        exporter.remove(params["file"])
        return {}
    if params["file"]:
        return {"piece": b64encode(read_piece(params["path"], params["file"], params["offset"])).decode()}
    checkpoint = find_checkpoint(params["path"], params["training"], params["round"])
    found = {"round": checkpoint.round, "checkpoint_sha256": checkpoint.sha256}
    if check_mode:
        return found
    made = exporter.make(checkpoint, params["format"], program())
    file = os.path.join(os.path.basename(made.folder), made.name)
    return {**found, "file": file, "sha256": made.sha256, "bytes": made.size}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            **HOME_OPTION,
            "training": {"type": "str", "default": "default"},
            "round": {"type": "str"},
            "format": {"type": "str", "choices": list(EXPORT_FORMS), "default": "npz"},
            "dest": {"type": "path", "required": True},
            **PIECE_OPTIONS,
            "finish": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    with module.explaining("exported", module.params["path"]):
        result = work(module.params, module.check_mode)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
