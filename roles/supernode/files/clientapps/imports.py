# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a FAB imports of others: read by its first ClientApp, which tells the SuperExec of it."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import os
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

IMPORTS = "FEDOPS_IMPORTS"  # the descriptor that a ClientApp tells of its FAB's imports by
INSTALL = ("flwr.supernode.runtime.run_clientapp", "install_from_fab")  # what Flower calls with the FAB
MOST_IMPORTS, LONGEST_SOURCE = 64, 1 << 20
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def imports_of(fab: bytes) -> list[str]:
    """Return the modules that a FAB wants imported ahead, or those of others that its files import. Nothing is run."""
    with zipfile.ZipFile(io.BytesIO(fab)) as archive:
        files = {each.filename: each for each in archive.infolist() if each.file_size <= LONGEST_SOURCE}
        project = tomllib.loads(archive.read("pyproject.toml").decode("utf-8"))
        wanted = project.get("tool", {}).get("fedops", {}).get("warm-imports")
        if wanted is not None and not isinstance(wanted, list):
            raise TypeError("warm-imports is no list")
        if wanted is None:
            own = {name.split("/")[0].removesuffix(".py") for name in files}
            trees = [ast.parse(archive.read(name)) for name in files if name.endswith(".py")]
            found = {name for tree in trees for node in ast.walk(tree) for name in _imported(node)}
            wanted = [name for name in found if _is_others(name.split(".")[0], own)]
    return sorted(modules(wanted))[:MOST_IMPORTS]


def modules(names: Iterable[object]) -> list[str]:
    return [name for name in names if isinstance(name, str) and _MODULE.fullmatch(name)]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _is_others(root: str, own: set[str]) -> bool:
    return root not in own and root not in sys.stdlib_module_names and importlib.util.find_spec(root) is not None


def tell_imports(module: Any, name: str, stream: int) -> None:
    """Have a function of Flower that installs a FAB tell first, through a descriptor, what the FAB imports."""
    install = getattr(module, name, None)
    if not callable(install):
        print("This release of Flower installs a FAB in another way. ClientApps start from nothing.", file=sys.stderr)
        os.close(stream)
        return

    def installs(fab: bytes, *arguments: Any, **more: Any) -> Any:
        told: dict[str, object] = {}
        try:
            told["imports"] = imports_of(fab)
        except Exception as error:  # a FAB may be anything; what is wrong with it is Flower's to tell
            told["doubt"] = f"its imports cannot be read: {type(error).__name__}"
        with suppress(OSError):
            os.write(stream, json.dumps(told).encode())
        os.close(stream)  # before anything of the app is run
        return install(fab, *arguments, **more)

    setattr(module, name, installs)
