# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: harmless
short_description: Make text from a host safe to show
version_added: 0.1.0
description:
  - Returns a value whose texts a terminal only prints. Control characters and what turns text round are written as
    escapes, and long texts, long lists and deep ones are cut.
  - A host answers what it likes. Use this filter before its words reach a workflow, a mail or a message.
author:
  - fedops.flower contributors (@fedops)
positional: multiline
options:
  _input:
    description: What a host has said.
    type: raw
    required: true
  multiline:
    description: Whether texts may have lines.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Hand the name to a workflow
  ansible.builtin.set_stats:
    data:
      training: "{{ answer.name | fedops.flower.harmless }}"
"""

RETURN = r"""
_value:
  description: The same value, safe to show.
  type: raw
  sample: hospital-a
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import ONE_RECORD, harmless_value


def harmless(value: Any, multiline: bool = False) -> Any:
    return harmless_value(value, replace(ONE_RECORD, text=20_000, multiline=True) if multiline else ONE_RECORD)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"harmless": harmless}
