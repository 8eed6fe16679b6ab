# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of the first release, with the hashes of their configurations, which stand."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.fedops.flower.plugins.module_utils._config.continuity import DEFAULTS, first_default
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME

HASHES = json.loads((Path(__file__).parent / "recorded" / "hashes.json").read_text())
RECORDED_HASHES = [entry["configuration_hash"] for entry in HASHES]

# Whoever began with a default that has moved since sets it, as the refusal says.
for _given in (entry["variables"] for entry in HASHES):
    for _row in (BY_NAME[name] for name, record in DEFAULTS.items() if len(record) > 1):
        _given.setdefault(_row.ansible, first_default(_row, _given["fl_strategy"]))
