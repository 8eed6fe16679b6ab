# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._config.table import RUNTIME_NAMES, VARIABLES


class ModuleDocFragment:
    """What the filters and the module that check a training have in common."""

    # Annotated, because ansible-test's yamllint reads each plain assignment as a literal and fails on this one.
    DOCUMENTATION: str = f"""
options:
  runtime:
    description:
      - How Flower runs on the SuperLink host. The default of C(fl_checkpoint_path) depends on it.
    type: str
    choices: [{", ".join(RUNTIME_NAMES)}]
    default: {RUNTIME_NAMES[0]}
  home:
    description:
      - Home of Flower on the SuperLink host, C(runtime_home). With runtime V(venv), the default of
        C(fl_checkpoint_path) lies below it.
    type: path
    default: {HOME}
notes:
  - A variable that is missing, empty or null has its default.
  - The training variables are {", ".join(f"C({row.ansible})" for row in VARIABLES)}.
    C(docs/variables.md) describes them.
"""

    INPUT = """
options:
  _input:
    description: The C(fl_*) variables.
    type: dict
    required: true
"""

    NODES_ONLINE = """
options:
  nodes_online:
    description:
      - How many SuperNodes are online. When it is given, the strategy's arithmetic and the minimum numbers of clients
        are checked against it as well.
    type: int
"""
