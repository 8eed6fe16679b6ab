# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the SuperLink and its gateway may be asked for, and what the gateway lets through.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._base.fence import network_problems
from .._base.layout import HIGHEST_PORT, PORT
from .._base.memory import bound_problems
from .._base.notation import as_list, is_unset, show
from .._gpus.shares import gpus_problem

# SQLite's write-ahead log needs memory that all its users share, which none of these offers.
NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs4", "cifs", "smb3", "ceph", "9p"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"),
)
_PORTS = ("port", "runtime_port", "fleet_port")
_NUMBERS = ("health_timeout", "requests_per_second")
_SIZES = ("memory_max", "executor_memory_max")
_LISTS = ("fleet_listen", "app_networks")
CHECKED = (*_PORTS, *_NUMBERS, *_SIZES, *_LISTS, "body_max", "gpus")
_BODY = re.compile("[0-9]+[kmg]?")
# Of a SuperNode at a time: two pushes, two pulls, a look for messages and a heartbeat.
_CONNECTIONS = 6


def problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the variables C(superlink_*), one sentence each.

    C(given) has those of C(CHECKED) that are set, without prefix.
    """
    found = [
        f"superlink_fleet_listen has {address}, which must be an address of IPv4, or one of IPv6 in brackets."
        for address in as_list(given.get("fleet_listen"))
        if not _is_listened_on(str(address))
    ]
    found += network_problems("superlink_app_networks", given.get("app_networks"))
    if not _BODY.fullmatch(str(given.get("body_max", "0"))):
        found.append(
            f"superlink_body_max is {_said(given['body_max'])} but must be a size as nginx takes it, such as 32m."
        )
    if rule := gpus_problem(given.get("gpus")):
        found.append(f"superlink_gpus is {show(given['gpus'])} but {rule}.")
    for name in _SIZES:
        found += bound_problems(f"superlink_{name}", given[name]) if name in given else []
    found += [
        f"superlink_{name} is {_said(given[name])} but must be a whole number, at least 1."
        for name in _NUMBERS
        if name in given and not (str(given[name]).isdecimal() and int(given[name]) > 0)
    ]
    return found + _port_problems({f"superlink_{name}": given.get(name, PORT[f"superlink_{name}"]) for name in _PORTS})


def state_problem(home: str, file_system: str) -> str | None:
    """Say why the state of the SuperLink cannot lie on a file system of this kind, if it cannot."""
    if file_system not in NETWORK_FILE_SYSTEMS:
        return None
    return (
        f"runtime_home is {home}, which lies on {file_system}, but the SuperLink keeps its state there in SQLite, whose"
        " write-ahead log needs memory that all its users share. No network offers that, and the state would be"
        " damaged. Put runtime_home on a disk of the host. Checkpoints may lie on NFS, with checkpoints_backend."
    )


def listens(asked: t.Any, has_ipv6: bool) -> list[str]:
    """Return where the gateway listens: a kernel without IPv6 refuses such an address, and nginx would not start."""
    return [address for address in map(str, as_list(asked)) if has_ipv6 or not address.startswith("[")]


def connections(supernodes: int) -> dict[str, int]:
    """Return how many connections the gateway takes: from one address, from all of them, and to the SuperLink."""
    per_address = max(256, _CONNECTIONS * supernodes)
    return {"per_address": per_address, "in_all": 4 * per_address, "upstream": max(128, _CONNECTIONS * supernodes)}


def _said(value: t.Any) -> str:
    return "empty" if is_unset(value) else str(value)


def _port_problems(ports: t.Mapping[str, t.Any]) -> list[str]:
    found = [
        f"{name} is {_said(port)} but must be a port, 1 to {HIGHEST_PORT}."
        for name, port in ports.items()
        if not str(port).isdecimal() or not 1 <= int(port) <= HIGHEST_PORT
    ]
    if not found and len({int(port) for port in ports.values()}) < len(ports):
        names = list(ports)
        return [f"{', '.join(names[:-1])} and {names[-1]} must be three different ports."]
    return found


def _is_listened_on(text: str) -> bool:
    try:
        if text.startswith("[") and text.endswith("]"):
            return "%" not in text and ipaddress.IPv6Address(text[1:-1]) is not None
        return ipaddress.IPv4Address(text) is not None
    except ValueError:
        return False
