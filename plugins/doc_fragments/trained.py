# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that train have in common."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the training, of lower-case letters, digits and hyphens.
    type: str
    required: true
  app:
    description:
      - Folder of the Flower app on the SuperLink host. Required for O(state=present).
    type: path
  configuration_hash:
    description:
      - Hash of everything that makes the training what it is. Without it, any run under O(name) is taken for the same.
    type: str
  num_rounds:
    description:
      - Number of rounds that is asked for, at least 1. A training that ended with fewer rounds is submitted again for
        the rest.
    type: int
"""
