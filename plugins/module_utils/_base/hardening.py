# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each unit of ours gives up: the directives of systemd that shut it in.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .escape import unit_text

Directives = t.Mapping[str, t.Union[str, t.Sequence[str]]]  # a sequence is as many lines

# What every unit gives up. One that runs user code adds little to it: PyTorch makes executable memory, reads
# /proc/cpuinfo and /proc/meminfo, and pins its threads.
ALL: Directives = {
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "LockPersonality": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "PrivateTmp": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    # A line of an app that begins with <0> would be shown on the terminal of everybody who is logged in.
    "SyslogLevelPrefix": "no",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    # Neither root's calls nor a look into the memory of another process, be it one's own.
    "SystemCallFilter": ("@system-service", "~@debug @privileged process_vm_readv process_vm_writev"),
}
# For what runs no user code.
NO_USER_CODE: Directives = {
    **ALL,
    "MemoryDenyWriteExecute": "yes",
    "ProcSubset": "pid",
    "SystemCallFilter": ("@system-service", "~@debug @privileged @resources process_vm_readv process_vm_writev"),
}
# It sees no account but its own and root.
ALONE: Directives = {"PrivateUsers": "yes"}
ONLY_THIS_HOST: Directives = {"IPAddressAllow": "localhost", "IPAddressDeny": "any"}

SANDBOXES: t.Mapping[str, Directives] = {
    # It speaks to the kernel alone, and may do nothing else to the network than what nft asks for.
    "flower-fence": {
        **NO_USER_CODE,
        "AmbientCapabilities": "CAP_NET_ADMIN",
        "CapabilityBoundingSet": "CAP_NET_ADMIN",
        "Environment": "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "IPAddressDeny": "any",
        "RestrictAddressFamilies": "AF_NETLINK",
    },
    # It asks the drivers of GPUs for their device files, which loads them, and makes links in /dev.
    "flower-gpus": {
        **NO_USER_CODE,
        "CapabilityBoundingSet": "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_MKNOD CAP_SYS_ADMIN CAP_SYS_MODULE",
        "IPAddressDeny": "any",
        "PrivateDevices": "no",
        "ProcSubset": "all",
        "ProtectKernelModules": "no",
        "RestrictAddressFamilies": "AF_UNIX",
        "SystemCallFilter": (*NO_USER_CODE["SystemCallFilter"], "@chown @module"),
        "UMask": "0022",
    },
    "flower-superlink": {**NO_USER_CODE, **ALONE, **ONLY_THIS_HOST},
    "flower-gateway": {**NO_USER_CODE, **ALONE},
    "flower-registry": {**NO_USER_CODE, **ALONE},
    # It runs the check of the user.
    "flower-worker": {**ALL, **ALONE, "UMask": "0027"},
    "flower-model": {**ALL, **ALONE},
    # The group may read what ServerApps leave.
    "flower-superexec": {**ALL, **ALONE, **ONLY_THIS_HOST, "UMask": "0027"},
    # It ends ServerApps, which are another account's: it sees their processes and may send them a signal.
    "flower-training": {
        **NO_USER_CODE,
        **ONLY_THIS_HOST,
        "AmbientCapabilities": "CAP_KILL",
        "CapabilityBoundingSet": "CAP_KILL",
        "ProtectProc": "default",
        "SyslogLevelPrefix": "yes",  # its lines are its own, each with its level before it
    },
    "flower-supernode": {**NO_USER_CODE, **ALONE},
    # The fence is what closes the network; systemd closes it once more where the kernel lets it.
    "flower-clientapps": {
        **ALL,
        **ALONE,
        **ONLY_THIS_HOST,
        "DevicePolicy": "closed",
        "PrivateIPC": "yes",
        "TasksMax": "4096",
    },
    # Others of its group read what it remembers.
    "flower-alerts": {**NO_USER_CODE, **ONLY_THIS_HOST, "UMask": "0027"},
    # It runs a program of the operator's.
    "flower-alerts-delivery": {**ALL, "TasksMax": "64"},
    # Everybody may read what it remembers.
    "flower-mirror": {**NO_USER_CODE, "UMask": "0022"},
    "flower-tracker": {**NO_USER_CODE, "UMask": "0022"},
}

# Sockets of services that do for anybody who asks what a unit of user code must not: start a process outside of it
# (logind lets every user linger, with a systemd of their own), ask the network for a name, or write what looks like
# another program's word into the journal, with a priority that shows it on every terminal. systemd itself connects a
# unit's output. None of them has to be there.
CLOSED_DOORS = tuple(
    f"-/run/{name}"
    for name in (
        *("dbus", "systemd/journal", "systemd/private", "systemd/io.systemd.Login"),
        *("systemd/resolve/io.systemd.Resolve", "systemd/resolve/io.systemd.Resolve.Monitor"),
        *("nscd", "avahi-daemon", "snapd.socket"),
    )
)

_PRIVILEGED_PORTS = 1024


def directives(
    unit: str, port: int | None = None, networks: t.Iterable[str] = (), devices: t.Sequence[str] = ()
) -> str:
    """Return the directives of a unit, a line each.

    C(port) is one that it listens on, C(networks) are those that it may speak to beside this host, C(devices) what it
    may use, as C(DeviceAllow=) takes it.
    """
    found = dict(SANDBOXES[unit])
    if port is not None and port < _PRIVILEGED_PORTS:
        # It takes a capability of the host, which a namespace of users would make worthless.
        found.update(
            CapabilityBoundingSet="CAP_NET_BIND_SERVICE", AmbientCapabilities="CAP_NET_BIND_SERVICE", PrivateUsers="no"
        )
    if networks:
        found["IPAddressAllow"] = " ".join([str(found["IPAddressAllow"]), *networks])
    if devices:
        found.update(
            PrivateDevices="no", DeviceAllow=[unit_text(device) for device in devices]
        )  # a private /dev has none
    return "\n".join(assignments(dict(sorted(found.items(), key=lambda pair: pair[0].lower()))))


def assignments(given: Directives) -> list[str]:
    """Return directives as a unit and systemd-run take them, NAME=VALUE; a sequence is as many of them."""
    return [
        f"{name}={value}"
        for name, values in given.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
