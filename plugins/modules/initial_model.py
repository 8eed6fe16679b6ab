#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: initial_model
short_description: Copy the model that a training begins with to where ServerApps read it
version_added: 0.1.0
description:
  - Inspects a model, C(.npz) or C(.safetensors), before anything is copied or allocated, and refuses anything else. A
    C(.pt) file is accepted if PyTorch is in the environment of the ServerApps, which opens it for weights alone.
  - Copies it to C(initial) in the home of Flower, under the name of its hash. A copy that no training needs any more is
    removed with the next one.
  - The ServerApp checks whether it is the model of the app, and lists all differences at once.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.sent.staged
attributes:
  check_mode:
    description: Can run in check mode and tell whether the model would be copied.
    support: full
  diff_mode:
    description: Returns the path of a new copy.
    support: full
  idempotent:
    description: A model that is there is not copied again.
    support: full
options:
  source:
    description:
      - The file on the host, or C(controller:PATH) for one on the controller, which travels only when it is needed. A
        relative path there begins where the play was started.
      - A file on the host that is gone is the copy that was made of it.
    type: str
    required: true
  sha256:
    description: The SHA-256 that it must have.
    type: str
  home:
    description: Home of Flower on the host.
  announced:
    description: What the controller knows of its file. Do not set it.
    type: dict
"""

EXAMPLES = r"""
- name: Begin with a model of the controller
  fedops.flower.initial_model:
    source: controller:models/resnet.safetensors
  register: initial
"""

RETURN = r"""
path:
  description: The copy on the host.
  returned: success
  type: str
  sample: /opt/flower/initial/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.npz
sha256:
  description: SHA-256 of the file, which tells the training from others.
  returned: success
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
arrays:
  description: Name, type and shape of the arrays in it, as they lie; empty for a C(.pt) file.
  returned: when the host has read the file
  type: list
  elements: dict
  sample: [{"name": "weights", "dtype": "float32", "shape": [64, 10]}]
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._training.initial import Announced, InitialModels


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "required": True},
            "sha256": {"type": "str"},
            **HOME_OPTION,
            "announced": {"type": "dict"},
            "staged": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    known = params["announced"]
    with module.explaining("copied", params["source"]):
        announced = Announced(str(known["sha256"]), int(known["size"])) if known else None
        result = InitialModels(params["home"]).take(
            params["source"], params["sha256"], announced, params["staged"], module.check_mode
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
