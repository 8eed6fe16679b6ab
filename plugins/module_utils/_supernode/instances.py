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
from .._base.escape import EscapeError, path, toml_value, unit_environment, unit_path
from .._base.home import DATA, HOME
from .._base.jsonable import is_whole
from .._base.layout import FOLDERS, HIGHEST_PORT, PORT, SEEN_BY_APPS, SUPERNODE_STATE
from .._base.memory import bound_problems
from .._base.notation import is_plain, is_unset, show
from .place import INSTANCE_NAME, NAME_RULE, Place

DEFAULT_PORT = PORT["supernode_port"]

# Of the home ClientApps see programs and their own data. "app" holds what ran before they were on their own.
_HIDDEN = (
    *(one.path for one in FOLDERS if one.path not in SEEN_BY_APPS and "/" not in one.path),
    "supernode.toml",
)

# Where no data is looked for: the directories of the system themselves, and what each unit has of its own.
_NOT_DATA = ("/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/run", "/sbin", "/usr", "/var")
_NEVER_BELOW = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp", SUPERNODE_STATE)
_FIELDS = ("name", "node_config", "data_directory", "port")


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

    @property
    def config(self) -> str:
        """What it tells its ClientApps, as TOML."""
        lines = [f"{toml_value(key)} = {toml_value(value)}" for key, value in self.node_config.items()]
        return "".join(f"{line}\n" for line in ("# Ansible managed", *lines))

    def directives(self) -> Sections:
        """What the unit of the SuperNode says about this one alone, by section."""
        return {"Service": [("Environment", unit_environment("SUPERNODE_PORT", self.port))] if self.instance else []}

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
            if _is_below(own, directory):
                service.append(("TemporaryFileSystem", f"{unit_path(directory)}:ro"))
            elif own == directory or any(
                _is_below(directory, place) for place in gone if not _is_below(directory, own)
            ):
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


def _is_below(path_: str, directory: str) -> bool:
    return path_.startswith(os.path.join(directory, ""))


@dataclass(frozen=True)
class SuperNodeHost:
    """What the variables of a host say about its SuperNodes."""

    name: str
    instances: t.Any = None
    home: str = HOME
    port: object = DEFAULT_PORT
    data_directory: str | None = None
    site: str | None = None
    node_config: t.Any = None
    memory_max: t.Any = None

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
                str(given["name"]), str(given["name"]), str(given["name"]), self._port(index, given),
                given.get("data_directory") or os.path.join(data, given["name"]), given.get("node_config") or {},
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
            # As units take them.
            "hidden": [os.path.join(place.home, path_) for path_ in _HIDDEN],
            **{name: getattr(place, name) for name in ("key", "secret", "config", "state")},
        }
        return {
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
                    "config": one.config,
                    "settings": settings(one.directives()) if one.instance else "",
                    "apps_settings": self._apps_settings(one, directories) if one.instance else "",
                    "data_directory": one.data_directory,
                }
                for one in supernodes
            ],
        }

    def _apps_settings(self, supernode: SuperNode, directories: t.Sequence[str]) -> str:
        base = self.data_directory or os.path.join(self.home, DATA)
        others = [one for one in directories if one != supernode.data_directory]
        return settings(supernode.apps_directives(self.home, [base, *others]))

    @property
    def problems(self) -> list[str]:
        """Every problem with what is given, as sentences."""
        problems = [
            *self._port_problems("supernode_port", self.port),
            *self._config_problems("supernode", self.node_config),
            *self._path_problems("supernode_data_directory", self.data_directory),
            *self._site_problems(),
            *(bound_problems("supernode_memory_max", self.memory_max) if not is_unset(self.memory_max) else ()),
        ]
        if is_unset(self.instances):
            return problems
        if isinstance(self.instances, (str, bytes)) or not isinstance(self.instances, t.Sequence):
            return [*problems, self._problem("supernode_instances", self.instances, "must be a list", "Give a list.")]
        for index, given in enumerate(self.instances):
            problems += self._instance_problems(f"supernode_instances[{index}]", given)
        return problems or self._clashes()

    def _instance_problems(self, path: str, given: object) -> list[str]:
        if not isinstance(given, t.Mapping):
            return [self._problem(path, given, "must be a mapping with a name", "Write {name: …}.")]
        problems = [
            self._problem(f"{path}.{field}", given[field], "is not known", f"Known are {', '.join(_FIELDS)}.")
            for field in given
            if field not in _FIELDS
        ]
        name, directory = given.get("name"), given.get("data_directory")
        if not isinstance(name, str) or not INSTANCE_NAME.fullmatch(name):
            advice = "Put it into quotes." if isinstance(name, (int, float)) else "Give it such a name."
            problems.append(self._problem(f"{path}.name", name, NAME_RULE, advice))
        problems += self._path_problems(f"{path}.data_directory", directory)
        if not is_unset(given.get("port")):
            problems += self._port_problems(f"{path}.port", given["port"])
        return problems + self._config_problems(path, given.get("node_config"), ".")

    def _config_problems(self, path: str, config: object, joint: str = "_") -> list[str]:
        path = f"{path}{joint}node_config"
        if is_unset(config):
            return []
        if not isinstance(config, t.Mapping):
            return [self._problem(path, config, "must be a mapping of keys to values", "Write {partition-id: 3}.")]
        problems = [
            self._problem(f"{path}.{key}", value, "must be text, a number or a boolean", "Flower takes no other type.")
            for key, value in config.items()
            if not _is_config_value(value)
        ]
        return problems + [
            self._problem(f"A key of {path}", key, "must be text that can be printed", "Correct it.")
            for key in config
            if not isinstance(key, str) or not key or not key.isprintable()
        ]

    def _path_problems(self, name: str, directory: object) -> list[str]:
        if is_unset(directory):
            return []
        try:
            found = os.path.normpath(path(directory)) if isinstance(directory, str) else ""
        except EscapeError:
            found = ""
        if not found:
            rule = "must be an absolute path without blanks, quotes, '$', ':', '\\' and '..'"
            return [self._problem(name, directory, rule, "Correct it, or leave it out.")]
        if found in _NOT_DATA or any(_is_below(f"{found}/", place) for place in _NEVER_BELOW):
            return [self._problem(name, directory, "must not be a directory of the system", "Put the data elsewhere.")]
        data = os.path.join(self.home, DATA)
        if _is_below(f"{self.home}/", found) or (_is_below(found, self.home) and not _is_below(f"{found}/", data)):
            rule = f"must not be Flower's own, but {data} or below it"
            return [self._problem(name, directory, rule, "Put the data there, or outside of the home.")]
        return []

    def _site_problems(self) -> list[str]:
        if is_unset(self.site) or (isinstance(self.site, str) and self.site.isprintable() and len(self.site) <= 255):
            return []
        rule = "must be text on one line, of 255 characters at most that can be printed"
        return [self._problem("supernode_site", self.site, rule, "Correct it, or leave it out.")]

    def _port_problems(self, path: str, port: object) -> list[str]:
        number = _whole_number(port)
        if number is not None and 0 < number <= HIGHEST_PORT:
            return []
        return [self._problem(path, port, f"must be a port, 1 to {HIGHEST_PORT}", "Give each SuperNode a free one.")]

    def _clashes(self) -> list[str]:
        """What only shows when all instances are looked at together."""
        problems: list[str] = []
        owners: dict[int, list[str]] = {}
        for index, given in enumerate(self.instances):
            port = self._port(index, given)
            if port > HIGHEST_PORT:
                advice = "Lower supernode_port, or give the instance a port."
                problems += [self._problem(f"port of {given['name']}", port, f"must be at most {HIGHEST_PORT}", advice)]
            owners.setdefault(port, []).append(given["name"])
        names = [given["name"] for given in self.instances]
        problems += [
            f"supernode_instances of {self.name} has the name {name} {names.count(name)} times. Give each its own."
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        return problems + [
            f"Port {port} on {self.name} is that of {' and '.join(names)} but must be that of one SuperNode."
            " Give them ports of their own in supernode_instances."
            for port, names in owners.items()
            if len(names) > 1
        ]

    def _port(self, index: int, given: t.Mapping[str, t.Any]) -> int:
        own = given.get("port")
        return (_whole_number(self.port) or 0) + index if is_unset(own) else _whole_number(own) or 0

    def _problem(self, path: str, value: object, rule: str, advice: str) -> str:
        joint = "and" if rule.startswith("is ") else "but"
        return f"{path} of {self.name} is {show(value)} {joint} {rule}. {advice}"

    def _supernode(
        self, name: str, instance: str, site: str, port: object, data: str, own: t.Mapping[str, t.Any]
    ) -> SuperNode:
        config = {"site": site, "data-path": data, **(self.node_config or {}), **own}
        plain = {key: _plain(config[key]) for key in sorted(map(str, config), key=str.lower) if config[key] is not None}
        return SuperNode(name, instance, str(site), _whole_number(port) or 0, str(data), plain)


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


def _whole_number(value: object) -> int | None:
    """The number that a value is or spells: AWX makes text of numbers and numbers of text."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value.strip()):
        return int(value)
    return int(value) if is_whole(value) else None


def _is_config_value(value: object) -> bool:
    if isinstance(value, str):
        try:
            toml_value(value)
        except EscapeError:
            return False
    return value is None or isinstance(value, (str, bool)) or (isinstance(value, (int, float)) and is_plain(value))


def _plain(value: object) -> str | bool | int | float:
    """The value in a type of Python itself, whatever Ansible has wrapped around it."""
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return str(value)
