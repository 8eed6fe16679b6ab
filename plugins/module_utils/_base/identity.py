# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Touching files as the account that they belong to.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import pwd
import resource
import typing as t
from contextlib import contextmanager

from . import guarded
from .errors import FedopsError, NotDeployedError
from .layout import APPS, CONTROL, SUPERLINK_ACCOUNT, file

RECORD_OF_APPS_USER = file("", "apps_user")
_LONGEST_NAME = 64  # bytes


def _apps_user() -> str:
    """Return what the account of the ServerApps is called on this host: an operator may have chosen another name."""
    try:
        name = guarded.read_bytes(RECORD_OF_APPS_USER, _LONGEST_NAME, [guarded.ROOT]).decode("ascii").strip()
    except (OSError, ValueError):
        return APPS.name
    return name or APPS.name


APPS_USER = _apps_user()  # owns the checkpoints and what ServerApps publish
CONTROL_USER = CONTROL.name  # runs Flower's command line, and owns the records of trainings
STATE_USER = SUPERLINK_ACCOUNT.name  # owns the SuperLink's database

MOST_MEMORY = 2 << 30  # bytes; a manifest of the largest models takes a few dozen megabytes


def account_of(name: str) -> pwd.struct_passwd | None:
    """Return an account when we are root, and None when we already are somebody else."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise NotDeployedError(
            f"The account '{name}' is not on this host. Deploy this host first (role fedops.flower.runtime)."
        ) from error


def checkpoint_owner() -> pwd.struct_passwd | None:
    """Return the account that owns the checkpoints when we are root, and None when we already are somebody else."""
    return account_of(APPS_USER)


def record_apps_user(name: str, check_mode: bool = False) -> bool:
    """Have this host know what the account of the ServerApps is called; tell whether that was to be changed.

    Where it has its usual name, nothing is written down.
    """
    global APPS_USER
    if _apps_user() == name:
        return False
    if not check_mode:
        if name == APPS.name:
            guarded.remove(RECORD_OF_APPS_USER)
        else:
            folder, us = os.path.dirname(RECORD_OF_APPS_USER), guarded.us()
            guarded.make_directory(folder, 0o755, us)
            guarded.write_bytes(RECORD_OF_APPS_USER, f"{name}\n".encode(), 0o644, us)
        APPS_USER = name
    return True


@contextmanager
def as_account(name: str) -> t.Iterator[None]:
    """Touch files as an account: C(APPS_USER) for checkpoints, C(CONTROL_USER) for records of trainings.

    Its folders are its own, so a link in them could lead root anywhere. Start no process in here: it would inherit
    the way back to root. Whoever is not root stays who they are. What the account has planted takes no more memory than
    C(MOST_MEMORY) beyond what is taken already.
    """
    account = account_of(name)
    if account is None:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    with _bounded_memory():
        os.setgroups(os.getgrouplist(name, account.pw_gid))
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)


@contextmanager
def _bounded_memory() -> t.Iterator[None]:
    """Take so much memory and no more; what would need more is an error of ours."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = _taken() + MOST_MEMORY
    if before[0] != resource.RLIM_INFINITY:
        most = min(most, before[0])
    resource.setrlimit(resource.RLIMIT_DATA, (most, before[1]))
    try:
        yield
    except MemoryError:
        raise FedopsError(
            f"What lies there takes more than {MOST_MEMORY} bytes of memory to look at. Look what has been put there,"
            " and remove it."
        ) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _taken() -> int:
    """Return how many bytes of memory of its own this process has asked for."""
    with open("/proc/self/statm", "rb") as stream:
        return int(stream.read().split()[5]) * resource.getpagesize()


@contextmanager
def as_checkpoint_owner() -> t.Iterator[None]:
    """Touch files as the account that owns the checkpoints."""
    with as_account(APPS_USER):
        yield
