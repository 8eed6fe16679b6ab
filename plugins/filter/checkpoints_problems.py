# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: checkpoints_problems
short_description: Check where checkpoints are to lie
version_added: 0.1.0
description:
  - Lists everything that is wrong with the variables of the role C(checkpoints), without looking at a host.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description:
      - The variables without their prefix, that is C(backend), C(directory), C(device), C(export), C(nfs_options).
      - C(home) is the home of the service account, V(/opt/flower) unless it is given.
      - Where there is a mirror, C(mirror) holds the variables of C(checkpoints_mirror_*) without theirs.
    type: dict
    required: true
seealso:
  - module: fedops.flower.disk_info
"""

EXAMPLES = r"""
- name: Stop when checkpoints have no place
  ansible.builtin.assert:
    that: wanted | fedops.flower.checkpoints_problems == []
  vars:
    wanted:
      backend: nfs
      directory: /opt/flower/checkpoints
      device: ""
      export: nas.example.org:/exports/flower
      nfs_options: rw,hard,vers=4.2,_netdev
"""

RETURN = r"""
_value:
  description: The problems, a sentence or two each.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset
from ansible_collections.fedops.flower.plugins.module_utils._mirror import rules
from ansible_collections.fedops.flower.plugins.module_utils._storage import backends
from jinja2.runtime import Undefined

DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "checkpoints" / "defaults" / "main.yml"
_PREFIX = "checkpoints_"
_MIRROR = "checkpoints_mirror_"
# What backends are asked about, by the variables of the role.
_ASKED = {"disk_device": "device", "nfs_export": "export", "nfs_options": "nfs_options", "backend": "backend"}


def checkpoints_problems(wanted: Mapping[str, Any]) -> list[str]:
    mirror = wanted.get("mirror")
    return backends.problems(wanted) + (rules.problems(mirror) if mirror else [])


def checkpoints_host_problems(given: Mapping[str, Any], enabled: Any = False, directory: Any = "") -> list[str]:
    defaults = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    try:
        values = {name: _value(given, name, default) for name, default in defaults.items()}
        home = str(_value(given, "runtime_home", HOME) or HOME)
    except AnsibleError:
        return []  # only the host can say
    if not _is_true(values["checkpoints_enabled"], enabled):
        return []
    place = values["checkpoints_directory"] or directory or f"{home}/checkpoints"
    wanted = {"directory": place, "home": home}
    wanted.update({key: values[_PREFIX + name] for name, key in _ASKED.items()})
    if _is_true(values["checkpoints_mirror"], False):
        names = [name for name in values if name.startswith(_MIRROR)]
        wanted["mirror"] = {name[len(_MIRROR) :]: values[name] for name in names}
    return checkpoints_problems(wanted)


def _value(given: Mapping[str, Any], name: str, default: Any) -> Any:
    """The value of a variable, or the role's default where that is no template."""
    value = given.get(name)
    if value is None or isinstance(value, Undefined):
        return "" if isinstance(default, str) and "{{" in default else default
    return value


def _is_true(value: Any, otherwise: Any) -> bool:
    return boolean(otherwise if is_unset(value) else value, strict=False)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {
            "checkpoints_host_problems": checkpoints_host_problems,
            "checkpoints_problems": checkpoints_problems,
        }
