#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quiesce
short_description: Pause and resume all trainings of a SuperLink
version_added: 0.1.0
description:
  - With O(state=quiesced), each training finishes its round, saves its checkpoint and pauses. Nothing new starts,
    even after a reboot, and no continuous training begins a session, until O(state=resumed).
  - With O(state=resumed), the paused trainings resume. One that an operator had stopped stays stopped.
  - A training without a supervisor ends as well, but is not started again.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr
  - fedops.flower.supervision.quiesce
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell whether anything would be stopped or started.
    support: full
  diff_mode:
    description: Shows whether the federation is quiesced, before and after.
    support: full
  action:
    description: Has a corresponding action plugin, which shows who is still at work.
    support: full
options:
  state:
    description:
      - V(quiesced) pauses all trainings.
      - V(resumed) lets them resume.
    type: str
    choices: [quiesced, resumed]
    default: quiesced
  timeout:
    description:
      - How many seconds the rounds under way may take. Then they are stopped, and trained again when the federation is
        resumed. V(0) stops them at once.
      - For a federation that is quiesced already, this can only make the end sooner.
      - An app that does not look for the order between its rounds, as the app of the collection does, is stopped then.
  purpose:
    description:
      - What the federation is quiesced for, when a playbook does it that resumes it later, in one word.
      - It lasts only as long as no operator quiesces the federation, before or meanwhile; then it stays so.
    type: str
    default: ""
  wait_seconds:
    description:
      - How many seconds to wait on the host for the trainings. The action plugin asks again until they have paused.
    type: float
    default: 0
seealso:
  - module: fedops.flower.training
  - module: fedops.flower.run_info
"""

EXAMPLES = r"""
- name: Pause everything before the hosts are maintained
  fedops.flower.quiesce:
    timeout: 300

- name: Go on
  fedops.flower.quiesce:
    state: resumed
"""

RETURN = r"""
quiesced:
  description: Whether the federation is quiesced now.
  returned: success
  type: bool
  sample: true
since:
  description: Since when the federation is quiesced; null when it is not.
  returned: success
  type: str
  sample: "2026-11-26T03:20:11+00:00"
purpose:
  description: The O(purpose) that it is quiesced for; empty when an operator has done it, or when it is not.
  returned: success
  type: str
  sample: upgrade
done:
  description: Whether every training stands still. Always true for O(state=resumed).
  returned: success
  type: bool
  sample: true
waiting_for:
  description: Names of the trainings that are still at work.
  returned: success
  type: list
  elements: str
  sample: []
trainings:
  description:
    - The trainings that go on when the federation is resumed, or that were started by O(state=resumed).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "default", "state": "quiesced", "detail": "Quiesced after round 3 of 6.", "round": 3}]
other_runs:
  description:
    - Ids of runs that are alive but belong to no training. They were submitted by hand and are left alone.
  returned: success
  type: list
  elements: str
  sample: []
unknown:
  description: Why it is not known whether Flower has runs that nobody supervises; empty when that is known.
  returned: success
  type: str
  sample: ""
"""

from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import FLWR_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.quiesce import Busy, Quiescing
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import (
    QUIESCE_TIMEOUT,
    standing_order,
)


def have_state(quiescing: Quiescing, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Quiesce or resume."""
    before = standing_order(quiescing.trainings) is not None
    wanted = params["state"] == "quiesced"
    busy = Busy()
    if wanted:
        changed, busy = quiescing.quiesce(params["timeout"], params["wait_seconds"], check_mode, params["purpose"])
        trainings = quiescing.told()
    else:
        changed, trainings = quiescing.resume(check_mode)
    order = standing_order(quiescing.trainings)
    return {
        "changed": changed,
        "quiesced": before if check_mode else wanted,
        "since": order.since if order else None,
        "purpose": order.purpose if order else "",
        "done": not busy.names,
        "waiting_for": list(busy.names),
        "trainings": trainings,
        "other_runs": list(busy.others),
        "unknown": busy.unknown,
        "diff": {"before": {"quiesced": before}, "after": {"quiesced": wanted}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **FLWR_OPTIONS,
            "state": {"type": "str", "choices": ["quiesced", "resumed"], "default": "quiesced"},
            "timeout": {"type": "float", "default": QUIESCE_TIMEOUT},
            "purpose": {"type": "str", "default": ""},
            "wait_seconds": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not 0 <= params["timeout"] < float("inf"):
        module.fail_json(msg=f"timeout is {params['timeout']} but must be a number of seconds, at least 0.")
    with module.explaining("written"):
        result = have_state(Quiescing(Flwr(params["home"], params["superlink"])), params, module.check_mode)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
