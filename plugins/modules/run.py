#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run
short_description: Have a training trained to its end
version_added: 0.1.0
description:
  - Submits a run for a training and follows it to its real end, with one line in the output for each finished round.
  - A training is known by its name and the hash of its configuration, so running the task again never trains twice.
    A run of the training that is alive is adopted, a training that is finished is left alone, and one that was
    interrupted is submitted again, which an app that keeps checkpoints takes as the order to resume.
  - Runs that Flower reports as failed or stopped fail the task.
  - Nobody sees to the training once the task has ended. M(fedops.flower.training) gives it a supervisor, which the role
    C(training) always does.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr
  - fedops.flower.trained
attributes:
  check_mode:
    description: Can run in check mode and tell whether a run would be submitted or stopped.
    support: full
  diff_mode:
    description: Shows the run of the training before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: partial
    details:
      - It is not idempotent with O(force=true).
  action:
    description: Has a corresponding action plugin, so that the progress is shown while the run goes on.
    support: full
options:
  state:
    description:
      - V(present) trains it unless it is already finished.
      - V(stopped) stops its run, if one is alive. What the run has saved as checkpoints stays.
    type: str
    choices: [present, stopped]
    default: present
  run_config:
    description:
      - The run configuration as TOML text. Flower refuses a key that the app does not declare.
    type: str
  wait:
    description:
      - Whether to follow the run to its end.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds to follow the run. V(0) follows it for as long as it takes.
      - When the time is over, the task fails. The run stays alive, and the same task takes it up again.
    type: float
    default: 0
  force:
    description:
      - Stop a run of the training that is alive, and submit a new one whatever there is.
    type: bool
    default: false
seealso:
  - module: fedops.flower.training
  - module: fedops.flower.run_info
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Check what to train
  fedops.flower.training_config:
    variables:
      fl_strategy: Krum
      fl_num_malicious: 1
      fl_min_available_clients: 5
  register: asked

- name: Train, unless it is already done
  fedops.flower.run:
    name: "{{ asked.training.training_name }}"
    app: /opt/flower/app/fedops-app
    run_config: "{{ asked.run_config }}"
    configuration_hash: "{{ asked.configuration_hash }}"
    num_rounds: "{{ asked.training.num_rounds }}"

- name: Stop the training
  fedops.flower.run:
    name: default
    state: stopped
"""

RETURN = r"""
run_id:
  description: Id of the run; null when nothing was ever submitted.
  returned: success
  type: str
  sample: "17304172647888193640"
status:
  description:
    - State of the run, as in the module M(fedops.flower.run_info).
    - In check mode V(submitted) means that a run would be submitted.
  returned: success
  type: str
  sample: completed
finished:
  description: Whether the training has reached the end that was asked for.
  returned: success
  type: bool
  sample: true
submitted:
  description: Whether this task has submitted a run.
  returned: success
  type: bool
  sample: true
stopped:
  description: Ids of the runs that this task has stopped.
  returned: success
  type: list
  elements: str
  sample: []
details:
  description: Flower's remark on the state, for example why the run failed.
  returned: success
  type: str
  sample: "ServerApp failed with exception: the data went away"
alive:
  description: Whether the run is pending, starting or running.
  returned: success
  type: bool
  sample: false
name:
  description: Name of the training.
  returned: success
  type: str
  sample: default
configuration_hash:
  description: Hash of the configuration of the run.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
num_rounds:
  description: Number of rounds that the run was asked for.
  returned: success
  type: int
  sample: 3
fab_hash:
  description: Hash of the app that runs, as much of it as Flower tells.
  returned: success
  type: str
  sample: 043e4ac4
history:
  description: The rounds that led to the newest model, in order.
  returned: success
  type: list
  elements: dict
  sample: [{"event": "round_finished", "round": 1, "num_rounds": 3, "loss": 0.9, "accuracy": 0.7}]
effective:
  description: The configuration that the ServerApp really used; null for an app that does not tell.
  returned: success
  type: dict
  sample: {"training": "default", "strategy": {"name": "FedAvg"}}
result:
  description: The outcome of the training; null for an app that does not tell.
  returned: success
  type: dict
  sample: {"training": "default", "rounds": 3, "accuracy": 0.93, "checkpoint": "checkpoint_round_3.npz"}
problems:
  description:
    - What cannot be read of the training, or is about none of its runs, and is left out of everything else.
  returned: success
  type: list
  elements: str
  sample: ["its effective.json cannot be read: run_config is a text but must be an object."]
log_tail:
  description: The last lines of the run's log.
  returned: when the run has failed or was stopped
  type: list
  elements: str
  sample: ["RuntimeError: the data went away"]
"""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.errors import about
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import SUPERLINK_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_record import check_fab
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.moved_defaults import refuse_moved_defaults
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.shared_directories import refuse_shared
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import (
    LedgerEntry,
    RefusedError,
    TrainingFolder,
    submission_lock,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.follow import describe, latest_run
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import standing_order
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import (
    Known,
    decide,
    known_runs,
    short,
)


def have_trained(flwr: Flwr, folder: TrainingFolder, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Submit a run unless one is alive or the training is finished."""
    wanted = params["configuration_hash"], params["num_rounds"], params["force"]
    runs = flwr.runs()
    decision = decide(known_runs(folder, runs), folder.result, *wanted)
    if decision.action != "submit":
        run = decision.run or latest_run(folder, runs)
        finished = decision.action == "finished"
        return {**describe(folder, run), "changed": False, "finished": finished, "submitted": False, "stopped": []}

    if order := standing_order(folder.parent):
        order.refuse()
    run_config = params["run_config"] or ""
    refuse_moved_defaults(folder, Request(folder.name, params["app"], run_config, force=params["force"]))
    refuse_shared(folder, run_config)
    before = latest_run(folder, runs)
    stopped = [run.run_id for run in decision.stop]
    if check_mode:
        after = Known("", "submitted", params["configuration_hash"], params["num_rounds"])
    else:
        stopped = [run_id for run_id in stopped if flwr.stop(run_id)]
        after = submit(flwr, folder, params)
    result = {**describe(folder, after), "changed": True, "finished": False, "submitted": True, "stopped": stopped}
    return {**result, "diff": _diff(before, after)}


def submit(flwr: Flwr, folder: TrainingFolder, params: dict[str, Any]) -> Known:
    """Submit a run and write it into the ledger."""
    submission = flwr.submit(params["app"], params["run_config"])
    check_fab(flwr.home, params["app"], submission.run_id, submission.fab_hash, flwr.stop)
    entry = LedgerEntry(
        run_id=submission.run_id,
        configuration_hash=params["configuration_hash"],
        fab_hash=submission.fab_hash,
        num_rounds=params["num_rounds"],
        submitted_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    folder.record(entry)
    hash_and_rounds = entry.configuration_hash, entry.num_rounds
    return Known(entry.run_id, "pending", *hash_and_rounds, fab_hash=entry.fab_hash, alive=True)


def have_stopped(flwr: Flwr, folder: TrainingFolder, check_mode: bool) -> dict[str, Any]:
    """Stop what is alive of a training."""
    runs = flwr.runs()
    before = latest_run(folder, runs)
    alive = [run.run_id for run in known_runs(folder, runs) if run.alive]
    stopped = alive if check_mode else [run_id for run_id in alive if flwr.stop(run_id)]
    after = before
    if stopped != alive:
        after = latest_run(folder, flwr.runs())  # one of them ended by itself: ask how
    elif before.run_id in stopped:
        after = replace(before, status="stopped", alive=False)
    described = before if check_mode else after
    result = {**describe(folder, described), "changed": bool(stopped), "submitted": False, "stopped": stopped}
    return {**result, "diff": _diff(before, after)}


def _diff(before: Known, after: Known) -> dict[str, Any]:
    return {"before": _shown(before), "after": _shown(after)}


def _shown(run: Known) -> dict[str, Any]:
    return {
        "run_id": run.run_id or None,
        "status": run.status,
        "configuration": short(run.configuration_hash),
        "num_rounds": run.num_rounds,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SUPERLINK_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "stopped"], "default": "present"},
            "app": {"type": "path"},
            "run_config": {"type": "str"},
            "configuration_hash": {"type": "str"},
            "num_rounds": {"type": "int"},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 0},
            "force": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["app"])],
        supports_check_mode=True,
    )
    params = module.params
    with module.explaining("written"), about(params["name"], RefusedError):
        flwr = Flwr(params["home"], params["superlink"], module.check_mode)
        folder = TrainingFolder(flwr.home, params["name"])
        if params["state"] == "stopped":
            result = have_stopped(flwr, folder, module.check_mode)
        elif module.check_mode:
            result = have_trained(flwr, folder, params, True)
        else:
            with submission_lock(flwr.home), folder.lock():
                result = have_trained(flwr, folder, params, False)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
