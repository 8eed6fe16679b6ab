# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as one file: what of module_utils it needs, in an archive that Python runs.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

KNOWLEDGE = Path(__file__).resolve().parents[1] / "module_utils"
NAME = "fedops-supervisor.pyz"
PACKAGE, ENTRY = "fedops_supervisor", "_supervise"

_IMPORT = re.compile(r"^from \.(\w+) import ", re.M)
_MAIN = f"import sys\n\nfrom {PACKAGE}.{ENTRY} import main\n\nsys.exit(main())\n"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the same files make the same archive


def build() -> bytes:
    """Return the archive."""
    files = {"__main__.py": _MAIN, f"{PACKAGE}/__init__.py": ""}
    files.update({f"{PACKAGE}/{name}.py": text for name, text in _sources().items()})
    stream = io.BytesIO()
    # Not compressed: what another zlib makes of the same files would be another archive.
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), text)
    return stream.getvalue()


def _sources() -> dict[str, str]:
    """Return the modules that the supervisor imports, and those that they import."""
    sources: dict[str, str] = {}
    wanted = [ENTRY]
    while wanted:
        name = wanted.pop()
        if name not in sources:
            sources[name] = (KNOWLEDGE / f"{name}.py").read_text("utf-8")
            wanted += _IMPORT.findall(sources[name])
    return sources
