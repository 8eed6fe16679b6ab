# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that files have in common which cannot import one another: each is a file of its own on a host."""

from __future__ import annotations

from pathlib import Path

from . import between, parted

SUPERNODE = "roles/supernode/files/flower-supernode.py"
CLIENTAPPS = "roles/supernode/files/clientapps"
LOOPBACK = "plugins/module_utils/_base/loopback.py"
# The name of a part, the file that has it, and the one that has a copy.
PARTS = (
    ("pace", f"{CLIENTAPPS}/pace.py", SUPERNODE),
    ("pushes", "files/fab/fedops_kit/pushing.py", f"{CLIENTAPPS}/pushes.py"),
    ("patience", "files/fab/fedops_kit/patience.py", SUPERNODE),
    ("parts", "roles/superlink/files/flower-superlink.py", SUPERNODE),
    ("sessions", "plugins/module_utils/_supernode/sessions.py", SUPERNODE),
    ("refusals", "plugins/module_utils/_supernode/refusals.py", SUPERNODE),
    ("replies", "plugins/module_utils/_supernode/replies.py", SUPERNODE),
    ("loopback", LOOPBACK, SUPERNODE),
    ("loopback", LOOPBACK, "roles/supernode/files/clientapps/loopback.py"),
    ("loopback", LOOPBACK, "roles/superlink/files/flower-superexec.py"),
)


def files(root: Path) -> dict[str, str]:
    written: dict[str, str] = {}
    for name, source, copy in PARTS:
        end = f"# end: {name}\n"
        dummy, part, dummy = parted((root / source).read_text("utf-8"), f"# begin: {name}\n", end, source)
        begin = f"# begin: {name} (tools/generate.py copies it from {Path(source).name})\n"
        text = written.get(copy) or (root / copy).read_text("utf-8")
        written[copy] = between(text, begin, end, part, copy)
    return written
