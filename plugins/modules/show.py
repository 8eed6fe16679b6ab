#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Print a page of text as it is
version_added: 0.1.0
description:
  - Prints text on the controller with its line breaks and columns, whatever format the callback plugin gives to
    results.
  - Use it for tables that a person reads. For programs, put the same content into a variable or the statistics.
author:
  - fedops.flower contributors (@fedops)
attributes:
  check_mode:
    description: Can run in check mode and prints there too.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
  action:
    description: Runs on the controller only, no host is touched.
    support: full
options:
  text:
    description:
      - The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the rounds of a training
  fedops.flower.show:
    text: "{{ training.history | fedops.flower.history_table }}"
"""

RETURN = r"""#"""
