# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: training_outcome
short_description: Return the outcome of a play that trains
version_added: 0.1.0
description:
  - Takes what the steps of a play have returned, whether or not it came to all of them, and returns what is true of the
    training at the end of the play. The role P(fedops.flower.training#role) hands it to workflows.
  - What an older training of the same name has left is not taken for this one's.
options:
  _input:
    description:
      - What the steps have found, an empty dictionary for a step that the play did not come to. The keys are C(name)
        and C(quiesced), C(needed_nodes), and C(asked) (M(fedops.flower.training_config)), C(plan) and C(run)
        (M(fedops.flower.training)), C(supernodes) (M(fedops.flower.supernode_info)), C(room)
        (M(fedops.flower.room_info)), C(refusal), C(check) and C(proof) (of what was checked), and C(model)
        (M(fedops.flower.checkpoint_info)), and C(deployed) (M(fedops.flower.app)). C(names) is V(real) where sites are
        to be told by their names; else C(details), C(waiting_for) and C(last_sites) have their pseudonyms.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Hand the result to a workflow
  ansible.builtin.set_stats:
    data:
      flower_status: "{{ outcome.status }}"
      flower_rounds: "{{ outcome.rounds }}"
  vars:
    outcome: "{{ {'name': 'default', 'asked': asked, 'run': run} | fedops.flower.training_outcome }}"
"""

RETURN = r"""
_value:
  description: >-
    The outcome: C(training), C(status), C(details), C(finished), C(run_id), C(rounds), C(loss), C(accuracy),
    C(exact), C(deviation), C(restarts), C(restart_reasons), C(waiting_for), C(checkpoint), C(checkpoint_round),
    C(checkpoint_sha256), C(history), C(last_sites) for P(fedops.flower.sites_table#filter), and C(changed_app).
  type: dict
  sample: {"training": "default", "status": "completed", "rounds": 3, "accuracy": 0.93, "restarts": 0}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._supervisor import outcome
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def training_outcome(seen: Any) -> dict[str, Any]:
    with expecting("The input is not what the steps of a play have returned", ValueError):
        return outcome.outcome(seen)


class FilterModule:
    def filters(self) -> dict[str, Callable[[Any], dict[str, Any]]]:
        return {"training_outcome": training_outcome}
