#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: checkpoint_info
short_description: Read and verify checkpoints
version_added: 0.1.0
description:
  - Reads the checkpoints of all trainings that save to a directory, or of one, and verifies each against its manifest
    by size, SHA-256 and the names of its arrays.
  - A damaged checkpoint does not fail the task; RV(problems) reports it.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.checkpoints
  - fedops.flower.flwr.info
options:
  path:
    description:
      - The checkpoint directory. One that does not exist holds no checkpoints.
      - The training C(default) has its files in the directory itself, every other one in a folder of its name.
  training:
    description:
      - Name of the training whose checkpoints to read, wherever in O(path) it keeps them.
      - By default those of all trainings are.
    type: str
  verify:
    description:
      - V(newest) reads no more of each training than its newest good checkpoint, which is faster where they are large.
    type: str
    choices: [all, newest]
    default: all
  sha256:
    description:
      - Look for the checkpoint with this hash as well, for example the one that
        RV(fedops.flower.training#module:result) names. It is found too when another training has put it aside.
    type: str
"""

EXAMPLES = r"""
- name: Look at the checkpoints
  fedops.flower.checkpoint_info:
    path: /opt/flower/checkpoints
  register: saved

- name: Look at those of one training
  fedops.flower.checkpoint_info:
    training: second

- name: Find the model of a finished training
  fedops.flower.checkpoint_info:
    sha256: "{{ training.result.sha256 }}"
  register: model

- name: Make sure that the latest model is usable
  ansible.builtin.assert:
    that:
      - saved.problems == []
      - saved.latest.round == 10
"""

RETURN = r"""
checkpoints:
  description: The checkpoints that are good, those of each training oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file with the arrays; C(numpy.load) opens it.
      type: str
      sample: /opt/flower/checkpoints/checkpoint_round_10.npz
    file:
      description: Name of that file.
      type: str
      sample: checkpoint_round_10.npz
    age:
      description: How many seconds ago it was saved.
      type: float
      sample: 42.5
    round:
      description: Number of the round after which it was saved.
      type: int
      sample: 10
    num_rounds:
      description: Number of rounds that were asked for.
      type: int
      sample: 10
    training:
      description: Name of the training.
      type: str
      sample: default
    configuration_hash:
      description: Hash of the training's configuration.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    strategy:
      description: Name of the strategy.
      type: str
      sample: FedAvg
    run_id:
      description: Id of the run that has saved it.
      type: str
      sample: "17304172647888193640"
    timestamp:
      description: When it was saved.
      type: str
      sample: "2026-11-23T06:22:12+00:00"
    loss:
      description: Loss of the model, where it is known.
      type: float
      sample: 0.21
    accuracy:
      description: Accuracy of the model, where it is known.
      type: float
      sample: 0.94
    sha256:
      description: SHA-256 of the file.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    bytes:
      description: Size of the file.
      type: int
      sample: 41232
    num_arrays:
      description: Number of the model's arrays.
      type: int
      sample: 4
    arrays:
      description: Name, shape and type of the model's arrays, in order.
      type: list
      elements: dict
      sample: [{"name": "weights", "shape": [64, 10], "dtype": "float32"}]
latest:
  description:
    - The newest good checkpoint, with the same keys; null when there is none. Of several trainings it is the one that
      was saved last.
  returned: success
  type: dict
  sample: {"file": "checkpoint_round_10.npz", "round": 10}
trainings:
  description: The newest good checkpoint of each training, with the same keys.
  returned: success
  type: list
  elements: dict
  sample: [{"training": "default", "round": 10}, {"training": "second", "round": 3}]
match:
  description: The checkpoint that O(sha256) asks for, with the same keys; null when it is gone or damaged.
  returned: when O(sha256) is given
  type: dict
  sample: {"path": "/opt/flower/checkpoints/previous/default-9f86d081-20261123T062212Z/checkpoint_round_10.npz"}
problems:
  description: A sentence about each checkpoint that cannot be trusted, and one when the storage is not mounted.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
from datetime import datetime, timezone
from math import inf
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import CHECKPOINTS_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.directory import Inspection, find, inspect
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.looking import read_as_owner
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.trainings import directories, directory_of
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import unmounted_problem
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_guard import is_guarded

FROM_MANIFEST = (
    "round",
    "num_rounds",
    "training",
    "configuration_hash",
    "strategy",
    "run_id",
    "timestamp",
    "loss",
    "accuracy",
    "sha256",
    "bytes",
    "num_arrays",
    "arrays",
)


def describe(checkpoint: Checkpoint, now: datetime) -> dict[str, Any]:
    """Return a checkpoint as the module returns it."""
    values = {key: checkpoint.manifest[key] for key in FROM_MANIFEST}
    return {"path": checkpoint.path, "file": checkpoint.file, "age": checkpoint.age(now), **values}


def inspections_and_match(
    path: str, training: str | None, sha256: str | None, newest: bool, strict: bool
) -> tuple[list[Inspection], Checkpoint | None]:
    places = [directory_of(path, training, strict)] if training else list(directories(path).values())
    # Another training may have put it aside where both saved once.
    found = (find(place, sha256, strict) for place in dict.fromkeys((*places, path)) if sha256)
    return [inspect(place, strict, newest) for place in places], next(filter(None, found), None)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            "training": {"type": "str"},
            "verify": {"type": "str", "choices": ["all", "newest"], "default": "all"},
            "sha256": {"type": "str"},
        },
        supports_check_mode=True,
    )
    path, training, sha256 = (module.params[key] for key in ("path", "training", "sha256"))
    newest = module.params["verify"] == "newest"
    with module.explaining("looked at", path):
        inspections, found = read_as_owner(
            path, lambda strict: inspections_and_match(path, training, sha256, newest, strict)
        )
    problems = [problem for inspection in inspections for problem in inspection.problems]
    if os.path.isdir(path) and is_guarded(path):
        problems.append(unmounted_problem(path))
    now = datetime.now(timezone.utc)
    trainings = [describe(inspection.latest, now) for inspection in inspections if inspection.latest]
    match = {"match": found and describe(found, now)} if sha256 else {}
    module.exit_json(
        changed=False,
        checkpoints=[describe(checkpoint, now) for one in inspections for checkpoint in one.checkpoints],
        latest=min(trainings, key=lambda one: inf if one["age"] is None else one["age"], default=None),
        trainings=trainings,
        problems=problems,
        **match,
    )


if __name__ == "__main__":
    main()
