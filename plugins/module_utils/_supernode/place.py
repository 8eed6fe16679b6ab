# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a SuperNode lives on its host: its units, files and accounts, by the name of its instance.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from dataclasses import dataclass

from .._base.layout import CLIENTAPPS_UNIT, SUPERNODE_STATE, SUPERNODE_UNIT, SYSTEMD

SETTINGS = "flower.conf"  # what an instance adds to the unit that all instances share
# Safe as the name of a file and of a systemd unit, without any escaping.
INSTANCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_RULE = "must start with a letter or a digit and hold only those, '_', '.' and '-', 64 characters at most"
# What a SuperNode is called: by default what Ansible calls its host.
_NODE_NAME = re.compile(r"[^\s,/\\'\"-][^\s,/\\'\"]{0,252}")
NODE_NAME_RULE = (
    "must be printable, without blanks, quotes, ',', '/' and '\\', not begin with '-', and have 253 characters at most"
)


def is_node_name(name: str) -> bool:
    """Tell whether a SuperNode can be called so."""
    return bool(_NODE_NAME.fullmatch(name)) and name.isprintable()


@dataclass(frozen=True)
class Place:
    """Where a SuperNode lives on its host. Without an instance it is the only one there."""

    home: str
    instance: str = ""

    @property
    def unit(self) -> str:
        """The unit of the SuperNode itself."""
        return self._unit(SUPERNODE_UNIT)

    @property
    def apps_unit(self) -> str:
        """The unit that runs its ClientApps."""
        return self._unit(CLIENTAPPS_UNIT)

    @property
    def unit_files(self) -> tuple[str, str]:
        """The unit files of both; instances share them."""
        return unit_files("@" if self.instance else "")

    @property
    def key(self) -> str:
        return self._private("key", "supernode_key")

    @property
    def secret(self) -> str:
        """What a SuperNode and the unit of its ClientApps know each other by."""
        return self._private("secret", "supernode.secret")

    @property
    def config(self) -> str:
        return os.path.join(self.root, "supernode.toml")

    @property
    def state(self) -> str:
        """The one directory that the SuperNode writes to. systemd makes it."""
        return os.path.join(SUPERNODE_STATE, self.instance) if self.instance else SUPERNODE_STATE

    @property
    def root(self) -> str:
        """The directory of what belongs to it alone. It is root's, so that no app can put a link in there."""
        return os.path.join(self.home, "supernodes", self.instance) if self.instance else self.home

    @property
    def former_directory(self) -> str:
        """The directory that SuperNode and ClientApps wrote to while they were one account."""
        return os.path.join(self.root, "app")

    @property
    def apps_user(self) -> str:
        """The user that systemd makes for its ClientApps. Without a name of their own, instances would share one."""
        digest = hashlib.sha256(self.instance.encode()).hexdigest()
        return f"flower-app-{digest[:12]}" if self.instance else "flower-app"

    def _unit(self, name: str) -> str:
        return f"{name}@{self.instance}.service" if self.instance else f"{name}.service"

    def _private(self, ending: str, single: str) -> str:
        name = f"supernodes/{self.instance}.{ending}" if self.instance else single
        return os.path.join(self.home, "certificates", name)


def unit_files(joint: str) -> tuple[str, str]:
    """Return the names of both unit files: with ``@`` those that instances share."""
    return f"{SUPERNODE_UNIT}{joint}.service", f"{CLIENTAPPS_UNIT}{joint}.service"


def places_found(home: str, systemd: str = SYSTEMD) -> list[Place]:
    """Return the SuperNodes that a host has: what an instance adds to the unit tells of it, and goes last."""
    single, template = unit_files("")[0], unit_files("@")[0]
    before, after = (len(part) for part in template.split("@"))
    settings = glob.glob(os.path.join(glob.escape(systemd), f"{SUPERNODE_UNIT}@*.service.d", SETTINGS))
    names = [os.path.basename(os.path.dirname(path))[: -len(".d")] for path in settings]
    instances = sorted(name[before + 1 : -after] for name in names)
    only = [""] if os.path.exists(os.path.join(systemd, single)) else []
    return [Place(home, instance) for instance in only + instances]


def bounded_services() -> dict[str, tuple[str, str]]:
    """Return the services of the SuperNodes that a host has, each with the variable that bounds its memory."""
    services = {}
    for place in places_found(""):
        services[place.unit] = ("SuperNode", "supernode_memory_max")
        services[place.apps_unit] = ("runner of its ClientApps", "supernode_memory_max")
    return services
