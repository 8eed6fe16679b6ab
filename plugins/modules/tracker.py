#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tracker
short_description: Have experiment trackers follow a training
version_added: 0.1.0
description:
  - Has a service on the SuperLink host tell a tracker of the rounds of a training, each of them once. The role
    P(fedops.flower.trackers#role) brings the program and the library that the service needs.
  - The service and the training know nothing of each other. One that is away gets later what it has missed.
  - A tracker that follows no training any more is removed with its settings, its secrets and its library. What it has
    told stays.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Shows nothing, since there are secrets among what is compared.
    support: none
options:
  training:
    description: Name of the training.
    type: str
    required: true
  trackers:
    description: The trackers.
    type: list
    elements: str
    choices: [mlflow, wandb, tensorboard, csv]
    required: true
  state:
    description: Whether they follow the training.
    type: str
    choices: [present, absent]
    default: present
  sites:
    description: What they are told of single sites. V(real) has the names of the inventory.
    type: str
    choices: [none, pseudonyms, real]
    default: pseudonyms
  experiment:
    description: The experiment of MLflow, or the project of Weights & Biases, that the training belongs to.
    type: str
    default: ""
  options:
    description: What the tracker is told by, such as V(uri). No secret belongs here.
    type: dict
    default: {}
  secrets:
    description: What it is opened with. Written to a file that root alone reads, which systemd hands to the service.
    type: dict
    default: {}
  service:
    description: The text of the unit. Needed for O(state=present).
    type: str
"""

EXAMPLES = r"""
- name: Follow no training for Weights & Biases any more
  fedops.flower.tracker:
    training: default
    trackers: [wandb]
    state: absent
"""

RETURN = r"""
changed_trackers:
  description: The trackers of which something has changed, or would.
  returned: success
  type: list
  elements: str
  sample: [csv]
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.layout import TRACKERS
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._tracking.installation import TrackerFiles


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "training": {"type": "str", "required": True},
            "trackers": {"type": "list", "elements": "str", "choices": [*TRACKERS], "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "sites": {"type": "str", "choices": ["none", "pseudonyms", "real"], "default": "pseudonyms"},
            "experiment": {"type": "str", "default": ""},
            "options": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "service": {"type": "str"},
        },
        required_if=[("state", "present", ["service"])],
        supports_check_mode=True,
    )
    params, check = module.params, module.check_mode
    changed = []
    with module.explaining("written"):
        for name in params["trackers"]:
            files = TrackerFiles(params["home"], name)
            if params["state"] == "absent":
                done = files.unfollow(params["training"], check)
            else:
                asked = {"sites": params["sites"], "place": params["experiment"]}
                secrets = {key: str(value) for key, value in params["secrets"].items() if value}
                done = files.follow(params["training"], asked, params["options"], secrets, params["service"], check)
            changed += [name] * done
    module.exit_json(changed=bool(changed), changed_trackers=changed)


if __name__ == "__main__":
    main()
