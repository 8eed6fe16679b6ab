# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.home import CHECKPOINTS, HOME, below
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import (
    APPS,
    POINTS,
    PORT,
    REGISTRY_ACCOUNT,
    REGISTRY_STATE,
    SUPERNODE_ACCOUNT,
    VENV,
    file,
    folder,
)
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import KEPT

_CHECKPOINTS, _VENV, _POINTS = below(HOME, CHECKPOINTS), below(HOME, VENV), folder(HOME, POINTS)


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
    default: {_CHECKPOINTS}
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

    REGISTRY: str = f"""
options:
  directory:
    description: The directory of the registry of models.
    type: path
    default: {REGISTRY_STATE}
  group:
    description: The group that serves it.
    type: str
    default: {REGISTRY_ACCOUNT.name}
"""

    POINTS: str = f"""
options:
  points:
    description: The directory of what upgrades can go back to. Each point is a directory with its date as its name.
    type: path
    default: {_POINTS}
"""

    POINTS_PATH: str = f"""
options:
  path:
    description: The directory of the points. Each is a directory with its date as its name.
    type: path
    default: {_POINTS}
"""

    GROUP: str = f"""
options:
  group:
    description: Name of the group.
    type: str
    default: {APPS.name}
  gid:
    description: Number of the group, which a host that is not deployed yet does not know.
    type: int
    default: {APPS.number}
"""

    MIRROR_SECRET: str = f"""
options:
  secret_file:
    type: path
    default: {file(HOME, "mirror_secret")}
"""

    MOUNT_POINT: str = f"""
options:
  mount_point:
    description: Where the disk may be mounted already.
    type: path
    default: {_CHECKPOINTS}
"""

    VENV: str = f"""
options:
  path:
    description: The link to the release in use.
    type: path
    default: {_VENV}
"""

    SUPERNODE: str = f"""
options:
  home:
    description: Home of Flower.
    type: str
    default: {HOME}
  port:
    description: Port of the first SuperNode. The others follow.
    type: int
    default: {PORT["supernode_port"]}
"""

    APPS_USER: str = f"""
options:
  user:
    type: str
    default: {APPS.name}
"""

    SUPERNODE_USER: str = f"""
options:
  user:
    type: str
    default: {SUPERNODE_ACCOUNT.name}
  data_group:
    type: str
    default: {APPS.name}
"""

    RELEASES: str = f"""
options:
  kept:
    description: How many releases to keep, with the one in use.
    type: int
    default: {KEPT}
"""
