# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tracker_problems
short_description: Check which trackers are to follow a training, and how
version_added: 0.1.0
description:
  - Lists everything that is wrong with C(training_trackers) and the variables C(trackers_*) of the role
    P(fedops.flower.trackers#role), without looking at a host. No secret is in what it says.
author:
  - fedops.flower contributors (@fedops)
positional: given
options:
  _input:
    description: The trackers, as a list or as one text with commas or blanks between them.
    type: raw
    required: true
  given:
    description: The other variables, without their prefix.
    type: dict
    required: true
seealso:
  - plugin: fedops.flower.tracker_names
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop when the training could not be tracked
  ansible.builtin.assert:
    that: training_trackers | fedops.flower.tracker_problems(given) == []
"""

RETURN = r"""
_value:
  description: The problems, a sentence or two each.
  type: list
  elements: str
  sample:
    - trackers_wandb_mode is online, which needs trackers_wandb_api_key. Set it, from a vault.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._tracking import rules
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def tracker_problems(wanted: Any, given: Mapping[str, Any]) -> list[str]:
    with expecting("These are not the variables of trackers"):
        return rules.tracker_problems(wanted, given)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"tracker_problems": tracker_problems}
