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

NOBODY_ELSE = 61183  # a user that has nothing; systemd's own for ClientApps begin behind it
HOMES = ("/home/", "/root/")  # the units of ClientApps have others there, with nothing but the data
NFS_PATIENCE = 20  # seconds; a server of NFS that is away gives no answer at all


def problems(directories: t.Iterable[str], home: str, groups: t.Sequence[int], name: str) -> list[str]:
    """Return what keeps members of these groups from reading directories; those that are made by us are left out."""
    ours = os.path.join(home, "data")
    found = []
    for path in dict.fromkeys(map(os.path.normpath, directories)):
        if (path == ours or os.path.dirname(path) == ours) and not os.path.lexists(path):
            continue
        why = _as_member(path, groups)
        if why:
            found.append(f"{path} {why}. {_advice(path, name, why)}")
    return found


def _advice(path: str, name: str, why: str) -> str:
    if why == MISSING:
        return f"Put the data there, readable for the group {name}, or name another one in supernode_data_directory."
    if why == _SILENT:
        return "Is its server away? Bring it back, or name another directory in supernode_data_directory."
    return (
        f"ClientApps read data as members of the group {name}, which may have no user on this host yet. Let it read:"
        f" 'chgrp -R {name} {path}' and 'chmod -R g+rX {path}', and 'chmod o+x' for the directories above."
    )


MISSING = "does not exist"
_SILENT = f"has not answered for {NFS_PATIENCE} s"
NO_DIRECTORY = "is no directory"
_ANSWERS = ("", MISSING, NO_DIRECTORY, "cannot be read by ClientApps", _SILENT)


def _as_member(path: str, groups: t.Sequence[int]) -> str:
    """Say what keeps a process of these groups from a directory, by trying it: modes are not all that decides."""
    child = os.fork()
    if child == 0:
        os._exit(_try(path, groups))
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return _SILENT
    return _ANSWERS[min(os.WEXITSTATUS(status), len(_ANSWERS) - 1)]


def _try(path: str, groups: t.Sequence[int]) -> int:
    """Do it, in a process of its own; return the place of the answer."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(NFS_PATIENCE)
        os.stat(path)  # as root, who can tell what is missing from what is closed
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
        return _ANSWERS.index(MISSING)
    except NotADirectoryError:
        return _ANSWERS.index(NO_DIRECTORY)
    except OSError:
        return 3
    return 0
