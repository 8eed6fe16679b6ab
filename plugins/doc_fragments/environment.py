# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What filters take that write an environment variable."""

    DOCUMENTATION = r"""
options:
  _input:
    description: The value.
    type: raw
    required: true
  name:
    description: Name of the environment variable.
    type: str
    required: true
"""
