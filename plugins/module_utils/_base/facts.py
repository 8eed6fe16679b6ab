# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a host that would take the place of what the inventory says.

Ansible takes facts from the answer of any module, and puts them above the variables of the inventory. A host that
belongs to somebody else could so choose the names of its SuperNodes, or a file of the controller that is sent to it.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .jsonable import harmless

# What the names of our variables begin with: those of roles, of playbooks, of trainings, and what is internal.
PREFIXES = (
    "__", "app_", "backup_", "certificates_", "checkpoints_", "delivery_", "fl_", "flower_", "model_", "nginx_",
    "package_", "promote_", "publish_", "quiesce_", "restore_", "resume_", "runtime_", "simulate_", "simulation_",
    "status_", "stop_", "superlink_", "supernode_", "teardown_", "trackers_", "training_", "upgrade_",
)  # fmt: skip
SHOWN = 10


def overriding(facts: t.Mapping[str, t.Any] | None) -> list[str]:
    """Return the names of the facts that are variables of ours."""
    return sorted(harmless(str(name), 100) for name in facts or {} if str(name).startswith(PREFIXES))


def problem(host: str, facts: t.Mapping[str, t.Any] | None) -> str | None:
    """Say what is wrong with the facts of a host, if anything is."""
    names = overriding(facts)
    if not names:
        return None
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"{host} has answered with facts that would take the place of the inventory: {', '.join(names[:SHOWN])}{more}."
        " Do not trust this host until you know why: only set_fact with cacheable=true does so on purpose."
    )
