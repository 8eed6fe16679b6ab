# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs wherever somebody imports the app, even if only to look at it, and leaves a note of who that was."""

import contextlib
import os
import sys

NOTE = f"/tmp/imported-by-{os.getuid()}-{os.path.basename(sys.argv[0] or 'python')}"

with contextlib.suppress(OSError), open(NOTE, "a") as _note:
    _note.write(f"{sys.argv}\n")
