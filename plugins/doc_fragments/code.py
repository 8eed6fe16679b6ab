# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Which code of its user a training has, and what other code makes of it."""

    DOCUMENTATION = r"""
options:
  code:
    description:
      - SHA-256 of the user's code in the app, as RV(fedops.flower.training_config#module:code). Without it, any code is
        taken for the same.
    type: str
  code_change:
    description:
      - What other code makes of a training that has begun. V(new) makes it another one, which is trained from the
        first round. V(continue) has it go on with its model.
    type: str
    choices: [new, continue]
    default: new
"""
