#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: requirements
short_description: Refuse a controller that lacks something, and tags that select nothing
version_added: 0.1.0
description:
  - Fails with one sentence when the controller's ansible-core is older than the collection needs, before anything else
    fails for that reason. Each playbook of the collection begins with it.
  - Fails as well if C(--tags) or C(--skip-tags) leave only tasks that always run.
    Such a run would succeed without having done anything.
  - Makes the tasks after it quicker, since it loads the collection's filters once for all of them.
options:
  imports:
    description: Packages that the Python of ansible-core must have, by the names that they are imported by.
    type: list
    elements: str
    default: []
author:
  - fedops.flower contributors (@fedops)
attributes:
  check_mode:
    description: Can run in check mode and checks the same there.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
  action:
    description: Runs on the controller only, once for all hosts.
    support: full
"""

EXAMPLES = r"""
- name: Check the controller
  fedops.flower.requirements:
    imports: [cryptography]
"""

RETURN = r"""#"""
