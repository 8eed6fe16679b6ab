# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the layout one host gets, with the numbers that its accounts have there.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .errors import FedopsError
from .layout import ACCOUNTS, APPS, FOLDERS, INVENTORY_GROUPS, OF_FLOWER, ON, SECRETS, UNITS, Account

_USER = re.compile("[a-z_][a-z0-9_-]{0,30}")


class LayoutError(FedopsError):
    """The accounts cannot be as asked."""


def kinds_of(groups: t.Container[str]) -> list[str]:
    """Return what a host of these groups is; one that is in none of ours may become either of Flower."""
    return [kind for kind, group in INVENTORY_GROUPS.items() if group in groups] or list(OF_FLOWER)


def user_problem(name: t.Any) -> str:
    """Say why the account of the ServerApps cannot be called so; nothing where it can."""
    taken = ("root", *(account.name for account in ACCOUNTS if account is not APPS))
    if not isinstance(name, str) or not _USER.fullmatch(name):
        return "must begin with a small letter or '_' and hold only small letters, digits, '_' and '-', 31 at most"
    return "must not be the name of another account" if name in taken else ""


def host_layout(
    kinds: t.Collection[str],
    user: str = APPS.name,
    uid: int = APPS.number,
    gid: int = APPS.number,
    numbers: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the accounts, directories and secrets of a host as the module C(account) takes them.

    With them the units that ran as the account of the apps while it was the only one, in the order in which they stop.
    """
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
            if not entry.by and any(kind in entry.on for kind in kinds)
        ],
        "secrets": [secret for kind in SECRETS if kind in kinds for secret in SECRETS[kind]],
        "former_units": [
            unit.name.replace("@.", "@*.")
            for unit in reversed(UNITS)
            if unit.was_apps and any(kind in unit.on for kind in kinds)
        ],
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
