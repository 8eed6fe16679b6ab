# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What action plugins give the modules that get files from the controller."""

    DOCUMENTATION = r"""
options:
  archive:
    description: What the controller has sent, on the host. Do not set it.
    type: path
"""

    FRESH = r"""
options:
  fresh:
    description: Whether the host is known to have nothing of it. Then it is not asked first.
    type: bool
    default: false
"""

    PROGRAM = r"""
options:
  program:
    description: SHA-256 of the program. It is computed on the controller. Do not set it.
    type: str
"""

    PIECE = r"""
options:
  file:
    description: The file to read a piece of. Do not set it.
    type: str
  offset:
    description: Where the piece begins. Do not set it.
    type: int
    default: 0
"""

    STAGED = r"""
options:
  staged:
    description: What the controller has sent, on the host. Do not set it.
    type: path
"""
