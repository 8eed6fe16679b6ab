# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: round_limits
short_description: Return what a round of a training needs, and how long the first one may take
version_added: 0.1.0
description:
  - Returns what M(fedops.flower.training) takes of a training that M(fedops.flower.training_config) has judged.
author:
  - fedops.flower contributors (@fedops)
positional: stall_timeout
options:
  _input:
    description: The training, as M(fedops.flower.training_config) returns it in C(training).
    type: dict
    required: true
  stall_timeout:
    description: After so many seconds without a finished round a run is taken for stalled.
    type: float
    required: true
seealso:
  - module: fedops.flower.training_config
  - module: fedops.flower.training
"""

EXAMPLES = r"""
- name: Show how many SuperNodes a round needs
  ansible.builtin.debug:
    msg: "{{ (asked.training | fedops.flower.round_limits(900)).needed_nodes }}"
"""

RETURN = r"""
_value:
  description: The limits.
  type: dict
  contains:
    needed_nodes:
      description: How many SuperNodes must be online.
      type: int
      sample: 2
    first_round_timeout:
      description: How many seconds the first round may take.
      type: float
      sample: 8700
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._config import limits
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def round_limits(training: Mapping[str, Any], stall_timeout: object) -> dict[str, Any]:
    with expecting("These are not the variables of a training", ValueError):
        return {
            "needed_nodes": limits.needed_nodes(training),
            "first_round_timeout": limits.first_round_timeout(training, float(str(stall_timeout))),
        }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"round_limits": round_limits}
