# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: survey_spec
short_description: Write an AWX survey that asks for training variables
version_added: 0.1.0
description:
  - Returns a survey for a job template of AWX that runs the playbook C(train).
  - The variables that most trainings are asked for come first, then those that the strategy reads.
  - No question has a default, because AWX would send it as an extra variable that wins over the inventory. Whatever is
    left empty is that of the inventory.
  - What is for demonstrations alone is never asked.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description:
      - The strategy whose parameters are asked for, by the name of Flower's class. The job template sets C(fl_strategy)
        to it.
      - An empty one makes the strategy a question as well.
    type: str
    required: true
  every:
    description: Whether to ask for every variable that the strategy reads, behind the common ones.
    type: bool
    default: false
  simulated:
    description: Whether it is for the playbook C(simulate), and asks first who the sites are and where they lie.
    type: bool
    default: false
seealso:
  - plugin: fedops.flower.user_inputs
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the survey of a template that trains with FedProx
  ansible.builtin.copy:
    content: "{{ 'FedProx' | fedops.flower.survey_spec | to_nice_json }}"
    dest: /tmp/survey.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The survey, as C(survey_spec) of AWX takes it.
  type: dict
  sample:
    name: Training
    description: What to train.
    spec:
      - question_name: Number of rounds
        question_description: The rounds that the whole training has.
        variable: fl_num_rounds
        required: false
        type: integer
        min: 1
        max: 2147483647
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._console import survey
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def survey_spec(strategy: str, every: bool = False, simulated: bool = False) -> dict[str, object]:
    with errors_as(AnsibleFilterError):
        return survey.survey_spec(strategy or "", every, simulated)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"survey_spec": survey_spec}
