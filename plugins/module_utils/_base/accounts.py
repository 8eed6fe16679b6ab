# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding what it takes to have accounts with exactly their numbers.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import grp
import os
import pwd
import signal
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .errors import FedopsError


class AccountError(FedopsError):
    """An account cannot be had as asked; the message says who is in the way and what to do."""


@dataclass(frozen=True)
class Found:
    """What a host knows about one name and one number: the number of that name, and the name of that number."""

    number_of_name: int | None
    name_of_number: str | None


def is_missing(kind: str, name: str, number: int, found: Found, variable: str = "") -> bool:
    """Tell whether a user or group has to be made; raise AccountError when somebody else stands in its place."""
    other = "" if variable else " If it is somebody else's, call ours otherwise with runtime_user."
    variable = variable or f"runtime_{kind}"
    if found.number_of_name == number:
        return False
    if found.number_of_name is not None:
        raise AccountError(
            f"{kind} is {number} but '{name}' already exists on this host with {kind} {found.number_of_name}. "
            f"Set {variable} to {found.number_of_name} for this host if that account is Flower's, or remove it.{other}"
        )
    if found.name_of_number is not None:
        raise AccountError(
            f"{kind} is {number} but that number belongs to '{found.name_of_number}' on this host. "
            f"Set {variable} to a number that is free, or give '{found.name_of_number}' another one."
        )
    return True


def lacking(accounts: t.Sequence[t.Mapping[str, t.Any]], home: str) -> tuple[list[str], list[str]]:
    """Return which groups, users and memberships a host lacks, and the lines of sysusers.d(5) that make them.

    An account is given as the module C(account) takes it. AccountError tells who is in the way: systemd-sysusers itself
    would give an account another number then.
    """
    missing = [(account, _missing_of(account)) for account in accounts]  # judge all before making one
    made: list[str] = []
    lines: list[str] = []
    for account, kinds in missing:
        name = account["name"]
        if "group" in kinds:
            lines.append(f"g {name} {account['gid']}")
        if "user" in kinds:
            own = os.path.join(home, account["home"]).rstrip("/").replace("%", "%%")
            lines.append(f'u {name} {account["uid"]}:{account["gid"]} Flower "{own}" /usr/sbin/nologin')
        made += [f"{kind} {name}" for kind in kinds]
    for account in accounts:
        for group in account["groups"]:
            if account["name"] not in (_attempt(grp.getgrnam, group, "gr_mem") or []):
                lines.append(f"m {account['name']} {group}")
                made.append(f"member {account['name']} of {group}")
    return made, lines


def _missing_of(account: t.Mapping[str, t.Any]) -> list[str]:
    """Return what of an account has to be made."""
    name, uid, gid, variable = (account[key] for key in ("name", "uid", "gid", "variable"))
    group = Found(_attempt(grp.getgrnam, name, "gr_gid"), _attempt(grp.getgrgid, gid, "gr_name"))
    missing = ["group"] if is_missing("gid", name, gid, group, variable) else []
    if uid is not None:
        user = Found(_attempt(pwd.getpwnam, name, "pw_uid"), _attempt(pwd.getpwuid, uid, "pw_name"))
        missing += ["user"] if is_missing("uid", name, uid, user, variable) else []
    return missing


def _attempt(look_up: t.Callable[..., t.Any], key: t.Any, field: str) -> t.Any:
    try:
        return getattr(look_up(key), field)
    except KeyError:
        return None


def uid_of(name: str) -> int:
    """Return the number of an account; one that nobody has where it is not on this host."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return -1


def processes_of(users: t.Collection[int], proc: str = "/proc") -> list[int]:
    """Return the processes that run as one of these users; a zombie runs no more."""
    found = []
    for name in os.listdir(proc):
        if name.isdecimal():
            with (
                suppress(OSError),
                open(os.path.join(proc, name, "status"), encoding="utf-8", errors="replace") as file,
            ):
                about = dict(line.split(":", 1) for line in file if ":" in line)
                dead = about.get("State", "").split()[:1] in (["Z"], ["X"])
                if not dead and {int(number) for number in about["Uid"].split()} & {*users}:
                    found.append(int(name))
    return sorted(found)


def end_processes_of(users: t.Collection[int]) -> int:
    """Kill what runs as one of these users until nothing does; return how many there were."""
    ended: set[int] = set()
    for _attempt in range(100):
        if not (found := processes_of(users)):
            return len(ended)
        ended.update(found)
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)
    raise AccountError(f"The processes {', '.join(map(str, found))} do not end.")
