# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.fedops.flower` importable from the checkout, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".ansible" / "collections"


def _link_checkout() -> None:
    link = COLLECTIONS / "ansible_collections" / "fedops" / "flower"
    if link.is_symlink() and link.resolve() == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(Path("../../../.."), target_is_directory=True)


if AnsibleCollectionConfig.collection_finder is None:
    _link_checkout()
    init_plugin_loader([str(COLLECTIONS)])
