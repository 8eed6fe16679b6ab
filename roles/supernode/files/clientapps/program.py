# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperExec for the ClientApps of one SuperNode, each of them as if it were the first.

ClientApps of several trainings follow one another under the same user. Before one begins, whatever others have left is
gone: processes that outlived their app, the installed apps, temporary files. So no app can alter what another executes.

The secret that opens the SuperNode's Runtime API comes on standard input, which systemd opens as root. It is in no
file that a ClientApp could read, and in the memory of a process that it cannot look into. A ClientApp has the token of
its own message alone, in a file that nobody else reads.

While ClientApps come one after another the SuperExec looks for the next one often, and a ClientApp whose message is
still on its way to the SuperNode asks for the rest of it often.

From the second message on, the ClientApps of one FAB are forked from a process that has imported Flower and the
libraries that the FAB names, and nothing of the FAB itself. That process is started while no app runs, lets nobody look
into it, and is ended before an app of another FAB begins. What speaks against forking it is told once, and ClientApps
start from nothing.
"""

from __future__ import annotations

import os
import sys

from .start import ARCHIVE, CLIENTAPP, WARM


def main() -> None:
    """Run the SuperExec as its command line says."""
    # Nothing in the archive is a module of an app, and who looks for installed packages would keep it open.
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != ARCHIVE]
    # Each process imports what it needs, and all of that now: the archive may be replaced while it runs.
    if sys.argv[1:2] == [CLIENTAPP]:
        from .clientapp import run_clientapp

        run_clientapp()
    elif sys.argv[1:2] == [WARM]:
        from .warm import be_warm

        be_warm(int(sys.argv[2]), sys.argv[3:])
    else:
        from .superexec import run_superexec

        run_superexec()
