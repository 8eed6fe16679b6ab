# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template of a virtual machine of OpenNebula, made from another one.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping, Sequence

# What our machines need of their context: the network, a token for OneGate, and no word of being ready before they are.
_CONTEXT = {"NETWORK": "YES", "TOKEN": "YES", "REPORT_READY": "NO", "SET_HOSTNAME": "$NAME"}


def derived(
    base: Mapping[str, t.Any],
    disks: Sequence[Mapping[str, t.Any]] = (),
    networks: Sequence[Mapping[str, t.Any]] = (),
    context: Mapping[str, t.Any] | None = None,
    attributes: Mapping[str, t.Any] | None = None,
    group: Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """The template C(base) with more disks, with other networks if there are any, and with what is to differ.

    Attributes are spelt in capitals, values as text. C(VCPU) is always there: community.general's one_vm reads it.
    """
    found = {**base, **{name.upper(): value for name, value in (attributes or {}).items()}}
    found["DISK"] = [*_listed(base.get("DISK")), *disks]
    if networks:
        found["NIC"] = list(networks)
    found["CONTEXT"] = {**_CONTEXT, **base.get("CONTEXT", {}), "REPORT_READY": "NO", **(context or {})}
    if group:
        found["VMGROUP"] = dict(group)
    found.setdefault("VCPU", math.ceil(float(found.get("CPU", 1))))
    return plain(found)


def plain(template: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A template as OpenNebula hands it back: values are text, and what stands there once is no list."""
    return {name: _plain(value) for name, value in template.items() if value not in (None, [], {})}


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return _plain(value[0]) if len(value) == 1 else [_plain(each) for each in value]
    if isinstance(value, bool):
        return "YES" if value else "NO"
    return "" if value is None else str(value)


def _listed(value: t.Any) -> list[t.Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]
