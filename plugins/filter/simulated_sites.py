# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: simulated_sites
short_description: List the sites of a simulation
version_added: 0.1.0
description:
  - Returns as many sites as are asked for, those that are named, or all that have a folder of data.
author:
  - fedops.flower contributors (@fedops)
positional: data, folders
options:
  _input:
    description: A number, or names as a list or as text with commas; nothing for all, or for three without O(folders).
    type: raw
    required: true
  data:
    description: The folder above those of the sites.
    type: str
    required: true
  folders:
    description: The folders that there are; nothing where they are still to be made.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show who takes part
  ansible.builtin.debug:
    msg: "{{ 5 | fedops.flower.simulated_sites('/srv/data') }}"
"""

RETURN = r"""
_value:
  description: The sites, each with a C(name) and its C(data).
  type: list
  elements: dict
  sample: [{"name": "site-1", "data": "/srv/data/site-1"}]
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._flower import simulated
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def simulated_sites(asked: Any, data: str, folders: Iterable[str] | None = None) -> list[dict[str, str]]:
    with errors_as(AnsibleFilterError):
        return simulated.simulated_sites(asked, data, folders)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        return {"simulated_sites": simulated_sites}
