#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_info
short_description: Read the state of trainings and their runs
version_added: 0.1.0
description:
  - Returns the state of a training, the rounds that it has finished, the configuration that it really used,
    and its result.
  - Can wait on the host for the next round or for the end of the run, so that following a run takes few connections.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr
  - fedops.flower.flwr.info
options:
  name:
    description:
      - Name of the training. Its newest run is looked at, unless O(run_id) is given.
      - Without O(name) and O(run_id) every training is looked at.
    type: str
  run_id:
    description:
      - Id of the run.
    type: str
  log_lines:
    description:
      - How many lines of the run's log to return, counted from its end. V(0) returns none.
    type: int
    default: 0
  wait_for_round:
    description:
      - Return as soon as the run has finished this round, or has ended. Without it, wait for the end only.
      - Takes effect together with O(wait_seconds).
    type: int
  wait_for_change:
    description:
      - Return as soon as the supervisor of the training is in another state than this one, which an earlier look has
        returned as RV(supervision.signature). The SuperLink is not asked.
      - Takes effect together with O(name) and O(wait_seconds), for a training that is supervised.
    type: str
  wait_seconds:
    description:
      - How long to wait, in seconds. V(0) looks once.
      - Includes waiting for a SuperLink that does not answer, because a run outlives its restart.
    type: float
    default: 0
seealso:
  - module: fedops.flower.training
"""

EXAMPLES = r"""
- name: Look at the training named default
  fedops.flower.run_info:
    name: default
  register: training

- name: Wait up to five minutes for round 10
  fedops.flower.run_info:
    name: default
    wait_for_round: 10
    wait_seconds: 300

- name: Read the end of the log of a run
  fedops.flower.run_info:
    run_id: "17304172647888193640"
    log_lines: 40

- name: Look at every training
  fedops.flower.run_info:
  register: all
"""

RETURN = r"""
name:
  description: Name of the training; null for a run that belongs to none.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: default
run_id:
  description: Id of the run; null when nothing was ever submitted.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: "17304172647888193640"
status:
  description:
    - State of the run. V(pending), V(starting), V(running), V(completed), V(failed) and V(stopped) are Flower's words.
    - V(absent) means that nothing was ever submitted, and V(lost) that the SuperLink no longer knows the run,
      because its database was replaced.
    - V(unreachable) means that the SuperLink does not answer, RV(details) why. All other values are those of the files
      on its host, RV(supervision) among them.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: completed
details:
  description: Flower's remark on the state, for example why the run failed.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: "ServerApp failed with exception: the data went away"
alive:
  description: Whether the run is pending, starting or running.
  returned: when O(name) or O(run_id) is given
  type: bool
  sample: false
finished:
  description: Whether the run was completed.
  returned: when O(name) or O(run_id) is given
  type: bool
  sample: true
code:
  description: SHA-256 of the user's code that the run trains with; null where nobody has told.
  returned: success
  type: str
  sample: 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
configuration_hash:
  description: Hash of the configuration that was submitted.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
num_rounds:
  description: Number of rounds that was asked for.
  returned: when O(name) or O(run_id) is given
  type: int
  sample: 3
fab_hash:
  description: Hash of the app that runs, as much of it as Flower tells.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: 043e4ac4
history:
  description: The rounds that led to the newest model, in order. Empty for an app that does not leave them.
  returned: when O(name) or O(run_id) is given
  type: list
  elements: dict
  sample: [{"event": "round_finished", "round": 1, "num_rounds": 3, "loss": 0.9, "accuracy": 0.7}]
site_names:
  description: >-
    The SuperNodes by C(name), with C(pseudonym), which is what RV(history) calls each of them, and C(node_id), C(site)
    and C(host).
  returned: when the training is known, and when neither O(name) nor O(run_id) is given
  type: list
  elements: dict
  sample: [{"name": "hospital-a", "pseudonym": "site-k3vq6dxt2m4a", "node_id": "178", "site": "", "host": "hospital-a"}]
effective:
  description: The configuration that the newest ServerApp really used; null for an app that does not tell.
  returned: when O(name) or O(run_id) is given
  type: dict
  sample: {"training": "default", "strategy": {"name": "FedAvg"}}
stopped_early:
  description: How early stopping, or the privacy budget, has ended the training before its last round; null where not.
  returned: when O(name) or O(run_id) is given
  type: str
  sample: stopped early at round 14, best was round 9 (loss 0.4123)
result:
  description: The outcome of the training; null as long as it has none.
  returned: when O(name) or O(run_id) is given
  type: dict
  sample: {"training": "default", "rounds": 3, "accuracy": 0.93, "checkpoint": "checkpoint_round_3.npz"}
problems:
  description:
    - What cannot be read of the training, or is about none of its runs, and is left out of everything else.
  returned: when O(name) or O(run_id) is given
  type: list
  elements: str
  sample: ["its effective.json cannot be read: run_config is a text but must be an object."]
supervision:
  description: How the training stands by its supervisor; null for a training without one.
  returned: when O(name) or O(run_id) is given
  type: dict
  contains:
    state:
      description:
        - V(starting), V(running), V(waiting), V(restarting), or V(idle) between two sessions, while it is at work.
        - V(completed), V(failed), V(stopped), V(given_up) or V(refused) at its end.
        - V(quiesced) when it stands still by M(fedops.flower.quiesce) and goes on when that is over.
        - V(halted) when it is to go on, but its unit does not run.
      type: str
      sample: running
    reason:
      description: Why, as one of the words in C(docs/events.md).
      type: str
      sample: ""
    reports:
      description: Whether the app tells of its rounds and its result, as ours does, or one with the kit.
      type: bool
      sample: true
    purpose:
      description: What its model is for, V(training), or V(smoke) for the short look before one.
      type: str
      sample: training
    detail:
      description: The same as a sentence.
      type: str
      sample: ""
    since:
      description: Since when.
      type: str
      sample: "2026-11-25T19:40:11+00:00"
    waiting_for:
      description: Names of the SuperNodes that the training waits for.
      type: list
      elements: str
      sample: []
    stopped:
      description: Whether an operator has stopped it.
      type: bool
      sample: false
    mode:
      description: V(once) or V(continuous).
      type: str
      sample: once
    session:
      description: The number of the session of a continuous training; between two sessions, of the last one.
      type: int
      sample: 0
    run_id:
      description: Id of the run that is followed, or was the last one.
      type: str
      sample: "17304172647888193640"
    request_id:
      description: Which order to train this is about.
      type: str
      sample: 1a2b3c4d5e6f7081
    unit:
      description: The unit of the supervisor.
      type: str
      sample: flower-training@default.service
    signature:
      description: A text that changes with the state.
      type: str
      sample: 1a2b3c4d5e6f7081 running  17304172647888193640 0
    restarts:
      description: How many runs were lost so far.
      type: int
      sample: 0
    restart_reasons:
      description: The last of them, each with V(time), V(reason), V(detail), V(run_id) and V(round).
      type: list
      elements: dict
      sample: []
    round:
      description: The last round that was finished.
      type: int
      sample: 3
    num_rounds:
      description: How many rounds are asked for.
      type: int
      sample: 10
    seconds_per_round:
      description: How long the last rounds took; null before the first.
      type: float
      sample: 12.3
    eta_seconds:
      description: >-
        How long the remaining rounds will take at this pace; null before the first, and for a training that does not
        go on.
      type: float
      sample: 86.1
    checkpoint:
      description: The newest checkpoint that a round has left, as V(file), V(round) and V(age) in seconds; null before.
      type: dict
      sample: {"file": "checkpoint_round_3.npz", "round": 3, "age": 12.0}
    checkpoint_directory:
      description: Where the training keeps its checkpoints; null where it keeps none, or its app does as it likes.
      type: str
      sample: /opt/flower/checkpoints
    failed_nodes:
      description: SuperNodes that have failed, stayed silent or were rejected in the last three rounds.
      type: list
      elements: str
      sample: []
log_tail:
  description: The last lines of the run's log. Empty for a run that has not logged anything yet.
  returned: when O(name) or O(run_id) is given
  type: list
  elements: str
  sample: ["RuntimeError: the data went away"]
trainings:
  description: Every training, in the order of the names, each with the values above.
  returned: when neither O(name) nor O(run_id) is given
  type: list
  elements: dict
  sample: [{"name": "default", "status": "completed"}]
quiesced:
  description: Since when all trainings are paused, by M(fedops.flower.quiesce); null when they are not.
  returned: when neither O(name) nor O(run_id) is given
  type: str
  sample: "2026-11-25T10:00:00+00:00"
trackers:
  description:
    - What follows trainings for experiment trackers, each with V(name), V(unit), V(problem) and V(trainings).
    - Each of these has V(name), V(told) and V(newest), the last rounds that were told and that there are, V(closed),
      V(link) and V(label).
  returned: when neither O(name) nor O(run_id) is given
  type: list
  elements: dict
superlink_problem:
  description: Why Flower could not be asked, so that the trainings are read from files alone; null if it could.
  returned: when neither O(name) nor O(run_id) is given
  type: str
  sample: "Flower says: Connection to the SuperLink is unavailable. Look at the unit flower-superlink on this host."
memory_problems:
  description:
    - Which services of the host were killed for want of memory in the last 24 hours, how often, and what bounds them.
  returned: when neither O(name) nor O(run_id) is given
  type: list
  elements: str
  sample: []
"""

import os
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.memory import SUPERLINK_SERVICES, memory_problems
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import FLWR_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import FlwrError, FlwrUnreachableError
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.news import await_news
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outlook import outlook
from ansible_collections.fedops.flower.plugins.module_utils._tracking.installation import standing
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.follow import (
    describe,
    describe_run,
    find_training,
    latest_run,
    log_tail,
    site_names,
    training_names,
    unasked_run,
    wait,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import standing_order
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import ABSENT, Known

NO_ROUND = 1 << 62  # no training has as many


def describe_asked(flwr: Flwr, params: dict[str, Any]) -> dict[str, Any]:
    """Return what the module returns."""
    name, run_id, lines = params["name"], params["run_id"], params["log_lines"]
    if name is None and run_id is None:
        return _every(flwr, lines)

    name = name or find_training(flwr.home, run_id)
    if name is None:
        return _foreign(flwr, run_id, lines)
    folder = TrainingFolder(flwr.home, name)
    if params["wait_for_change"] is not None:
        last = params["wait_for_round"] if params["wait_for_round"] is not None else NO_ROUND
        await_news(folder, last, params["wait_for_change"], params["wait_seconds"])
        return _described(flwr, folder, latest_run(folder, [], run_id), lines)
    run = _wait(flwr, folder, params) or _latest(flwr, folder, run_id)
    return _described(flwr, folder, run, lines)


def _every(flwr: Flwr, lines: int) -> dict[str, Any]:
    """Describe every training; by its files alone when Flower cannot be asked."""
    folders = [TrainingFolder(flwr.home, each) for each in training_names(flwr.home)]
    problem = None
    try:
        runs = flwr.runs()
        described = [(folder, latest_run(folder, runs)) for folder in folders]
    except FlwrError as error:
        problem = str(error)
        described = [(folder, unasked_run(folder, error)) for folder in folders]
    order = standing_order(os.path.join(flwr.home, "trainings"))
    trainings = [_described(flwr, folder, run, lines) for folder, run in described]
    for training in trainings:
        del training["site_names"]  # the same for all
    return {
        "trainings": trainings,
        "site_names": site_names(flwr.home),
        "quiesced": order.since if order else None,
        "superlink_problem": problem,
        "trackers": standing(flwr.home),
        "memory_problems": memory_problems(SUPERLINK_SERVICES),
    }


def _latest(flwr: Flwr, folder: TrainingFolder, run_id: str | None) -> Known:
    try:
        return latest_run(folder, flwr.runs(), run_id)
    except FlwrUnreachableError as error:
        return unasked_run(folder, error, run_id)


def _described(flwr: Flwr, folder: TrainingFolder, run: Known, lines: int) -> dict[str, Any]:
    return {**describe(folder, run), "supervision": outlook(folder), "log_tail": log_tail(flwr, run, lines)}


def _wait(flwr: Flwr, folder: TrainingFolder, params: dict[str, Any]) -> Known | None:
    """Wait when that is asked for and there is a run to wait for."""
    if params["wait_seconds"] <= 0:
        return None
    run_id = params["run_id"] or _latest(flwr, folder, None).run_id
    if not run_id:
        return None
    last = params["wait_for_round"] if params["wait_for_round"] is not None else NO_ROUND
    return wait(flwr, folder, run_id, last, params["wait_seconds"])


def _foreign(flwr: Flwr, run_id: str, lines: int) -> dict[str, Any]:
    """Describe a run that belongs to no training of ours."""
    found = {run.run_id: run for run in flwr.runs()}.get(run_id)
    run = Known(run_id, ABSENT)
    if found:
        run = Known(run_id, found.status, details=found.details, alive=found.alive, fab_hash=found.fab_hash)
    return {
        "name": None,
        "site_names": [],
        **describe_run(run),
        "finished": run.status == "completed",
        "history": [],
        "effective": None,
        "result": None,
        "stopped_early": None,
        "problems": [],
        "supervision": None,
        "log_tail": log_tail(flwr, run, lines),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **FLWR_OPTIONS,
            "name": {"type": "str"},
            "run_id": {"type": "str"},
            "log_lines": {"type": "int", "default": 0},
            "wait_for_round": {"type": "int"},
            "wait_for_change": {"type": "str"},
            "wait_seconds": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    with module.explaining("read"):
        flwr = Flwr(module.params["home"], module.params["superlink"], module.check_mode)
        result = describe_asked(flwr, module.params)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
