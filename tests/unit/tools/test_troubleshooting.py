# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md has every error of ours, and nothing that is said no more.

The messages are read from the source. What is known only when one is said is an … in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import (
    INVALID_RUN_CONFIG,
    KEY_ALREADY_IN_USE,
    NODE_NOT_FOUND,
    RUN_NOT_FOUND,
    UNREACHABLE_WORDS,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import REASONS

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = {"AnsibleActionFail", "AnsibleFilterError"}
BASES = {"FedopsError", "RunFailedError"}


def messages() -> dict[str, str]:
    """Return every message with the file that it is from."""
    sources = [path for folder in ("plugins", "files") for path in sorted((ROOT / folder).rglob("*.py"))]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sources if "knowledge" not in path.parts}
    ours = _our_errors(list(trees.values())) | ANSIBLE
    found: dict[str, str] = {}
    for path, tree in trees.items():
        said = _of_app(tree) if {"fedops_app", "use_cases"} & {*path.parts} else _raised(tree, ours)
        for text in [*said, *_of_problems(tree)]:
            found.setdefault(text, path.relative_to(ROOT).as_posix())
    for path in sorted([*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")]):
        for text in _of_tasks(yaml.safe_load(path.read_text("utf-8"))):
            found.setdefault(text, path.relative_to(ROOT).as_posix())
    return {text: place for text, place in found.items() if _is_whole(text)}


def _is_whole(text: str) -> bool:
    """Whether it is told by itself: a phrase in small letters without an end is a part of another message."""
    words = re.findall(r"[a-z]{2,}", text)
    return len(words) > 1 and not (text[0].islower() and not text.endswith("."))


def _our_errors(trees: list[ast.Module]) -> set[str]:
    classes = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    ours = set(BASES)
    while more := {name for name, bases in classes.items() if bases & ours} - ours:
        ours |= more
    return ours


def _raised(tree: ast.Module, kinds: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            if ast.unparse(node.exc.func) in kinds:
                yield from _texts(node.exc.args[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("fail_json"):
            for keyword in node.keywords:
                if keyword.arg == "msg":
                    yield from _texts(keyword.value)


def _of_app(tree: ast.Module) -> Iterator[str]:
    """An app is user code, which raises whatever fits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            yield from _texts(node.exc.args[0])


def _of_problems(tree: ast.Module) -> Iterator[str]:
    """Functions whose names say that they return problems."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "problem" in node.name:
            for statement in node.body[bool(ast.get_docstring(node)) :]:
                yield from _sentences(statement)


def _sentences(node: ast.AST) -> Iterator[str]:
    """The whole sentences in it, but those that another function makes a problem of: "X is V but it must be …."."""
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        yield from (text for text in _texts(node) if text.endswith(".") and ("…" in text or " is " in text))
    elif not (isinstance(node, ast.Call) and "problem" in ast.unparse(node.func)):
        for child in ast.iter_child_nodes(node):
            yield from _sentences(child)


def _of_tasks(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        for entry in content:
            yield from _of_tasks(entry)
    elif isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, str) and (key == "fail_msg" or (key == "ansible.builtin.fail" and value)):
                yield re.sub(r"{{.*?}}", "…", value, flags=re.S)
            else:
                yield from _of_tasks(value)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    else:
        yield " ".join(_text(node).split())


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "…"


PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
FLOWERS = "## Flower itself says"
ERRORS = PAGE.partition("<!-- end: reasons -->")[2].partition(FLOWERS)[0]
PHRASES = [phrase for row in re.findall(r"^\| (`.*?) \|", ERRORS, re.M) for phrase in re.findall(r"`([^`]+)`", row)]
# How the table of endings says that an app begins.
PHRASES += [
    re.sub("{.*?}", "…", it.sentence.partition(". ")[0].rstrip(".")) for it in REASONS if it.told_by_app and it.sentence
]
MESSAGES = messages()


def finds(phrase: str, message: str) -> bool:
    return re.search(".*".join(map(re.escape, phrase.split("…"))), message) is not None


def test_every_error_is_in_it() -> None:
    missing = [f"{place}: {said}" for said, place in MESSAGES.items() if not any(finds(it, said) for it in PHRASES)]
    assert missing == [], "give each a row in docs/troubleshooting.md, or its words to a row that fits"


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{reason.kind}-{reason.word}")
def test_every_reason_is_in_it(reason) -> None:
    assert any(f"`{reason.word}`" in line and reason.action in line for line in PAGE.splitlines())


@pytest.mark.parametrize("code", [INVALID_RUN_CONFIG, RUN_NOT_FOUND, KEY_ALREADY_IN_USE, NODE_NOT_FOUND])
def test_every_refusal_of_flower_that_we_tell_apart_is_in_it(code: int) -> None:
    assert f"`[code: {code}]`" in PAGE


def test_an_unreachable_superlink_is_in_it_as_flower_says_it() -> None:
    assert f"`{UNREACHABLE_WORDS}`" in PAGE


SAYING = ("plugins", "files", "roles", "playbooks", "examples")


def test_what_it_quotes_is_said() -> None:
    """By a message, or by what composes one of pieces."""
    sources = [path for folder in SAYING for path in (ROOT / folder).rglob("*")]
    text = "".join(path.read_text("utf-8") for path in sources if path.suffix in {".py", ".yml", ".j2"})
    pieces = " ".join(re.sub(r"\"\s*f?\"|'\s*f?'", "", text).split())
    unsaid = [
        phrase
        for phrase in PHRASES
        if not any(finds(phrase, said) for said in MESSAGES)
        and not all(piece.strip(" .:,'`;()[]") in pieces for piece in phrase.split("…"))
    ]
    assert unsaid == []
