# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what on a host, and what lies where: accounts, folders, units, ports.

Nobody becomes somebody else: each account owns what its own work needs, and what root acts on belongs to root.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

HOME = "/opt/flower"
CHECKPOINTS, DATA = "checkpoints", "data"  # folders below the home that others stand in for


@dataclass(frozen=True)
class Account:
    """A system account; its group has the same name and number."""

    name: str
    number: int
    purpose: str
    home: str = ""  # the folder that is its home; empty means the home of Flower
    groups: tuple[str, ...] = ()  # whose files it may read
    is_group: bool = False  # a group without a user


# The number of Flower's own images: whoever shares volumes with a container finds the checkpoints readable.
APPS = Account("flower", 49999, "runs the ServerApps and owns the checkpoints; its group may read data")
SUPERLINK = Account("flower-superlink", 49998, "runs the SuperLink and owns its state", home="state")
CONTROL = Account(
    "flower-control", 49997, "submits and supervises runs; owns what is asked of trainings", "control", ("flower",)
)
GATEWAY = Account("flower-gateway", 49996, "runs nginx in front of the SuperLink")
SUPERNODE = Account("flower-supernode", 49995, "runs the SuperNodes")
# A group alone: each SuperNode's ClientApps run as a user that systemd makes for them, in this group.
CLIENTAPPS = Account("flower-clientapps", 49994, "the group of all ClientApps", is_group=True)

ACCOUNTS = (APPS, SUPERLINK, CONTROL, GATEWAY, SUPERNODE, CLIENTAPPS)

# What a host can be. It may be both.
SUPERLINK_HOST, SUPERNODE_HOST = "superlink", "supernode"
ON: t.Mapping[str, tuple[Account, ...]] = {
    SUPERLINK_HOST: (APPS, SUPERLINK, CONTROL, GATEWAY),
    SUPERNODE_HOST: (APPS, SUPERNODE, CLIENTAPPS),
}
_BOTH = (SUPERLINK_HOST, SUPERNODE_HOST)
_SUPERLINK, _SUPERNODE = (SUPERLINK_HOST,), (SUPERNODE_HOST,)


@dataclass(frozen=True)
class Folder:
    """A folder below the home, on hosts of these kinds. An owner of None is root."""

    path: str
    owner: Account | None
    group: Account | None
    mode: int
    holds: str
    on: tuple[str, ...] = _BOTH


# Parents first. What an account does not need to make lies below directories of root.
FOLDERS: tuple[Folder, ...] = (
    Folder("app", None, None, 0o755, "the deployed apps, their FABs, and what ServerApps are started from"),
    Folder("app/.flwr", None, None, 0o755, "FLWR_HOME of the ServerApps: nothing that they can write", _SUPERLINK),
    Folder("app/.flwr/apps", None, None, 0o755, "the apps as Flower installs them", _SUPERLINK),
    Folder("bin", None, None, 0o755, "launchers"),
    Folder("certificates", None, None, 0o755, "certificates for all, private keys and secrets for root alone"),
    Folder(CHECKPOINTS, APPS, APPS, 0o750, "models; made by the role checkpoints, since it may lie anywhere", ()),
    Folder(
        "control", None, CONTROL, 0o750, "the home of Flower's command line, which writes nothing there", _SUPERLINK
    ),
    Folder("control/.flwr", None, CONTROL, 0o750, "FLWR_HOME of Flower's command line", _SUPERLINK),
    Folder(DATA, None, APPS, 0o750, "data of the site, or of the central evaluation"),
    Folder("published", APPS, APPS, 0o750, "what ServerApps tell of their trainings: claims, read as such", _SUPERLINK),
    Folder(
        "records", None, None, 0o755, "what root acts on: the registry of SuperNodes, the deployed apps", _SUPERLINK
    ),
    Folder("records/apps", None, None, 0o755, "the deployed apps", _SUPERLINK),
    Folder("records/keys", None, None, 0o755, "the keys of SuperNodes, as the gateway looks for them", _SUPERLINK),
    Folder("releases", None, None, 0o755, "virtual environments, one for each release"),
    Folder("state", SUPERLINK, SUPERLINK, 0o700, "the SuperLink's database", _SUPERLINK),
    Folder("supernodes", None, None, 0o755, "what each SuperNode is told", _SUPERNODE),
    Folder("supervisor", None, None, 0o755, "the program that supervises trainings", _SUPERLINK),
    Folder("trainings", CONTROL, APPS, 0o750, "what is asked of trainings, and what supervisors remember", _SUPERLINK),
)
# Secrets of 32 random bytes, for root alone: systemd hands them to the units that need them.
SUPEREXEC_SECRET = "certificates/superexec.secret"
SECRETS: t.Mapping[str, tuple[str, ...]] = {SUPERLINK_HOST: (SUPEREXEC_SECRET,), SUPERNODE_HOST: ()}
_BY_PATH: t.Mapping[str, Folder] = {folder.path: folder for folder in FOLDERS}


def folder(home: str, path: str) -> str:
    """Return where a folder of the table lies."""
    return os.path.join(home, _BY_PATH[path].path)


class LayoutError(Exception):
    """The accounts cannot be as asked."""


def host_layout(
    kinds: t.Collection[str],
    user: str = APPS.name,
    uid: int = APPS.number,
    gid: int = APPS.number,
    numbers: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the accounts, directories and secrets of a host as the module C(account) takes them."""
    given = _numbers(dict(numbers or {}), uid, gid)
    accounts = [account for account in ACCOUNTS if any(account in ON[kind] for kind in kinds)]
    names = {APPS.name: user}

    def number(account: Account | None, apps: int) -> int:
        return 0 if account is None else apps if account is APPS else given[account.name]

    return {
        "accounts": [
            {
                "name": names.get(account.name, account.name),
                "uid": None if account.is_group else number(account, uid),
                "gid": number(account, gid),
                "home": account.home,
                "groups": [names.get(name, name) for name in account.groups],
                "variable": "" if account is APPS else f"runtime_accounts['{account.name}']",
            }
            for account in accounts
        ],
        "directories": [
            {
                "path": entry.path,
                "owner": number(entry.owner, uid),
                "group": number(entry.group, gid),
                "mode": f"{entry.mode:04o}",
            }
            for entry in FOLDERS
            if any(kind in entry.on for kind in kinds)
        ],
        "secrets": [secret for kind in SECRETS if kind in kinds for secret in SECRETS[kind]],
    }


def _numbers(given: dict[str, t.Any], uid: int, gid: int) -> dict[str, int]:
    """Return the number of every account but the apps' own; raise LayoutError when two would share one."""
    known = {account.name: account.number for account in ACCOUNTS if account is not APPS}
    for name, number in given.items():
        if name not in known:
            raise LayoutError(f"runtime_accounts['{name}'] is none of {', '.join(sorted(known))}.")
        if isinstance(number, bool) or not str(number).isdecimal() or not 0 < int(number) < 1 << 31:
            raise LayoutError(f"runtime_accounts['{name}'] is {number!r} but must be a number above 0.")
        known[name] = int(number)
    users: dict[int, str] = {uid: "runtime_uid", gid: "runtime_gid"}
    for name, number in known.items():
        if number in users:
            raise LayoutError(f"runtime_accounts['{name}'] is {number}, which is {users[number]} as well.")
        users[number] = f"runtime_accounts['{name}']"
    return known
