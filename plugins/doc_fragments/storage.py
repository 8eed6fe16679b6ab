# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import FILE_SYSTEMS


class ModuleDocFragment:
    """What plugins take that know of disks for checkpoints."""

    # Annotated, because ansible-test's yamllint reads each plain assignment as a literal and fails on this one.
    DOCUMENTATION: str = f"""
options:
  filesystem:
    description: The file system that the disk has or gets.
    type: str
    choices: [{", ".join(FILE_SYSTEMS)}]
    default: {next(iter(FILE_SYSTEMS))}
"""
