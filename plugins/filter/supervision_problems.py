# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: supervision_problems
short_description: Check how a training is to be supervised
version_added: 0.1.0
description:
  - Lists everything that is wrong with the variables C(training_*) of the role C(training), without looking at a host.
author:
  - fedops.flower contributors (@fedops)
positional: asked
options:
  _input:
    description:
      - The variables without their prefix. C(mode) is needed, and what else is left out is not checked.
    type: dict
    required: true
  asked:
    description: What M(fedops.flower.training_config) has returned for the training.
    type: dict
    required: true
seealso:
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Stop when the training could not be supervised
  ansible.builtin.assert:
    that: wanted | fedops.flower.supervision_problems(asked) == []
  vars:
    wanted:
      mode: continuous
      session_interval: 3600
"""

RETURN = r"""
_value:
  description: The problems, a sentence or two each.
  type: list
  elements: str
  sample:
    - training_timeout is -1 but must be a number, at least 0. Give 0 to follow the training for as long as it takes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._config import limits
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def supervision_problems(given: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    with expecting("These are not the variables of a training"):
        return limits.supervision_problems(given, asked)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"supervision_problems": supervision_problems}
