#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: simulation
short_description: Train with simulated sites on one host
version_added: 0.1.0
description:
  - Runs an app on Flower's simulation runtime, with sites that are named and have data of their own, to its end.
  - Nothing of a federation is needed, and nothing of it is root's. Everything lies in O(folder), as the account that
    the task works as.
  - A training that is finished is not trained again, and one that was interrupted goes on where its checkpoints say.
  - Each finished round is one line in the output. When the task is interrupted, the simulation ends two minutes later.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.sent
attributes:
  check_mode:
    description: Can run in check mode and tell whether anything would be trained.
    support: full
  diff_mode:
    description: Returns details on what has changed. This module returns the rounds in its place.
    support: none
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
  action:
    description: Has a corresponding action plugin, which sends the app and the program.
    support: full
options:
  folder:
    description: The folder of the simulation on the host.
    type: path
    required: true
  training:
    description: Name of the training.
    type: str
    required: true
  app:
    description: Folder of the Flower app on the controller. Required.
    type: path
  overlay:
    description: Files that replace, or join, files of O(app), as M(fedops.flower.app) takes them.
    type: dict
  kit:
    description: Whether to put the kit into the app.
    type: bool
    default: false
  program:
    description: The program that simulates, on the controller. Required.
    type: path
  python:
    description: The interpreter on the host that has Flower with its simulation runtime.
    type: path
    required: true
  config:
    description: The run configuration, as RV(fedops.flower.training_config#module:run_config) has it.
    type: str
    required: true
  configuration:
    description: RV(fedops.flower.training_config#module:configuration_hash).
    type: str
    required: true
  code:
    description: RV(fedops.flower.training_config#module:code).
    type: str
    default: ""
  num_rounds:
    description: The rounds of the training.
    type: int
    required: true
  simulated:
    description: The sites, each with a C(name) and the folder of its C(data) on the host.
    type: list
    elements: dict
    required: true
  data:
    description: The folder with the data of the server on the host, where it has any.
    type: path
    required: true
  cpus:
    description: Processors that a site at work takes. So many sites work at a time as the host has room for.
    type: float
    default: 1
  gpus:
    description: GPUs that a site at work takes, which may be a part of one.
    type: float
    default: 0
  anew:
    description: Whether to train in any case.
    type: bool
    default: false
  follow:
    description: The round that is waited for. Only the simulation that is under way is looked at. Do not set it.
    type: int
  wait_seconds:
    description: How long it is waited for. Do not set it.
    type: float
    default: 0
  checksum:
    description: Digest of app and program. It is computed on the controller. Do not set it.
    type: str
  app_id:
    description: Flower's id of the app. It is read on the controller. Do not set it.
    type: str
  app_version:
    description: Version of the app. It is read on the controller. Do not set it.
    type: str
"""

EXAMPLES = r"""
- name: Simulate three sites
  fedops.flower.simulation:
    folder: "{{ ansible_env.HOME }}/simulation"
    training: default
    app: "{{ playbook_dir }}/my-flower-app"
    program: "{{ playbook_dir }}/simulate.py"
    python: "{{ ansible_env.HOME }}/simulation/venv/bin/python"
    config: "{{ asked.run_config }}"
    configuration: "{{ asked.configuration_hash }}"
    num_rounds: "{{ asked.num_rounds }}"
    simulated:
      - {name: site-1, data: /srv/data/site-1}
      - {name: site-2, data: /srv/data/site-2}
    data: /srv/data
"""

RETURN = r"""
published:
  description: The folder with what the training has told, its log among it.
  returned: success
  type: str
  sample: /srv/me/simulation/published/default
history:
  description: The finished rounds.
  returned: success
  type: list
  elements: dict
  sample: [{"round": 1, "loss": 0.9, "accuracy": 0.7, "purpose": "simulation"}]
running:
  description: Whether it is still under way. The task ends when it is not.
  returned: success
  type: bool
  sample: false
effective:
  description: The configuration that the ServerApp really used.
  returned: when it was under way
  type: dict
  sample: {"training": "default", "purpose": "simulation"}
result:
  description: What the training has come to; null in check mode for one that would be trained.
  returned: success
  type: dict
  sample: {"training": "default", "rounds": 3, "accuracy": 0.93, "purpose": "simulation"}
"""

import os
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._flower.simulated import PROGRAM_FILE, Simulation


def spec_of(params: dict[str, Any], simulation: Simulation) -> dict[str, Any]:
    """Return what the program is told."""
    source = simulation.source(params["checksum"])
    processors = os.cpu_count() or 1
    return {
        "app": os.path.join(source, "app"),
        "app_id": params["app_id"],
        "app_version": params["app_version"],
        "app_hash": params["checksum"],
        "run_config": params["config"],
        "sites": [{"name": str(site["name"]), "data": str(site["data"])} for site in params["simulated"]],
        "cpus": params["cpus"],
        "gpus": params["gpus"],
        "all_cpus": max(processors, params["cpus"]),
        "environment": {
            "FEDOPS_TRAININGS_DIR": os.path.dirname(simulation.published),
            "FEDOPS_DATA_DIR": params["data"],
            "FLWR_HOME": os.path.join(simulation.directory, "flwr"),
        },
    }


def work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Begin to train, unless it is done; or look how far it is."""
    simulation = Simulation(params["folder"], params["training"])
    if params["follow"] is not None:
        return look(simulation, params["follow"], params["wait_seconds"])
    asked = params["configuration"], params["code"], params["num_rounds"], params["config"]
    told = {"changed": False, "published": simulation.published, "running": False}
    if simulation.is_finished(*asked) and not params["anew"]:
        return {**told, "history": simulation.history, "result": simulation.told("result.json")}
    if check_mode:
        return {**told, "changed": True, "history": [], "result": None}
    spec = spec_of(params, simulation)
    if simulation.is_begun(spec):
        return {**told, "running": True, "history": [], "result": None}  # its playbook was interrupted a moment ago
    if not simulation.has(params["checksum"]):
        if params["archive"] is None:
            return {"changed": False, "needs_archive": True}
        simulation.put(params["checksum"], params["archive"])
    program = os.path.join(simulation.source(params["checksum"]), PROGRAM_FILE)
    simulation.begin(params["python"], program, spec)
    return {**told, "changed": True, "running": True, "history": [], "result": None}


def look(simulation: Simulation, wait_for_round: int, seconds: float) -> dict[str, Any]:
    """Return the rounds that are new, and at the end all of them."""
    told = {"changed": True, "published": simulation.published, "effective": simulation.told("effective.json")}
    if simulation.look(wait_for_round, seconds):
        history = [event for event in simulation.new_rounds if event["round"] >= wait_for_round]
        return {**told, "running": True, "history": history, "result": None}
    simulation.expect_result()
    return {**told, "running": False, "history": simulation.history, "result": simulation.told("result.json")}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "training": {"type": "str", "required": True},
            "app": {"type": "path"},
            "overlay": {"type": "dict"},
            "kit": {"type": "bool", "default": False},
            "program": {"type": "path"},
            "python": {"type": "path", "required": True},
            "config": {"type": "str", "required": True},
            "configuration": {"type": "str", "required": True},
            "code": {"type": "str", "default": ""},
            "num_rounds": {"type": "int", "required": True},
            "simulated": {"type": "list", "elements": "dict", "required": True},
            "data": {"type": "path", "required": True},
            "cpus": {"type": "float", "default": 1},
            "gpus": {"type": "float", "default": 0},
            "anew": {"type": "bool", "default": False},
            "follow": {"type": "int"},
            "wait_seconds": {"type": "float", "default": 0},
            "checksum": {"type": "str"},
            "app_id": {"type": "str"},
            "app_version": {"type": "str"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    with module.explaining("written", module.params["folder"]):
        module.exit_json(**work(module.params, module.check_mode))


if __name__ == "__main__":
    main()
