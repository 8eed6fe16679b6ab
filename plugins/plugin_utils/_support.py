# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ansible-core the collection supports, as C(meta/runtime.yml) says.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.module_utils.compat.version import LooseVersion

POLICY = Path(__file__).resolve().parents[2] / "meta" / "runtime.yml"


def unsupported(ansible_core: str, python: str) -> str | None:
    """Return why this release of ansible-core is not supported, and what to do, or None when it is."""
    needed = yaml.safe_load(POLICY.read_text(encoding="utf-8"))["requires_ansible"]
    if LooseVersion(ansible_core) >= LooseVersion(needed.removeprefix(">=")):
        return None
    return (
        f"This is ansible-core {ansible_core}, with the Python of {python}, but fedops.flower needs ansible-core"
        f" {needed}. Install a newer one, such as by: python3 -m pip install 'ansible-core{needed}'"
    )
