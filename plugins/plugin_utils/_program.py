# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of the collection as one file: the modules of ours that it needs, in an archive that Python runs.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]
KNOWLEDGE = COLLECTION / "plugins" / "module_utils"

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the same files make the same archive


@dataclass(frozen=True)
class Program:
    """A program for a host, which imports nothing of ours but what its archive holds."""

    name: str
    entry: str  # the module with its C(main), as package.module
    folder: Path = KNOWLEDGE  # where the package lies

    @property
    def file_name(self) -> str:
        return f"fedops-{self.name}.pyz"

    @property
    def package(self) -> str:
        return f"fedops_{self.name}".replace("-", "_")

    def build(self) -> bytes:
        """Return the archive."""
        sources = self._sources()
        main = f"import sys\n\nfrom {self.package}.{self.entry} import main\n\nsys.exit(main())\n"
        files = {"__main__.py": main, f"{self.package}/__init__.py": ""}
        files.update({f"{self.package}/{name.partition('.')[0]}/__init__.py": "" for name in sources})
        files.update({f"{self.package}/{name.replace('.', '/')}.py": text for name, text in sources.items()})
        stream = io.BytesIO()
        # Not compressed: what another zlib makes of the same files would be another archive.
        with zipfile.ZipFile(stream, "w") as archive:
            for name, text in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name, _NO_TIME), text)
        return stream.getvalue()

    def _sources(self) -> dict[str, str]:
        """Return the modules that the program imports, and those that they import."""
        sources: dict[str, str] = {}
        wanted = [self.entry]
        while wanted:
            name = wanted.pop()
            if name not in sources:
                sources[name] = (self.folder / f"{name.replace('.', '/')}.py").read_text("utf-8")
                wanted += _imported(name.partition(".")[0], sources[name])
        return sources


def _imported(package: str, text: str) -> Iterator[str]:
    """Give the modules, as package.module, that a module of a package imports of ours."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = [package] * (node.level == 1) + (node.module.split(".") if node.module else [])
            yield from [".".join(place)] if len(place) == 2 else [f"{place[0]}.{one.name}" for one in node.names]


SUPERVISOR = Program("supervisor", "_supervisor.program")
MIRROR = Program("mirror", "_mirror.program")
ALERTS = Program("alerts", "_alerts.program")
PACKAGE = Program("package", "_delivery.program")
WORKER = Program("worker", "_delivery.following")
AGGREGATE_ADAPTERS = Program("aggregate-adapters", "_delivery.averaging_program")
GPUS = Program("gpus", "_gpus.program")
# It runs on the Python of its tracker's own environment.
TRACKER = Program("tracker", "_tracking.program")
# It runs on the controller, on the Python of an environment that has the library of a place to publish in.
PUBLISH = Program("publish", "_publish.program")
# Unlike the others it runs beside Flower, on Flower's own Python.
CLIENTAPPS = Program("clientapps", "clientapps.program", COLLECTION / "roles" / "supernode" / "files")
PROGRAMS = {
    program.name: program
    for program in (SUPERVISOR, MIRROR, ALERTS, PACKAGE, WORKER, AGGREGATE_ADAPTERS, TRACKER, GPUS)
}
