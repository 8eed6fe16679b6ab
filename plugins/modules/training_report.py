#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: training_report
short_description: Write the report of a training to the controller
version_added: 0.1.0
description:
  - Reads what a training has left on the SuperLink host, and writes two files on the controller, C(<training>.html) and
    C(<training>.json). The page is one file, which needs no network and no script. The other one is the same for
    programs, as C(docs/report.schema.json) describes it.
  - Everything that sites and apps have written is data. It is limited, and nothing of it becomes a tag.
  - The same training gives the same bytes, whenever it is asked.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
attributes:
  check_mode:
    description: Can run in check mode and tell whether the files would change.
    support: full
  diff_mode:
    description: Returns the names of the files.
    support: full
  idempotent:
    description: Files that are there with the same bytes are left as they are.
    support: full
options:
  home:
    description: Home of Flower on the host.
  training:
    description: Name of the training.
    type: str
    default: default
  published:
    description:
      - The folder with what a simulation has told (M(fedops.flower.simulation)), in the place of what is below O(home).
        It belongs to the account that the task works as.
    type: path
  dest:
    description:
      - The directory on the controller. By default it is C(reports) beside the inventory, or beside a directory that is
        an inventory; without one, in the directory that Ansible was started in.
    type: path
  names:
    description:
      - What sites are called. V(pseudonyms) are the words that the history has for them, V(real) their names.
    type: str
    choices: [pseudonyms, real]
    default: pseudonyms
  baseline:
    description:
      - What the training is compared with. The name of another training of the host, V(previous) for what was trained
        under the same name before, or the path of the C(.json) of an earlier report on the controller.
    type: str
  checkpoints:
    description: The checkpoints that there are, as M(fedops.flower.checkpoint_info) returns them.
    type: list
    elements: dict
    default: []
seealso:
  - module: fedops.flower.run_info
  - module: fedops.flower.checkpoint_info
"""

EXAMPLES = r"""
- name: Find the checkpoints of a training
  fedops.flower.checkpoint_info:
    training: default
  register: saved

- name: Write its report
  fedops.flower.training_report:
    dest: /srv/reports
    baseline: previous
    checkpoints: "{{ saved.checkpoints }}"
  register: report
"""

RETURN = r"""
dest:
  description: The page on the controller.
  returned: success
  type: str
  sample: /srv/reports/default.html
json:
  description: The same for programs.
  returned: success
  type: str
  sample: /srv/reports/default.json
bytes:
  description: Size of the page.
  returned: success
  type: int
  sample: 81320
anomalies:
  description: What is remarkable, each with C(kind), C(weight), C(text), C(round), C(variable) and C(value).
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "spike", "weight": "notable", "round": 7, "variable": "fl_client_lr", "value": "0.05 (it is 0.1)"}]
"""

from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import values_of
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._report.story import baseline, story, story_in
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outlook import outlook
from ansible_collections.fedops.flower.plugins.module_utils._tracking.links import links_of
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.follow import site_names


def asked(folder: TrainingFolder) -> dict[str, Any]:
    """Return what the supervisor of a training is asked for."""
    request = Desk(folder).request
    if request is None:
        return {}
    told = {"mode": request.mode, "num_rounds": request.num_rounds, "attempts": request.attempts}
    return {**told, "run_config": values_of(request.run_config)}


def work(params: dict[str, Any]) -> dict[str, Any]:
    """Return the story of a training, and that of what it is compared with, for the controller to draw."""
    if params["published"]:
        return {
            "story": story_in(params["published"], params["training"]),
            "baseline_story": None,
            "site_names": [],
            "tracker_links": [],
        }
    folder = TrainingFolder(params["home"], params["training"])
    wanted = params["baseline"]
    return {
        "story": story(folder, outlook(folder), asked(folder)),
        "baseline_story": baseline(params["home"], params["training"], wanted) if wanted else None,
        "site_names": site_names(params["home"]),
        "tracker_links": links_of(params["home"], folder),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "training": {"type": "str", "default": "default"},
            "published": {"type": "path"},
            "dest": {"type": "path"},
            "names": {"type": "str", "choices": ["pseudonyms", "real"], "default": "pseudonyms"},
            "baseline": {"type": "str"},
            "checkpoints": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    with module.explaining("read", module.params["home"]):
        module.exit_json(changed=False, **work(module.params))


if __name__ == "__main__":
    main()
