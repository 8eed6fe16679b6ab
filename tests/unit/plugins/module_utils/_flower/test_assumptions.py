# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what we rely on of Flower: each row has a contract test, and the code takes its values from there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import (
    APP_NAMES,
    ASSUMPTIONS,
    LAUNCHER_NAMES,
)

ROOT = Path(__file__).resolve().parents[5]
PUBLIC = {"flwr.app", "flwr.clientapp", "flwr.serverapp", "flwr.serverapp.strategy"}
TABLE = "plugins/module_utils/_flower/assumptions.py"
rows = pytest.mark.parametrize("row", ASSUMPTIONS.values(), ids=lambda row: row.name)


def test_each_row_has_the_contract_test_of_its_name_and_each_test_its_row() -> None:
    tree = ast.parse((ROOT / "tests" / "contract" / "test_assumptions.py").read_text("utf-8"))
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert sorted(tests) == sorted(f"test_{name}" for name in ASSUMPTIONS)


def texts(value: object) -> list[str]:
    """Return the texts in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, tuple) else []


@rows
def test_a_row_says_what_is_so_and_who_relies_on_it(row) -> None:
    assert row.what.endswith(".")
    assert row.where != ()
    for name in row.where:
        path = ROOT / name
        if name.startswith("plugins/"):
            assert "assumptions import" in path.read_text("utf-8") or "import assumptions" in path.read_text("utf-8")
        elif path.is_file() and row.name not in ("launcher_names", "client_methods"):
            text = path.read_text("utf-8").replace("_", "-" if row.name == "key_header" else "_")
            assert [each for each in texts(row.value) if each not in text] == []


def literals(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_what_flower_says_is_written_once() -> None:
    """Words that have a meaning of ours as well, like the state of a run, are left to whoever reads the code."""
    rows = [row for row in ASSUMPTIONS.values() if row.name != "curves"]  # a table of ours has them as keys
    telling = {text for row in rows for text in texts(row.value) if len(text) > 7 and re.search(r"[^a-z_]", text)}
    again = {
        str(path.relative_to(ROOT)): found
        for path in sorted((ROOT / "plugins").rglob("*.py"))
        if str(path.relative_to(ROOT)) != TABLE and (found := sorted(literals(path) & telling))
    }
    assert again == {}


def used(paths) -> set[tuple[str, str]]:
    """Return the names that are imported of Flower, without the public ones."""
    return {
        (node.module, name.name)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] == "flwr"
        and node.module not in PUBLIC
        for name in node.names
    }


def pairs(names) -> set[tuple[str, str]]:
    return {(module, name) for module, wanted in names.items() for name in wanted}


def test_the_app_uses_the_names_of_its_row_and_no_others() -> None:
    assert used((ROOT / "files" / "fab").rglob("*.py")) == pairs(APP_NAMES)


def test_the_launchers_use_the_names_of_their_row_and_no_others() -> None:
    paths = sorted((ROOT / "roles").glob("*/files/**/*.py"))
    text = "".join(path.read_text("utf-8") for path in paths)
    assert used(paths) - pairs(LAUNCHER_NAMES) == set()
    assert [name for _module, name in pairs(LAUNCHER_NAMES) if not re.search(rf"\b{name}\b", text)] == []
    replaced = set(re.findall(r'import_module\("(flwr[\w.]*)"\)', text))
    assert replaced - {module for module, _name in pairs(LAUNCHER_NAMES)} == set()
