# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.home import CHECKPOINTS, HOME, below
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS, POINTS, folder
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import KEPT


class ModuleDocFragment:
    """Options whose defaults are the layout of a host. What an option means to a module, the module says itself."""

    # Annotated, because ansible-test's yamllint reads each plain assignment as a literal and fails on these.
    DOCUMENTATION: str = f"""
options:
  home:
    description: Home of Flower on the host.
    type: path
    default: {HOME}
"""

    CHECKPOINTS: str = f"""
options:
  path:
    description: The directory of checkpoints.
    type: path
    default: {below(HOME, CHECKPOINTS)}
"""

    OWNER: str = f"""
options:
  uid:
    description: Number of the account.
    type: int
    default: {APPS.number}
  gid:
    description: Number of its group.
    type: int
    default: {APPS.number}
"""

    POINTS: str = f"""
options:
  points:
    description: The directory of what upgrades can go back to. Each point is a directory with its date as its name.
    type: path
    default: {folder(HOME, POINTS)}
"""

    RELEASES: str = f"""
options:
  kept:
    description: How many releases to keep, with the one in use.
    type: int
    default: {KEPT}
"""
