# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which SuperNodes a host carries, what they are called, and where what belongs to them lies.

A host without ``supernode_instances`` carries one SuperNode with the name of the host.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import os
import re
import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.escape import toml_value, unit_environment, unit_path
from .._base.home import DATA
from .._base.layout import FOLDERS, SEEN_BY_APPS
from .._base.loopback import PROXY, keep_loopback
from .._base.notation import is_unset
from .._gpus.shares import asked_gpus
from .place import Place
from .sessions import AGREED, HAS_LEFT
from .variables import HostVariables, is_below, whole_number

# Of the home ClientApps see programs and their own data. "app" holds what ran before they were on their own.
_HIDDEN = (
    *(one.path for one in FOLDERS if one.path not in SEEN_BY_APPS and "/" not in one.path),
    "supernode.toml",
)

_NO_PROXY = "no_proxy"


class InstancesError(FedopsError):
    """What a host says about its SuperNodes cannot be; the message has a line for each problem."""


@dataclass(frozen=True)
class SuperNode:
    """One SuperNode of a host, with everything about it decided."""

    name: str
    instance: str
    site: str
    port: int
    data_directory: str
    node_config: t.Mapping[str, t.Any]
    leave_after: int = 0  # trainings; 0 for never
    gpus: t.Sequence[str] = ()

    @property
    def config(self) -> str:
        """What it tells its ClientApps, as TOML."""
        lines = [f"{toml_value(key)} = {toml_value(value)}" for key, value in self.node_config.items()]
        return "".join(f"{line}\n" for line in ("# Ansible managed", *lines))

    def directives(self) -> Sections:
        """What the unit of the SuperNode says about this one alone, by section."""
        said = {"SUPERNODE_PORT": self.port if self.instance else 0, AGREED: self.leave_after}
        return {"Service": [("Environment", unit_environment(name, number)) for name, number in said.items() if number]}

    def apps_directives(self, home: str, others: t.Collection[str] = ()) -> Sections:
        """What the unit of its ClientApps says about this one alone: of all data on the host, they see their own.

        The ``others`` are directories with the data of other SuperNodes of the host.
        """
        own, data = os.path.normpath(self.data_directory), os.path.join(home, DATA)
        service = [("User", Place(home, self.instance).apps_user)]
        if self.instance:
            service.append(("Environment", unit_environment("SUPERNODE_PORT", self.port)))
        gone: list[str] = []  # what is hidden, and with it all below
        for directory in sorted({data, *map(os.path.normpath, others)}):
            if is_below(own, directory):
                service.append(("TemporaryFileSystem", f"{unit_path(directory)}:ro"))
            elif own == directory or any(is_below(directory, place) for place in gone if not is_below(directory, own)):
                continue
            else:
                service.append(("InaccessiblePaths", f"-{unit_path(directory)}"))
            gone.append(directory)
        if re.match("/(home|root)/", f"{own}/"):
            # What every unit gives up would hide it.
            service.append(("ProtectHome", "tmpfs"))
        service.append(("BindReadOnlyPaths", f"-{unit_path(own)}"))
        return {"Unit": [("RequiresMountsFor", unit_path(own))], "Service": service}


Sections = dict[str, list[tuple[str, str]]]


def settings(directives: Sections) -> str:
    """Return what an instance adds to a unit that all instances share."""
    lines = ["# Ansible managed"]
    for section, pairs in directives.items():
        if pairs:
            lines += [f"[{section}]", *(f"{name}={value}" for name, value in pairs)]
    return "".join(f"{line}\n" for line in lines)


def endpoint(address: str, port: object) -> str:
    """Return an address with its port; one of IPv6 needs brackets before it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def proxies(environment: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what of the ClientApps' environment the SuperNode itself needs: a proxy, and what is reached without it.

    The loopback is: SuperNode and ClientApps speak with each other there.
    """
    found = {name: value for name, value in environment.items() if name.lower() == _NO_PROXY or PROXY.fullmatch(name)}
    keep_loopback(found)
    return found


@dataclass(frozen=True)
class SuperNodeHost(HostVariables):
    """The SuperNodes of a host, by its variables."""

    @property
    def supernodes(self) -> list[SuperNode]:
        """The SuperNodes in the order given; InstancesError when there is any problem."""
        problems = self.problems
        if problems:
            raise InstancesError("\n".join(problems))
        data = self.data_directory or os.path.join(self.home, DATA)
        if not self.instances:
            return [self._supernode(self.name, "", self.site or self.name, self.port, data, {})]
        return [
            self._supernode(
                str(given["name"]), str(given["name"]), str(given["name"]), self.port_of(index, given),
                given.get("data_directory") or os.path.join(data, given["name"]), given.get("node_config") or {},
                given.get("leave_after_sessions"), given.get("gpus"),
            )
            for index, given in enumerate(self.instances)
        ]  # fmt: skip

    @property
    def names(self) -> list[str]:
        return [supernode.name for supernode in self.supernodes]

    def plan(self) -> dict[str, t.Any]:
        """The SuperNodes, and what their unit files have to say, as plain data."""
        supernodes = self.supernodes
        only = None if supernodes[0].instance else supernodes[0]
        place = Place(unit_path(self.home), "" if only else "%i")
        directories = [one.data_directory for one in supernodes]
        unit = {
            "site": only.site if only else "%i",
            "port": str(only.port) if only else "${SUPERNODE_PORT}",
            "directives": only.directives() if only else {},
            "apps_directives": only.apps_directives(self.home) if only else {},
            "supernode": place.unit,
            "apps": place.apps_unit,
            "left": HAS_LEFT,
            # As units take them.
            "hidden": [os.path.join(place.home, path_) for path_ in _HIDDEN],
            **{name: getattr(place, name) for name in ("key", "secret", "config", "state")},
        }
        return {
            "superlink": endpoint(self.superlink_address, self.superlink_port),
            "environment": proxies(self.environment or {}),
            "unit": unit,
            "supernodes": [
                {
                    **{name: getattr(one, name) for name in ("name", "instance", "site", "data_directory", "port")},
                    "unit": Place(self.home, one.instance).unit,
                    "apps_unit": Place(self.home, one.instance).apps_unit,
                }
                for one in supernodes
            ],
            # What the module supernode_units takes.
            "units": [
                {
                    "instance": one.instance,
                    "name": one.name,
                    "config": one.config,
                    "settings": settings(one.directives()) if one.instance else "",
                    "apps_settings": self._apps_settings(one, directories) if one.instance else "",
                    "data_directory": one.data_directory,
                    "leave_after": one.leave_after,
                    "gpus": list(one.gpus),
                }
                for one in supernodes
            ],
        }

    def _apps_settings(self, supernode: SuperNode, directories: t.Sequence[str]) -> str:
        base = self.data_directory or os.path.join(self.home, DATA)
        others = [one for one in directories if one != supernode.data_directory]
        return settings(supernode.apps_directives(self.home, [base, *others]))

    def _supernode(
        self,
        name: str,
        instance: str,
        site: str,
        port: object,
        data: str,
        own: t.Mapping[str, t.Any],
        leave_after: object = None,
        gpus: object = None,
    ) -> SuperNode:
        config = {"site": site, "data-path": data, **(self.node_config or {}), **own}
        plain = {key: _plain(config[key]) for key in sorted(map(str, config), key=str.lower) if config[key] is not None}
        leave = whole_number(self.leave_after if is_unset(leave_after) else leave_after) or 0
        devices = asked_gpus(self.gpus if is_unset(gpus) else gpus)
        return SuperNode(name, instance, str(site), whole_number(port) or 0, str(data), plain, leave, devices)


def federation_members(hosts: t.Sequence[SuperNodeHost]) -> dict[str, list[dict[str, str]]]:
    """Return who the SuperNodes of each host are, by the inventory."""
    return {
        host.name: [{"name": one.name, "site": one.site, "host": host.name} for one in host.supernodes]
        for host in hosts
    }


def federation_problems(hosts: t.Sequence[SuperNodeHost]) -> list[str]:
    """Every problem of the SuperNodes of all hosts; how names meet, once each host is right in itself."""
    problems = [problem for host in hosts for problem in host.problems]
    if problems:
        return problems
    owners: dict[str, list[str]] = {}
    for host in hosts:
        for name in host.names:
            owners.setdefault(name, []).append(host.name)
    return [
        f"{name} is the name of a SuperNode on {' and on '.join(places)} but a name belongs to one SuperNode"
        " of the whole federation. Rename one in supernode_instances."
        for name, places in owners.items()
        if len(places) > 1
    ]


def _plain(value: object) -> str | bool | int | float:
    """The value in a type of Python itself, whatever Ansible has wrapped around it."""
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return str(value)
