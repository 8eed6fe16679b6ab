#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: checkpoint_backup
short_description: Keep the checkpoints of a host on the controller, and bring them back
version_added: 0.1.0
description:
  - All trainings that save to O(path) are kept, each in its folder.
  - Checkpoints are read and written as the service account, since an NFS server may show root nothing.
  - They travel in pieces, newest first. Each is verified where it arrives, and only then gets its name.
  - A training may go on. What its retention removes meanwhile is left out, but for the newest checkpoint, which is held
    by links until it has arrived. Where the storage takes no links, it arrives when it is faster than retention, or the
    task fails.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout
  - fedops.flower.sent.piece
  - fedops.flower.sent.staged
attributes:
  check_mode:
    description: Can run in check mode and tell whether anything would travel.
    support: full
  diff_mode:
    description: Returns the names of the checkpoints that travel.
    support: full
  idempotent:
    description: What is already there does not travel again.
    support: full
options:
  path:
    description: The checkpoint directory on the host.
  home:
    description: The directory of Flower, whose trainings are asked whether they save to O(path) or elsewhere.
  backup:
    description:
      - The directory of the checkpoints on the controller. What is in it and not whole is removed, as it was left by a
        backup that was cut short.
    type: path
    required: true
  state:
    description:
      - V(present) keeps the checkpoints of the host in O(backup). V(restored) brings those of O(backup) to a host that
        has none of its own. What a host has of a training is newer than the backup, and is left as it is.
    type: str
    choices: [present, restored]
    default: present
  folder:
    description: The folder of one training, in O(path) and O(backup). Do not set it.
    type: str
    default: ""
  round:
    description: The round of O(staged). Do not set it.
    type: int
  release:
    description: Hold no checkpoint any more. Do not set it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep the checkpoints
  fedops.flower.checkpoint_backup:
    backup: /srv/backups/flower-2026-11-26/checkpoints
  register: kept

- name: Bring them back to a fresh host
  fedops.flower.checkpoint_backup:
    backup: /srv/backups/flower-2026-11-26/checkpoints
    state: restored
"""

RETURN = r"""
checkpoints:
  description: The files that have arrived or were there, those of each training with the newest first.
  returned: success
  type: list
  elements: str
  sample: [checkpoint_round_10.npz, checkpoint_round_9.npz, second/checkpoint_round_3.npz]
problems:
  description:
    - A sentence about each checkpoint of the host that cannot be trusted, one when nothing is mounted, and one about
      each training that saves elsewhere.
  returned: success
  type: list
  elements: str
  sample: []
"""

from base64 import b64encode
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._backup.checkpoints import (
    bring_back,
    elsewhere,
    hold,
    inspect_kept,
    let_go,
    place_of,
    read,
)
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import NotDeployedError
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import (
    CHECKPOINTS_OPTION,
    HOME_OPTION,
    PIECE_OPTIONS,
)


def work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do the one step that the action asks for."""
    if params["file"]:
        piece = read(place_of(params["path"], params["folder"]), params["file"], params["offset"])
        return {"gone": True} if piece is None else {"piece": b64encode(piece).decode(), "bytes": len(piece)}
    if params["staged"]:
        brought = bring_back(params["staged"], params["round"], params["path"], params["folder"], params["home"])
        return {"changed": True, "path": brought.path}
    if params["release"]:
        let_go(params["path"])
        return {}
    found, problems = inspect_kept(params["path"])
    if params["state"] == "present" and not check_mode:
        hold(params["path"], found)
    shown = [
        {"folder": folder, "round": one.round, "sha256": one.sha256}
        for folder, checkpoints in found.items()
        for one in checkpoints
    ]
    others = elsewhere(params["home"], params["path"]) if params["state"] == "present" else []
    return {"found": shown, "problems": problems, "elsewhere": others}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            **HOME_OPTION,
            "backup": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
            "folder": {"type": "str", "default": ""},
            **PIECE_OPTIONS,
            "staged": {"type": "path"},
            "round": {"type": "int"},
            "release": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    with module.explaining("opened", module.params["path"]):
        try:
            result = work(module.params, module.check_mode)
        except NotDeployedError:
            if not module.check_mode:
                raise
            result = {"found": [], "problems": [], "elsewhere": []}  # a host that was only rehearsed
    module.exit_json(**{"changed": False, **result})


if __name__ == "__main__":
    main()
