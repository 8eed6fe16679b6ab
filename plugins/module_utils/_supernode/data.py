# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ClientApps will be able to read their data, found out before anything is changed.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import signal
import typing as t

from .._base.home import DATA
from .._base.layout import SUPERNODE_STATE
from .use_case_data import data_flaw

NOBODY_ELSE = 61183  # a user that has nothing; systemd's own for ClientApps begin behind it
HOMES = ("/home/", "/root/")  # the units of ClientApps have others there, with nothing but the data
# Where the units of ClientApps have something else, or nothing; what lies below homes they see where it is named.
_UNSEEN = (*HOMES, "/run/user/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/", f"{SUPERNODE_STATE}/")
NFS_PATIENCE = 20  # seconds; a server of NFS that is away gives no answer at all


def problems(
    directories: t.Iterable[str], home: str, groups: t.Sequence[int], name: str, use_case: str = ""
) -> list[str]:
    """Return what keeps members of these groups from reading directories; those that are made by us are left out.

    With a use case, also what keeps them from being its data.
    """
    found = []
    for path in dict.fromkeys(map(os.path.normpath, directories)):
        if is_ours(path, home) and not os.path.lexists(path):
            continue
        why = _as_member(path, home, groups, use_case)
        if why:
            found.append(f"{path} {why}. {_advice(path, name, why)}".rstrip())
    return found


def is_ours(path: str, home: str) -> bool:
    """Tell whether a data directory is one that we make, with an owner and modes that serve."""
    ours = os.path.join(home, "data")
    return ours in (path := os.path.normpath(path), os.path.dirname(path))


def _advice(path: str, name: str, why: str) -> str:
    if why == MISSING:
        return f"Put the data there, readable for the group {name}, or name another one in supernode_data_directory."
    if why == _SILENT:
        return "Is its server away? Bring it back, or name another directory in supernode_data_directory."
    if why not in (NO_DIRECTORY, _CLOSED):
        return ""  # it says what to do itself
    return (
        f"ClientApps read data as members of the group {name}, which may have no user on this host yet. Let it read:"
        f" 'chgrp -R {name} {path}' and 'chmod -R g+rX {path}', and 'chmod o+x' for the directories above."
    )


MISSING = "does not exist"
_SILENT = f"has not answered for {NFS_PATIENCE} s"
NO_DIRECTORY = "is no directory"
_CLOSED = "cannot be read by ClientApps"
_LONGEST_ANSWER = 4096  # bytes


def _as_member(path: str, home: str, groups: t.Sequence[int], use_case: str) -> str:
    """Say what keeps a process of these groups from a directory, by trying it: modes are not all that decides."""
    answer, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(told, _try(path, home, groups, use_case).encode()[:_LONGEST_ANSWER])
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(told)
    with os.fdopen(answer, "rb") as stream:
        why = stream.read(_LONGEST_ANSWER).decode("utf-8", "replace")
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return _SILENT
    return why if status == 0 else _CLOSED


def _unseen(path: str, home: str) -> str:
    """Say that a path leads, by a link, to where the units of ClientApps see nothing; or nothing."""
    real = os.path.realpath(path)
    ours = f"{real}/".startswith(f"{home}/") and not f"{real}/".startswith(f"{home}/{DATA}/")
    if real == path or not (ours or f"{real}/".startswith(_UNSEEN)):
        return ""
    told = f"leads to {real}, which the units of ClientApps do not see through a link"
    if real.startswith(HOMES):
        return f"{told}. Set supernode_data_directory to {real}"
    return f"{told}. Put the data elsewhere, as below /srv, and name that in supernode_data_directory"


def _try(path: str, home: str, groups: t.Sequence[int], use_case: str) -> str:
    """Do it, in a process of its own; return the answer."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(NFS_PATIENCE)
        os.stat(path)  # as root, who can tell what is missing from what is closed
        if told := _unseen(path, home):
            return told
        if path.startswith(HOMES):
            os.chdir(path)
            path = "."
        if os.geteuid() == 0:
            os.setgroups(list(groups))
            os.setgid(groups[0])
            os.setuid(NOBODY_ELSE)
        os.listdir(path)
        os.stat(os.path.join(path, "."))
    except FileNotFoundError:
        return MISSING
    except NotADirectoryError:
        return NO_DIRECTORY
    except OSError:
        return _CLOSED
    return data_flaw(path, use_case) if use_case else ""
