# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: publish_problems
short_description: Check where and when a model is to be published
version_added: 0.1.0
description:
  - Lists everything that is wrong with the variables C(publish_*) of the playbook C(fedops.flower.publish), without
    looking at a host.
author:
  - fedops.flower contributors (@fedops)
options:
  _input:
    description: The variables without C(publish_).
    type: dict
    required: true
seealso:
  - module: fedops.flower.model_publish
"""

EXAMPLES = r"""
- name: Stop when nothing could be published
  ansible.builtin.assert:
    that: wanted | fedops.flower.publish_problems == []
  vars:
    wanted:
      to: directory
      dest: /srv/models
"""

RETURN = r"""
_value:
  description: The problems, a sentence or two each.
  type: list
  elements: str
  sample:
    - publish_to is 'ftp' but must be one of directory, s3, huggingface, mlflow.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._publish import problems
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def publish_problems(given: Mapping[str, Any]) -> list[str]:
    with expecting("These are not the variables of a publication"):
        return problems.publish_problems(given)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"publish_problems": publish_problems}
