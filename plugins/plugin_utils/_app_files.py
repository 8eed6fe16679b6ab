# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an app as it is deployed: those of its folder, of an overlay, and of the kit.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.fedops.flower.plugins.module_utils._flower.app import (
    PYPROJECT,
    App,
    declaring,
    read_app,
    source_files,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_kit import (
    kit_files,
    pyproject_with_kit,
    with_kit,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import KIT


def app_files(source: str, overlay: Mapping[str, str] | None, kit: bool, folder: str) -> tuple[App, dict[str, str]]:
    """Return an app and its files by their names in it; what has to be written for that is written to C(folder)."""
    app, files = read_app(source, overlay), source_files(source, overlay)
    pyproject = declaring(app, overlay)
    if kit:
        app = with_kit(app, files)
        text = Path(files[PYPROJECT]).read_text(encoding="utf-8") if pyproject is None else pyproject
        pyproject = pyproject_with_kit(text)
        files = dict(sorted({**files, **kit_files(KIT)}.items()))
    if pyproject is not None:
        path = Path(folder, PYPROJECT)
        path.write_text(pyproject, encoding="utf-8", newline="\n")
        files[PYPROJECT] = str(path)
    return app, files
