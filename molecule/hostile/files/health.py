# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask for the SuperLink's health as another site does, until told to end: HOST PORT AUTHORITY REPORT."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import time
import urllib.request
from pathlib import Path

host, port, authority, report = sys.argv[1:5]
trust = ssl.create_default_context(cafile=authority)
took, failed = [], []
ended = False


def end(_number: int, _frame: object) -> None:
    """Ask no more."""
    global ended
    ended = True


signal.signal(signal.SIGTERM, end)
while not ended:
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(f"https://{host}:{port}/health", timeout=10, context=trust) as answer:
            answer.read()
    except OSError as error:
        failed.append(str(error))
    took.append(time.monotonic() - begun)
    time.sleep(0.5)
took.sort()
told = {"asked": len(took), "median": took[len(took) // 2], "longest": took[-1], "failed": failed}
Path(report).write_text(json.dumps(told))
