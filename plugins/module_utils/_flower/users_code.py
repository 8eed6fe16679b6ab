# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of the code that a user brings: an app, or the files of an overlay. It tells trainings apart.

What the collection brings is no part of it, for an upgrade replaces that: the kit, its own app, its use cases, of which
the name alone counts. Neither are the keys of an app that say how long, where to, or how often.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._base.jsonable import canonical_hash
from .._config.kit import identity_of
from .._config.knobs import flat
from .app import PYPROJECT, digest, document_of, source_files, table_of
from .use_cases import COLLECTION, FOLDER, OWN_APP

# Which code runs, and which files become part of the FAB.
_OF_THE_CODE = ("components", "fab-include", "fab-exclude")
# At the top of an app, and about it alone.
_ABOUT_THE_APP = ("LICENSE", "README.md")


def code_hash(path: str, overlay: Mapping[str, str] | None = None) -> str:
    """Return the hash of the user's code in the app of a folder, with an overlay as C(source_files) takes it.

    :raises AppError: when the app cannot be read.
    """
    ours = os.path.realpath(path) == OWN_APP
    overlay = overlay or {}
    counted: dict[str, Any] = {}
    for name, full in source_files(path, overlay).items():
        if name in _ABOUT_THE_APP or (ours and name not in overlay):
            continue
        counted[name] = _use_case_of(full) or (_said_by(path, full) if name == PYPROJECT else digest({name: full}))
    return canonical_hash(counted)


def _use_case_of(file: str) -> dict[str, str] | None:
    """Return which use case of the collection a file is of."""
    place = os.path.join(COLLECTION, *FOLDER.split("/"), "")
    real = os.path.realpath(file)
    return {"use_case": real[len(place) :].split(os.sep)[0]} if real.startswith(place) else None


def _said_by(path: str, file: str) -> dict[str, Any]:
    """Return what a C(pyproject.toml) says of what runs, and the defaults of keys: Flower fills in those not given."""
    section = table_of(document_of(path, file), "tool", "flwr", "app")
    said = {key: str(section[key]) for key in _OF_THE_CODE if key in section}
    return {**said, "config": identity_of("", dict(flat(table_of(section, "config"))))}
