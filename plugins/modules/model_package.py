#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_package
short_description: Pack a model of a training into a signed package on the controller
version_added: 0.1.0
description:
  - Takes a round of a training, verifies its checkpoint on the host and again where it arrives, and packs the model as
    C(NAME-ROUND-HASH8.tar.gz) on the controller. In it are the weights as C(.safetensors) and C(.npz), the files that
    go with them, a manifest with the hash of each, and a model card.
  - The package is signed with a key of its own, for which the certificate authority of the federation issues a
    certificate. The signature is beside the package with the ending C(.sig), the certificate with C(.crt). The
    certificate of the authority is all that is needed to verify them.
  - The same checkpoint with the same files makes the same package, byte by byte, and any other makes one of another
    name.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.authority
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout
  - fedops.flower.package
  - fedops.flower.sent.piece
attributes:
  check_mode:
    description: Can run in check mode and tell which package would be made, and whether it is there.
    support: full
  diff_mode:
    description: Returns the name of the package.
    support: full
  idempotent:
    description: A package that is there, and good, is left as it is. One that is not good is made again.
    support: full
options:
  path:
    description: The checkpoint directory of all trainings on the host.
  home:
    description: Home of Flower on the host.
  training:
    description: Name of the training.
    type: str
    default: default
  round:
    description:
      - The number of the round, or V(best) for the best one that early stopping has found. By default it is the newest
        good one.
    type: str
  name:
    description:
      - What the package is called before its round and hash, 1 to 40 small letters, digits and hyphens. By default it
        is the name of the training.
    type: str
  dest:
    description: The directory on the controller. It is made where there is none.
    type: path
    required: true
  place:
    description: The folder of the training in O(path). Do not set it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Pack the newest model
  fedops.flower.model_package:
    dest: /srv/packages
    ca_certificate: /srv/federation/certificates/ca.crt
    ca_private_key: /srv/federation/certificates/ca.key
  register: package

- name: Pack the best adapter of a training, with what belongs to it
  fedops.flower.model_package:
    training: chat
    round: best
    files: [/srv/models/chat/side]
    base_sha256: 0c7a1bcb0f1b0f2d2ae7d1c1d5b9a1e0fa35ef1d2f7f7d2f5a9f0d0f6c1b2a39
    dest: /srv/packages
    ca_certificate: /srv/federation/certificates/ca.crt
    ca_private_key: /srv/federation/certificates/ca.key
"""

RETURN = r"""
dest:
  description: The package on the controller.
  returned: success
  type: str
  sample: /srv/packages/default-10-3f2a9c71.tar.gz
package:
  description: Its name without the ending.
  returned: success
  type: str
  sample: default-10-3f2a9c71
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
side_files:
  description:
    - Files that the training says go with its model. They are in the package, unless O(files) has one of the same name.
  returned: success
  type: list
  elements: str
  sample: [adapter_config.json, tokenizer.json]
sha256:
  description: SHA-256 of the package.
  returned: when it is there
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

import os
from base64 import b64encode
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._backup.checkpoints import place_of, read
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PACKAGE_OPTIONS, PIECE_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.side_files import SIDE_FILES
from ansible_collections.fedops.flower.plugins.module_utils._training.export import find_checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._training.side_files import side_files_piece


def work(params: dict[str, Any]) -> dict[str, Any]:
    """Do the one step that the action asks for."""
    if params["file"] == SIDE_FILES:
        told = side_files_piece(params["home"], params["training"], params["offset"])
        return {"piece": b64encode(told).decode()}
    if params["file"]:
        piece = read(place_of(params["path"], params["place"]), params["file"], params["offset"])
        return {"gone": True} if piece is None else {"piece": b64encode(piece).decode()}
    found = find_checkpoint(params["path"], params["training"], params["round"])
    folder = os.path.relpath(os.path.dirname(found.path), params["path"])
    return {"place": "" if folder == "." else folder, "round": found.round, "checkpoint_sha256": found.sha256}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PACKAGE_OPTIONS,
            **PIECE_OPTIONS,
            "place": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    with module.explaining("packed", module.params["path"]):
        result = work(module.params)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
