# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tracker_names
short_description: List the trackers that are asked for
version_added: 0.1.0
description:
  - Returns a list, whether the trackers are given as a list or, by a survey, as one text.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description: The trackers, as a list or as one text with commas or blanks between them. Nothing means none.
    type: raw
    required: true
seealso:
  - plugin: fedops.flower.tracker_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show two of them
  ansible.builtin.debug:
    msg: "{{ 'mlflow, csv' | fedops.flower.tracker_names }}"
"""

RETURN = r"""
_value:
  description: The trackers, each once.
  type: list
  elements: str
  sample: [mlflow, csv]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._tracking.rules import names_of
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def tracker_names(wanted: Any) -> list[str]:
    with expecting("These are not the names of trackers"):
        return names_of(wanted)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"tracker_names": tracker_names}
