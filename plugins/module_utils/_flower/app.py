# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a Flower app's source folder: what it is called, what it declares, which files make it up.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import FedopsError
from .assumptions import FAB_SUFFIXES

SOURCE_NAMES = ("LICENSE", ".gitignore")  # the second steers Flower's build
SKIPPED_DIRECTORIES = frozenset({"__pycache__", "node_modules"})
PYPROJECT = "pyproject.toml"

MOST_APP_FILES = 5000
MOST_BYTES = 64 << 20  # of all sources; a FAB has 10 MB at most
# Flower's own rule for a name, with the letters of ASCII; publisher and version are parts of the names of files.
APP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}", re.ASCII)
PUBLISHER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,63}", re.ASCII)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\u202a-\u202e\ud800-\udfff]")


class AppError(FedopsError):
    """A folder that is not a Flower app; the message names the folder, what is wrong and what to do."""


@dataclass(frozen=True)
class App:
    """A Flower app as its ``pyproject.toml`` describes it.

    ``config`` maps every declared run-config key, nested tables joined with a dot as Flower does it, to its default.
    """

    path: str
    publisher: str
    name: str
    version: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def app_id(self) -> str:
        """Flower's own id of the app, ``publisher/name``."""
        return f"{self.publisher}/{self.name}"


def read_app(path: str) -> App:
    """Read the app in the folder ``path`` (needs Python 3.11 or newer for ``tomllib``).

    :raises AppError: when the folder is not an app that ``flwr build`` would accept.
    """
    document = _read_pyproject(path)
    project = _table(document, "project")
    section = _table(document, "tool", "flwr", "app")
    components = _table(section, "components")
    found: dict[str, Any] = {
        "[project] name": project.get("name"),
        "[project] version": project.get("version"),
        "[tool.flwr.app] publisher": section.get("publisher"),
        "[tool.flwr.app.components] serverapp": components.get("serverapp"),
        "[tool.flwr.app.components] clientapp": components.get("clientapp"),
    }
    missing = [label for label, value in found.items() if not isinstance(value, str) or not value]
    if missing:
        raise AppError(
            f"{path} is not a Flower app: its {PYPROJECT} lacks {', '.join(missing)}. "
            "See Flower's documentation of pyproject.toml, or start from 'flwr new'."
        )
    for (label, value), rule in zip(found.items(), (APP_NAME, VERSION, PUBLISHER)):
        if not rule.fullmatch(value):
            raise AppError(
                f"{os.path.join(path, PYPROJECT)}: {label} is {value[:100]!r} but must match {rule.pattern}."
            )
    config = dict(_flatten(_table(section, "config")))
    odd = [key for key, value in config.items() if not isinstance(value, (str, int, float))]
    if odd:
        raise AppError(
            f"{os.path.join(path, PYPROJECT)}: [tool.flwr.app.config] {odd[0]} is {str(config[odd[0]])[:100]} but"
            " Flower takes only text, numbers, true and false there, and tables of them."
        )
    return App(
        path=path,
        publisher=found["[tool.flwr.app] publisher"],
        name=found["[project] name"],
        version=found["[project] version"],
        config=config,
    )


def source_files(path: str, overlay: Mapping[str, str] | None = None) -> dict[str, str]:
    """Map the relative path of every source file of the app to its path on disk, in a stable order.

    Symbolic links, hidden folders and virtual environments are left out, as ``flwr build`` leaves them out.
    ``overlay`` maps relative paths to files that replace, or join, those of the folder.
    """
    files = {}
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if _is_source_directory(os.path.join(folder, name)))
        for name in names:
            full = os.path.join(folder, name)
            if (name in SOURCE_NAMES or name.endswith(FAB_SUFFIXES)) and not os.path.islink(full):
                files[os.path.relpath(full, path).replace(os.sep, "/")] = full
    for name, full in _checked(overlay or {}).items():
        if not os.path.isfile(full):
            raise AppError(f"{full} is to become {name} of the app, but there is no such file.")
        files[name] = os.path.realpath(full)
    _refuse_too_much(path, files)
    return dict(sorted(files.items()))


def is_inside(name: object) -> bool:
    """Tell whether a relative path stays in the folder that it is relative to, and can be shown as it is."""
    if not isinstance(name, str) or not name or len(name) > 500 or _UNSEEN.search(name):
        return False
    parts = name.split("/")
    return not any(part in ("", ".", "..") or len(part.encode("utf-8", "replace")) > 200 for part in parts)


def _checked(overlay: Mapping[str, str]) -> Mapping[str, str]:
    for name, full in overlay.items():
        if not is_inside(name):
            raise AppError(f"app_overlay has {name!r}, which must be a path inside the app, such as my_app/task.py.")
        if not isinstance(full, str):
            raise AppError(f"app_overlay['{name}'] is {full!r} but must be the path of a file.")
    return overlay


def _refuse_too_much(path: str, files: Mapping[str, str]) -> None:
    """Refuse what is no app but everything that lies around, and what would never end when it is read."""
    total = 0
    for name, full in files.items():
        if not is_inside(name):
            raise AppError(f"{path} has a file with the name {name!r}, which no app can have. Rename it.")
        found = os.stat(full)
        if not stat.S_ISREG(found.st_mode):
            raise AppError(f"{full} is no regular file. Remove it from the app.")
        total += found.st_size
    if len(files) > MOST_APP_FILES or total > MOST_BYTES:
        raise AppError(
            f"{path} has {len(files)} files of an app with {total} bytes, but at most {MOST_APP_FILES} with"
            f" {MOST_BYTES} bytes are deployed."
            " Keep data, models and virtual environments out of the folder of the app."
        )


def digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the names and bytes of ``source_files``: equal on the controller and the host."""
    total = hashlib.sha256()
    for name, full in files.items():
        with open(full, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def _is_source_directory(path: str) -> bool:
    name = os.path.basename(path)
    return not (
        name.startswith(".")
        or name in SKIPPED_DIRECTORIES
        or name.endswith(".egg-info")
        or os.path.islink(path)
        or os.path.exists(os.path.join(path, "pyvenv.cfg"))
    )


def _read_pyproject(path: str) -> dict[str, Any]:
    import tomllib  # Python 3.11 and newer: the controller has it, a host need not

    file = os.path.join(path, PYPROJECT)
    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise AppError(
            f"{path} is not a Flower app: it has no {PYPROJECT}. Point to the folder that 'flwr run' would be given."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AppError(f"{file} cannot be read: {error}.") from error


def _table(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        document = document.get(name, {})
        if not isinstance(document, dict):
            return {}
    return dict(document)


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
