# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME


class ModuleDocFragment:
    """What the modules that run on the SuperLink host have in common."""

    # Annotated, because ansible-test's yamllint reads each plain assignment as a literal and fails on this one.
    DOCUMENTATION: str = f"""
options:
  home:
    description:
      - Home of Flower on the SuperLink host.
    type: path
    default: {HOME}
  superlink:
    description:
      - Name of the connection in Flower's C(config.toml) that leads to the SuperLink.
    type: str
    default: local
attributes:
  action_group:
    description: Use C(group/fedops.flower.flwr) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - fedops.flower.flwr
  platform:
    description: Target operating systems on which this module works.
    platforms: posix
    support: full
notes:
  - Run it on the SuperLink host. As root it gives up its privileges for everything that it asks of Flower,
    and works as the account C(flower).
"""

    INFO = r"""
attributes:
  check_mode:
    description: Can run in check mode, because it only looks.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode, because it only looks.
    support: N/A
  idempotent:
    description: When run twice in a row, the second run changes nothing; neither does the first.
    support: full
"""

    IDEMPOTENT = r"""
attributes:
  idempotent:
    description: When run twice in a row with the same options, the second run changes nothing.
    support: full
"""
