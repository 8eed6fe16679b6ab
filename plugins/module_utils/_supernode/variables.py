# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of a host may say about its SuperNodes.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._base.escape import EscapeError, path, toml_value
from .._base.fence import network_problems
from .._base.home import DATA, HOME
from .._base.jsonable import is_whole
from .._base.layout import HIGHEST_PORT, PORT, SUPERNODE_STATE
from .._base.memory import bound_problems
from .._base.notation import is_plain, is_unset, show
from .._gpus.shares import gpus_problem
from .place import INSTANCE_NAME, NAME_RULE, NODE_NAME_RULE, is_node_name

DEFAULT_PORT = PORT["supernode_port"]

# Where no data is looked for: the directories of the system themselves, and what each unit has of its own.
_NOT_DATA = ("/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/run", "/sbin", "/usr", "/var")
_NEVER_BELOW = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp", SUPERNODE_STATE)
# A name of DNS, or an address of IPv4 or IPv6, and nothing beside it.
_ADDRESS = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_FIELDS = ("name", "node_config", "data_directory", "port", "leave_after_sessions", "gpus")


@dataclass(frozen=True)
class HostVariables:
    """What the variables of a host say about its SuperNodes, whether it can be or not."""

    name: str
    instances: t.Any = None
    home: str = HOME
    port: object = DEFAULT_PORT
    data_directory: str | None = None
    site: str | None = None
    node_config: t.Any = None
    app_networks: t.Any = None
    memory_max: t.Any = None
    leave_after: t.Any = None
    gpus: t.Any = None
    superlink_address: str = ""
    superlink_port: object = ""
    environment: t.Mapping[str, t.Any] | None = None  # of its ClientApps

    @property
    def problems(self) -> list[str]:
        """Every problem with what is given, as sentences."""
        problems = [
            *self._name_problems(),
            *self._address_problems(),
            *self._port_problems("supernode_port", self.port),
            *self._config_problems("supernode", self.node_config),
            *self._path_problems("supernode_data_directory", self.data_directory),
            *self._site_problems(),
            *self._number_problems("supernode_leave_after_sessions", self.leave_after),
            *self._gpu_problems("supernode_gpus", self.gpus),
            *network_problems("supernode_app_networks", self.app_networks),
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
        problems += self._number_problems(f"{path}.leave_after_sessions", given.get("leave_after_sessions"))
        problems += self._gpu_problems(f"{path}.gpus", given.get("gpus"))
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
        if found in _NOT_DATA or any(is_below(f"{found}/", place) for place in _NEVER_BELOW):
            return [self._problem(name, directory, "must not be a directory of the system", "Put the data elsewhere.")]
        data = os.path.join(self.home, DATA)
        if is_below(f"{self.home}/", found) or (is_below(found, self.home) and not is_below(f"{found}/", data)):
            rule = f"must not be Flower's own, but {data} or below it"
            return [self._problem(name, directory, rule, "Put the data there, or outside of the home.")]
        return []

    def _site_problems(self) -> list[str]:
        if is_unset(self.site) or (isinstance(self.site, str) and self.site.isprintable() and len(self.site) <= 255):
            return []
        rule = "must be text on one line, of 255 characters at most that can be printed"
        return [self._problem("supernode_site", self.site, rule, "Correct it, or leave it out.")]

    def _name_problems(self) -> list[str]:
        if is_node_name(self.name):
            return []
        return [
            f"The host {show(self.name)} of the group supernodes cannot be called so: a SuperNode and its site have"
            f" that name, which {NODE_NAME_RULE}. Give the host another name in the inventory, and its address as"
            " ansible_host."
        ]

    def _address_problems(self) -> list[str]:
        name, found = "supernode_superlink_address", []
        if not is_unset(self.superlink_address) and (rule := address_problem(self.superlink_address)):
            found.append(self._problem(name, self.superlink_address, rule, "The port is supernode_superlink_port."))
        if not is_unset(self.superlink_port):
            advice = "Give that of the gateway, superlink_fleet_port."
            found += self._port_problems("supernode_superlink_port", self.superlink_port, advice)
        return found

    def _gpu_problems(self, path: str, gpus: object) -> list[str]:
        rule = gpus_problem(gpus)
        return [self._problem(path, gpus, rule, "Correct it, or leave it out.")] if rule else []

    def _number_problems(self, path: str, number: object) -> list[str]:
        if is_unset(number) or (whole_number(number) or 0) > 0:
            return []
        advice = "Leave it out for a site that takes part in every training."
        return [self._problem(path, number, "must be a whole number from 1", advice)]

    def _port_problems(self, path: str, port: object, advice: str = "Give each SuperNode a free one.") -> list[str]:
        number = whole_number(port)
        if number is not None and 0 < number <= HIGHEST_PORT:
            return []
        return [self._problem(path, port, f"must be a port, 1 to {HIGHEST_PORT}", advice)]

    def _clashes(self) -> list[str]:
        """What only shows when all instances are looked at together."""
        problems: list[str] = []
        owners: dict[int, list[str]] = {}
        for index, given in enumerate(self.instances):
            port = self.port_of(index, given)
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

    def port_of(self, index: int, given: t.Mapping[str, t.Any]) -> int:
        """Return the port of an instance: its own, or the one after that of the instance before."""
        own = given.get("port")
        return (whole_number(self.port) or 0) + index if is_unset(own) else whole_number(own) or 0

    def _problem(self, path: str, value: object, rule: str, advice: str) -> str:
        joint = "and" if rule.startswith("is ") else "but"
        return f"{path} of {self.name} is {show(value)} {joint} {rule}. {advice}"


def address_problem(address: object) -> str:
    """Say what is wrong with an address of the SuperLink as a rule that it breaks; nothing where none is."""
    if isinstance(address, str) and _ADDRESS.fullmatch(address):
        return ""
    return "must be a name or an address alone, of letters, digits, '.', '-' and '_', or of IPv6 without brackets"


def superlink_name_problems(name: str) -> list[str]:
    """Return what is wrong with what the inventory calls the host of the SuperLink: its certificate has that name."""
    if not address_problem(name):
        return []
    return [
        f"The host {show(name)} of the group superlink cannot be called so: its certificate has that name, which must"
        " be one of DNS or an address. Give the host another name in the inventory, and its address as ansible_host."
    ]


def is_below(path_: str, directory: str) -> bool:
    """Tell whether a path lies in a directory, at any depth."""
    return path_.startswith(os.path.join(directory, ""))


def whole_number(value: object) -> int | None:
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
