# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the kit into an app of one's own, before its FAB is built: its files, and what it is told as declared keys.

Nothing of the app's own files changes but its pyproject.toml, which says the same as before and more.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .._base.notation import quoted, to_toml
from .._config.kit import KIT_PACKAGE, KIT_ROWS, TABLE, kit_default, kit_key
from .app import PYPROJECT, App, AppError

INCLUDE = "fab-include"
_LINES = 120  # characters of a line of a list


def with_kit(app: App, files: Mapping[str, str]) -> App:
    """Return the app as it is with the kit.

    :param files: where each file of the app is, by its path inside the app.
    :raises AppError: when the app has something of that name, or does not use the kit.
    """
    if own := next((name for name in files if name == f"{KIT_PACKAGE}.py" or name.startswith(f"{KIT_PACKAGE}/")), None):
        raise AppError(
            f"app_kit is true, but the app {app.name} has {own} of its own. Set app_kit to false, or take"
            f" {KIT_PACKAGE} out of the app."
        )
    if taken := next((key for key in app.config if key == TABLE or key.startswith(f"{TABLE}.")), None):
        raise AppError(
            f"app_kit is true, but the app {app.name} declares {taken} in its [tool.flwr.app.config], where the kit has"
            f" its table {TABLE}. Rename it in the app."
        )
    if not any(_mentions_kit(file) for name, file in files.items() if name.endswith(".py")):
        raise AppError(
            f"app_kit is true, but nothing in the app {app.name} uses the kit. Write two lines into its ServerApp:"
            f" 'from {KIT_PACKAGE} import keep', and 'strategy = keep(strategy, context)' before strategy.start(...)."
        )
    return replace(app, config={**app.config, **{kit_key(row): kit_default(row) for row in KIT_ROWS}})


def kit_files(package: str) -> dict[str, str]:
    """Return the files of the kit by their paths inside an app; C(package) is the folder of the kit."""
    found = {}
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(name for name in names if name.endswith(".py")):
            full = os.path.join(folder, name)
            found[f"{KIT_PACKAGE}/{os.path.relpath(full, package).replace(os.sep, '/')}"] = full
    return found


def pyproject_with_kit(text: str) -> str:
    """Return what declares the keys of the kit as well, and takes its files into the FAB where that has to be said.

    It is written anew from what it says, as Flower itself writes the one of a FAB: a key may be added to every layout.
    """
    import tomllib  # Python 3.11 and newer: the controller has it, a host need not

    document = tomllib.loads(text)
    section = document["tool"]["flwr"]["app"]
    section.setdefault("config", {})[TABLE] = {row.key: kit_default(row) for row in KIT_ROWS}
    if isinstance(section.get(INCLUDE), list):
        section[INCLUDE] = [*section[INCLUDE], f"{KIT_PACKAGE}/**/*.py"]
    written = "".join(_written(document))
    if tomllib.loads(written) != document:
        raise AppError(f"{PYPROJECT} cannot be written with the table of the kit: it holds what no app needs.")
    return written


def missing_of_kit(sources: Mapping[str, bytes], fab: Mapping[str, bytes]) -> str | None:
    """Return a file of the kit that is among the sources of an app and not in its FAB; None when all are."""
    return next((name for name in sources if name.startswith(f"{KIT_PACKAGE}/") and name not in fab), None)


def depends_on_numpy(pyproject: str) -> bool:
    """Tell whether an app asks for NumPy in this file, which the kit needs. Flower brings it along."""
    import tomllib

    with open(pyproject, "rb") as stream:
        listed = tomllib.load(stream).get("project", {}).get("dependencies", [])
    return any(str(one).replace("_", "-").lower().startswith("numpy") for one in listed)


def _mentions_kit(file: str) -> bool:
    with open(file, "rb") as stream:
        return KIT_PACKAGE.encode() in stream.read()


def _written(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the lines of a table of TOML: its values, then its tables."""
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    if path and (values or not tables):
        yield f"\n[{'.'.join(map(_key, path))}]\n"
    for key, value in values.items():
        yield f"{_key(key)} = {_value(value)}\n"
    for key, value in tables.items():
        yield from _written(value, (*path, key))


def _key(key: str) -> str:
    return quoted(key) if "." not in key else to_toml(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        items = [_value(item) for item in value]
        line = ", ".join(items)
        return f"[{line}]" if len(line) < _LINES else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return to_toml(value)
