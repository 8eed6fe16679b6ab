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
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import FedopsError
from .._base.notation import quoted, to_toml
from .._config.knobs import KnobError, flat, knobs_of, table_in
from .._config.variable import Variable
from .assumptions import FAB_SUFFIXES

SOURCE_NAMES = ("LICENSE", ".gitignore")  # the second steers Flower's build
SKIPPED_DIRECTORIES = frozenset({"__pycache__", "node_modules"})
PYPROJECT = "pyproject.toml"
TASK = "task.py"  # beside the ServerApp: model, data, training, and the knobs that they have

MOST_APP_FILES = 5000
MOST_BYTES = 64 << 20  # of all sources; a FAB has 10 MB at most
# Flower's own rule for a name, with the letters of ASCII; publisher and version are parts of the names of files.
APP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}", re.ASCII)
PUBLISHER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,63}", re.ASCII)
_CONFIG_TABLE = re.compile(r"^[ \t]*\[[ \t]*tool\.flwr\.app\.config[ \t]*\][ \t]*(#[^\n]*)?$", re.MULTILINE)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\u202a-\u202e\ud800-\udfff]")


class AppError(FedopsError):
    """A folder that is not a Flower app; the message names the folder, what is wrong and what to do."""


@dataclass(frozen=True)
class App:
    """A Flower app as its ``pyproject.toml`` describes it.

    ``config`` maps every declared run-config key, nested tables joined with a dot as Flower does it, to its default.
    ``knobs`` are those that its task declares, with their bounds. ``undeclared`` are those of them that ``config`` has
    from there alone: the ``pyproject.toml`` that is deployed has to declare them (``declaring``).
    """

    path: str
    publisher: str
    name: str
    version: str
    config: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, Variable] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()

    @property
    def app_id(self) -> str:
        """Flower's own id of the app, ``publisher/name``."""
        return f"{self.publisher}/{self.name}"


def read_app(path: str, overlay: Mapping[str, str] | None = None) -> App:
    """Read the app in the folder ``path`` (needs Python 3.11 or newer for ``tomllib``).

    ``overlay`` is as for ``source_files``; its files count instead of those of the folder.

    :raises AppError: when the folder is not an app that ``flwr build`` would accept.
    """
    overlay = _checked(overlay or {})
    file = overlay.get(PYPROJECT, os.path.join(path, PYPROJECT))
    document = document_of(path, file)
    project = table_of(document, "project")
    section = table_of(document, "tool", "flwr", "app")
    components = table_of(section, "components")
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
            raise AppError(f"{file}: {label} is {value[:100]!r} but must match {rule.pattern}: Flower takes no other.")
    config = dict(flat(table_of(section, "config")))
    odd = [key for key, value in config.items() if not isinstance(value, (str, int, float))]
    if odd:
        raise AppError(
            f"{file}: [tool.flwr.app.config] {odd[0]} is {str(config[odd[0]])[:100]} but"
            " Flower takes only text, numbers, true and false there, and tables of them."
        )
    knobs = _knobs(path, overlay, components["serverapp"], config)
    return App(
        path=path,
        publisher=found["[tool.flwr.app] publisher"],
        name=found["[project] name"],
        version=found["[project] version"],
        config={**config, **{key: row.default for key, row in knobs.items()}},
        knobs=knobs,
        undeclared=tuple(key for key in knobs if key not in config),
    )


def declaring(app: App, overlay: Mapping[str, str] | None = None) -> str | None:
    """Return the ``pyproject.toml`` with the knobs that only the task declares; None when there are none.

    :raises AppError: when they cannot be written into it.
    """
    if not app.undeclared:
        return None
    file = (overlay or {}).get(PYPROJECT, os.path.join(app.path, PYPROJECT))
    before = _text(app.path, file)
    lines = "".join(f"{quoted(key)} = {to_toml(app.config[key])}\n" for key in app.undeclared)
    head = _CONFIG_TABLE.search(before)
    text = (
        f"{before[: head.end()]}\n{lines}{before[head.end() + 1 :]}"
        if head
        else f"{before.rstrip()}\n\n[tool.flwr.app.config]\n{lines}"
    )
    with suppress(AppError):
        if dict(flat(table_of(_loaded(file, text), "tool", "flwr", "app", "config"))) == app.config:
            return text
    raise AppError(
        f"{file} leaves no place for {', '.join(app.undeclared)}, which the task declares as knobs. Declare them in its"
        " [tool.flwr.app.config] yourself, with the same defaults."
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


def _knobs(path: str, overlay: Mapping[str, str], serverapp: str, config: Mapping[str, Any]) -> dict[str, Variable]:
    """Return the knobs that the task beside the ServerApp declares; none where there is no such file."""
    name = "/".join((*serverapp.partition(":")[0].split(".")[:-1], TASK))
    file = overlay.get(name, os.path.join(path, name))
    if not is_inside(name) or (name not in overlay and not os.path.isfile(file)):
        return {}
    try:
        return knobs_of(table_in(_text(path, file)), config)
    except KnobError as error:
        raise AppError("\n".join(f"{file}: {flaw}." for flaw in str(error).splitlines())) from None


def _text(path: str, file: str) -> str:
    try:
        with open(file, "rb") as stream:
            return stream.read(MOST_BYTES).decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        raise AppError(
            f"{path} is not a Flower app: it has no {PYPROJECT}. Point to the folder that 'flwr run' would be given."
            if file == os.path.join(path, PYPROJECT)
            else f"{file} is to become a file of the app, but there is no such file."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(f"{file} cannot be read: {error}.") from error


def document_of(path: str, file: str) -> dict[str, Any]:
    """Return what a C(pyproject.toml) of the app in a folder says."""
    return _loaded(file, _text(path, file))


def _loaded(file: str, text: str) -> dict[str, Any]:
    import tomllib  # Python 3.11 and newer: the controller has it, a host need not

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AppError(f"{file} cannot be read: {error}.") from error


def table_of(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a table inside of others; an empty one where it is missing, or no table."""
    for name in names:
        document = document.get(name, {})
        if not isinstance(document, dict):
            return {}
    return dict(document)
