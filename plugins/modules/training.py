#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: training
short_description: Train under supervision on the SuperLink host
version_added: 0.1.0
description:
  - Installs a small supervisor on the SuperLink host, tells it what to train, and lets systemd run it as
    C(flower-training@NAME.service). The supervisor submits the run, follows it, and submits the next when one is lost,
    whether or not anybody is connected.
  - Then follows the training, with one line in the output for each finished round. The training goes on if the task
    ends before it, by an interruption or by O(timeout).
  - Leaves a finished training alone and follows one that is under way. One that has failed or was stopped is trained
    again; an app that keeps checkpoints resumes it.
  - Refuses a training that would save its checkpoints where another supervised, unfinished training does.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.code
  - fedops.flower.flwr
  - fedops.flower.sent
  - fedops.flower.sent.program
  - fedops.flower.supervision
attributes:
  check_mode:
    description: Can run in check mode and tell whether a training would be started, stopped or forgotten.
    support: full
  diff_mode:
    description: Shows the training before and after.
    support: full
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: partial
    details:
      - It is not idempotent with O(force=true).
  action:
    description: Has a corresponding action plugin, which sends the supervisor and shows the progress.
    support: full
options:
  name:
    description:
      - Name of the training, of lower-case letters, digits and hyphens.
    type: str
    required: true
  state:
    description:
      - V(present) trains it unless it is already finished.
      - V(stopped) stops it and its run. It stays stopped, even after a reboot, until it is trained again.
        What the run has saved as checkpoints stays.
      - V(stopped) also works without the SuperLink. RV(details) and a warning name the run that it could not be told to
        stop, and what to do.
      - V(absent) forgets a training that has ended, with its records, its history and its row in the status. It is
        refused while the training runs, is paused or is to go on by itself, and while nobody can be asked whether one
        of its runs is alive. Flower's own list of runs keeps them.
    type: str
    choices: [present, stopped, absent]
    default: present
  remove_checkpoints:
    description:
      - Whether O(state=absent) also removes the checkpoints of the training, and those that an earlier configuration of
        it has put aside. Those of other trainings in the same directory stay, and so does a copy in a mirror. Folders
        that are empty without them go.
      - Kept checkpoints are found again when the same training is trained another time, which then goes on from them.
    type: bool
    default: false
  app:
    description:
      - Folder of the Flower app on the SuperLink host. Required for O(state=present).
      - Of an app that M(fedops.flower.app) has deployed the training has a copy of its own, from which all of its runs
        are submitted, whatever is deployed in that folder meanwhile.
    type: path
  deployed:
    description:
      - Hash of the FAB of O(app), as RV(fedops.flower.app#module:fab_hash) tells it. The training is not begun when
        another one has been deployed there since.
    type: str
  unit:
    description:
      - The text of the systemd template unit C(flower-training@.service). Required for O(state=present).
    type: str
  run_config:
    description:
      - The run configuration as TOML text, one key a line. Flower refuses a key that the app does not declare.
    type: str
    default: ""
  configuration_hash:
    description:
      - Hash of everything that makes the training what it is. Without it, any run under O(name) is taken for the same.
    type: str
  num_rounds:
    description:
      - Number of rounds that is asked for, at least 1. A training that ended with fewer rounds is submitted again for
        the rest.
    type: int
  mode:
    description:
      - V(once) trains O(num_rounds) rounds.
      - V(continuous) trains a session of O(num_rounds) rounds whenever enough SuperNodes are online and one of them has
        joined or come back, or O(session_interval) has passed. Each session goes on from the last checkpoint.
        It ends when it is stopped, so the task does not wait for it.
    type: str
    choices: [once, continuous]
    default: once
  session_interval:
    description:
      - How many seconds after a session the next one begins in any case, at least 0. V(0) waits for SuperNodes that
        come.
  reports:
    description:
      - Whether the app writes its rounds and its result as the collection's own app does.
    type: bool
    default: true
  needed_nodes:
    description:
      - How many SuperNodes must be online for a round, at least 1.
  attempts:
    description:
      - The training is given up after this many runs in a row that have finished no round. At least 1.
  retry_failed:
    description:
      - Whether to submit another run after one that the app itself has ended with an exception.
    type: bool
    default: false
  stall_timeout:
    description:
      - A run counts as stalled only after this many seconds without a finished round.
        The limit is ten times the longest of the last rounds where that is more. At least 1.
  first_round_timeout:
    description:
      - How many seconds the first round may take, when there is no other to compare it with. At least 1.
  wait:
    description:
      - Whether to follow the training to its end. Otherwise the task ends once a run is under way, or once it is known
        what the training waits for.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds to follow the training. V(0) follows it for as long as it takes.
      - When the time is over, the task fails. The training goes on, and the same task follows it again.
  force:
    description:
      - Stop a run of the training that is alive, and train whatever there is.
    type: bool
    default: false
seealso:
  - module: fedops.flower.run_info
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Train, unless it is already done
  fedops.flower.training:
    name: default
    app: /opt/flower/app/fedops-app
    unit: "{{ lookup('ansible.builtin.template', 'flower-training@.service.j2') }}"
    run_config: "{{ asked.run_config }}"
    configuration_hash: "{{ asked.configuration_hash }}"
    code: "{{ asked.code }}"
    num_rounds: "{{ asked.num_rounds | default(omit, true) }}"

- name: Stop the training
  fedops.flower.training:
    name: default
    state: stopped

- name: Forget a training that has ended, and keep its checkpoints
  fedops.flower.training:
    name: first-try
    state: absent
"""

RETURN = r"""
name:
  description: Name of the training.
  returned: success
  type: str
  sample: default
run_id:
  description: Id of the newest run; null when none was submitted yet.
  returned: success
  type: str
  sample: "17304172647888193640"
status:
  description:
    - How the training stands, as RV(fedops.flower.run_info#module:supervision.state).
    - In check mode V(submitted) means that it would be started.
    - V(absent) after O(state=absent).
  returned: success
  type: str
  sample: completed
finished:
  description: Whether the training has reached the end that was asked for.
  returned: success
  type: bool
  sample: true
submitted:
  description: Whether this task has started the training.
  returned: success
  type: bool
  sample: true
removed:
  description: What was removed with the training, its folders, and files and folders of checkpoints.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [/opt/flower/published/first-try, /opt/flower/trainings/first-try]
stopped:
  description: Ids of the runs that were alive when this task stopped the training.
  returned: success
  type: list
  elements: str
  sample: []
details:
  description: Why it stands so, for example why the app failed.
  returned: success
  type: str
  sample: the data went away
configuration_hash:
  description: Hash of the configuration of the newest run.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
code:
  description: SHA-256 of the user's code that the newest run trains with; null where nobody has told.
  returned: success
  type: str
  sample: 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
num_rounds:
  description: Number of rounds that is asked for.
  returned: success
  type: int
  sample: 3
fab_hash:
  description: Hash of the app that runs, as much of it as Flower tells.
  returned: success
  type: str
  sample: 043e4ac4
alive:
  description: Whether the training goes on.
  returned: success
  type: bool
  sample: false
history:
  description: The rounds that led to the newest model, in order.
  returned: success
  type: list
  elements: dict
  sample: [{"event": "round_finished", "round": 1, "num_rounds": 3, "loss": 0.9, "accuracy": 0.7}]
site_names:
  description: >-
    The SuperNodes by C(name), with C(pseudonym), which is what RV(history) calls each of them, and C(node_id), C(site)
    and C(host).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "hospital-a", "pseudonym": "site-k3vq6dxt2m4a", "node_id": "178", "site": "", "host": "hospital-a"}]
effective:
  description: The configuration that the ServerApp really used; null for an app that does not tell.
  returned: success
  type: dict
  sample: {"training": "default", "strategy": {"name": "FedAvg"}}
stopped_early:
  description: How early stopping, or the privacy budget, has ended the training before its last round; null where not.
  returned: success
  type: str
  sample: stopped early at round 14, best was round 9 (loss 0.4123)
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
supervision:
  description: How the training stands, as RV(fedops.flower.run_info#module:supervision).
  returned: success
  type: dict
  sample: {"state": "completed", "restarts": 0}
request_id:
  description: Which order to train this is about; null for a training that was finished before it was supervised.
  returned: success
  type: str
  sample: 1a2b3c4d5e6f7081
log_tail:
  description: The last lines of the run's log.
  returned: when the app has failed
  type: list
  elements: str
  sample: ["RuntimeError: the data went away"]
"""

from dataclasses import replace
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.errors import about
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import short_hash
from ansible_collections.fedops.flower.plugins.module_utils._base.options import FLWR_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._config.code import (
    CODE_CHANGES,
    GOES_ON,
    NEW_TRAINING,
    is_same_code,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.limits import DEFAULT, range_problems
from ansible_collections.fedops.flower.plugins.module_utils._config.purposes import SMOKE
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._flower.pinned import pin, pinned_path
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.abandoned import (
    have_removed_later,
    leave_to_us,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.control import (
    Plan,
    Supervising,
    SupervisorFiles,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.forgetting import forget
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.moved_defaults import refuse_moved_defaults
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outlook import outlook
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.shared_directories import refuse_shared
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import RefusedError, TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.follow import describe, latest_run
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import ABSENT, Known, belongs_to


def have_trained(
    supervising: Supervising, request: Request, params: dict[str, Any], check_mode: bool
) -> dict[str, Any]:
    """Have the supervisor at work, unless the training is finished."""
    installation = SupervisorFiles(supervising.flwr.home, params["program"], params["unit"])
    plan = supervising.plan(request, installation)
    if plan.action == "start":
        refuse_moved_defaults(supervising.folder, request)
        refuse_shared(supervising.folder, request.run_config)
    if check_mode or plan.action == "finished":
        return told(supervising, plan, request)
    if "program" in plan.changes and not params["archive"]:
        return {"changed": False, "needs_archive": True}
    installation.install(plan.changes, params["archive"])
    if plan.action == "start":
        latest = supervising.folder.ledger[-1:]  # its run may still be on its way
        kept = [entry.fab_hash for entry in latest]
        own = pin(supervising.flwr.home, request.name, params["app"], kept, params["deployed"])
        request = supervising.start(replace(request, app=own))
        if request.purpose == SMOKE:
            have_removed_later(supervising, request)
    elif plan.changes:
        supervising.restart()
    return told(supervising, plan, request)


def request_of(params: dict[str, Any]) -> Request:
    """Make the request that the supervisor is given."""
    return Request(
        name=params["name"],
        app=pinned_path(params["home"], params["name"], params["app"]),
        run_config=params["run_config"] or "",
        configuration_hash=params["configuration_hash"],
        code=params["code"] or "",
        code_change=params["code_change"],
        num_rounds=params["num_rounds"],
        mode=params["mode"],
        session_interval=params["session_interval"],
        superlink=params["superlink"],
        reports=params["reports"],
        needed_nodes=params["needed_nodes"],
        attempts=params["attempts"],
        retry_failed=params["retry_failed"],
        stall_floor=params["stall_timeout"],
        first_round=params["first_round_timeout"],
        force=params["force"],
    )


def told(supervising: Supervising, plan: Plan, request: Request) -> dict[str, Any]:
    """Return what the module returns of a training that is to be trained."""
    finished = plan.action == "finished"
    # What is to be started has no run yet; in check mode, what a supervisor remembers is of an order before.
    anew = plan.action == "start"
    supervision = outlook(supervising.folder) if request.request_id or not anew else None
    result = {
        **describe(supervising.folder, Known("", ABSENT) if anew else plan.run),
        "status": "completed" if finished else "submitted" if anew else "running",
        "alive": not finished,
        "num_rounds": request.num_rounds,
        "changed": plan.changed,
        "finished": finished,
        "submitted": anew,
        "stopped": [],
        "supervision": supervision,
        "request_id": request.request_id or (supervision or {}).get("request_id"),
    }
    if plan.changed:
        before, after = _shown(plan.run), {**_shown(plan.run), "supervisor": "up to date"}
        if anew:
            after.update(run_id=None, status="submitted", configuration=short_hash(request.configuration_hash))
        result["diff"] = {"before": {**before, "supervisor": ", ".join(plan.changes) or "up to date"}, "after": after}
    return result


def more_trained(folder: TrainingFolder, request: Request) -> str:
    """Say that more rounds are trained already than are asked for, where it is so."""
    if request.continuous or request.begins_anew or not request.num_rounds:
        return ""
    ends = [(folder.result or {}, "rounds"), ((folder.history or [{}])[-1], "round")]
    same = belongs_to(request.wanted(None), folder.ledger)
    rounds = [end.get(key) for end, key in ends if same(end)]
    most = max((number for number in rounds if isinstance(number, int)), default=0)
    if most <= request.num_rounds:
        return ""
    return (
        f"{folder.name}: fl_num_rounds is {request.num_rounds} but {most} rounds are trained already. None is taken"
        " back: the model is that of the last one. Ask for more rounds to go on, or choose another fl_training_name."
    )


def other_code(folder: TrainingFolder, request: Request) -> str:
    """Say what becomes of a training that has other code than before, where it has."""
    latest = folder.ledger[-1] if folder.ledger else None
    if latest is None or latest.configuration_hash != request.configuration_hash or request.begins_anew:
        return ""
    if is_same_code(latest.code, request.code):
        return ""
    codes = f"{folder.name}: the app has other code ({short_hash(latest.code)}, now {short_hash(request.code)})"
    if request.code_change == GOES_ON:
        return f"{codes}, and the training goes on with it (fl_code_change is {GOES_ON}). Every round tells both."
    return (
        f"{codes}, which makes it another training: it begins at round 1, and what it had is put aside. To go on with"
        f" its model, set fl_code_change to {GOES_ON} before it has begun; to keep both, choose another"
        " fl_training_name."
    )


def have_stopped(supervising: Supervising, check_mode: bool) -> dict[str, Any]:
    """Stop the training."""
    folder = supervising.folder
    before = latest_run(folder, [])
    stop = supervising.stop(check_mode)
    result = {
        **describe(folder, before),
        "status": "stopped" if stop.changed else (outlook(folder) or {}).get("state", before.status),
        "details": stop.left or None,
        "alive": False,
        "changed": stop.changed,
        "submitted": False,
        "stopped": list(stop.runs),
        "supervision": outlook(folder),
        "request_id": None,
    }
    if stop.changed:
        shown = _shown(before)
        state = "running" if stop.runs else "waiting"
        result["diff"] = {"before": {**shown, "status": state}, "after": {**shown, "status": "stopped"}}
    return result


def have_forgotten(supervising: Supervising, remove_checkpoints: bool, check_mode: bool) -> dict[str, Any]:
    """Forget the training."""
    request = supervising.desk.request
    removed = forget(supervising, remove_checkpoints, check_mode)
    if request is not None and request.purpose == SMOKE and not check_mode:
        leave_to_us(request.name)
    result = {
        **describe(supervising.folder, Known("", ABSENT)),
        "alive": False,
        "changed": bool(removed),
        "submitted": False,
        "stopped": [],
        "supervision": None,
        "request_id": None,
        "removed": removed,
    }
    if removed:
        result["diff"] = {"before": dict.fromkeys(removed, "present"), "after": dict.fromkeys(removed, "absent")}
    return result


def _shown(run: Known) -> dict[str, Any]:
    return {"run_id": run.run_id or None, "status": run.status, "configuration": short_hash(run.configuration_hash)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **FLWR_OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "stopped", "absent"], "default": "present"},
            "remove_checkpoints": {"type": "bool", "default": False},
            "app": {"type": "path"},
            "deployed": {"type": "str"},
            "unit": {"type": "str"},
            "run_config": {"type": "str", "default": ""},
            "configuration_hash": {"type": "str"},
            "code": {"type": "str"},
            "code_change": {"type": "str", "choices": list(CODE_CHANGES), "default": NEW_TRAINING},
            "num_rounds": {"type": "int"},
            "mode": {"type": "str", "choices": ["once", "continuous"], "default": "once"},
            "session_interval": {"type": "float", "default": DEFAULT["session_interval"]},
            "reports": {"type": "bool", "default": True},
            "needed_nodes": {"type": "int", "default": DEFAULT["needed_nodes"]},
            "attempts": {"type": "int", "default": DEFAULT["attempts"]},
            "retry_failed": {"type": "bool", "default": False},
            "stall_timeout": {"type": "float", "default": DEFAULT["stall_timeout"]},
            "first_round_timeout": {"type": "float", "default": DEFAULT["first_round_timeout"]},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": DEFAULT["timeout"]},
            "force": {"type": "bool", "default": False},
            "program": {"type": "str"},
            "archive": {"type": "path"},
        },
        required_if=[("state", "present", ["app", "unit"])],
        supports_check_mode=True,
    )
    params = module.params
    if problems := range_problems(params):
        module.fail_json(msg="\n".join(problems))
    with module.explaining("written"), about(params["name"], RefusedError):
        flwr = Flwr(params["home"], params["superlink"], module.check_mode)
        supervising = Supervising(flwr, TrainingFolder(flwr.home, params["name"]))
        if params["state"] == "stopped":
            result = have_stopped(supervising, module.check_mode)
            if result["details"]:
                module.warn(f"{params['name']}: {result['details']}")
        elif params["state"] == "absent":
            result = have_forgotten(supervising, params["remove_checkpoints"], module.check_mode)
        else:
            request = request_of(params)
            other = other_code(supervising.folder, request)
            result = have_trained(supervising, request, params, module.check_mode)
            if other and result.get("submitted"):
                module.warn(other)
            if more := more_trained(supervising.folder, request):
                module.warn(more)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
