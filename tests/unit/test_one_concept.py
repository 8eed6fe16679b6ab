# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file holds one thing, and a person can see all of it: 300 lines at most, but for those that are named here.

A file of tests holds what one module promises, in twice as many.
"""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES, MOST_LINES_OF_TESTS = 300, 600
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
# What is longer, and what it is in a word.
LONGER = {
    "files/fab/fedops_kit/checkpoints.py": "class",
    "files/fab/fedops_kit/exact.py": "class",
    "files/fab/fedops_kit/publish.py": "class",
    "plugins/module_utils/_base/layout.py": "table",
    "plugins/module_utils/_config/rules.py": "table",
    "plugins/module_utils/_config/strategies.py": "table",
    "plugins/module_utils/_config/table.py": "table",
    "plugins/module_utils/_flower/assumptions.py": "table",
    "plugins/module_utils/_supervisor/endings.py": "table",
    "plugins/module_utils/_supervisor/supervisor.py": "class",
    "plugins/module_utils/_supervisor/watch.py": "class",
    "roles/training/defaults/main/generated.yml": "table",
    "roles/training/meta/argument_specs.yml": "table",
    "tests/contract/test_assumptions.py": "table",
}
GENERATED = "files/fab/fedops_kit/knowledge/"
FILES = sorted(
    str(path.relative_to(ROOT))
    for path in itertools.chain(
        *(
            ROOT.glob(f"{folder}/**/*.py")
            for folder in ("plugins", "files", "tools", "benchmarks", "testbed", "examples")
        ),
        *(ROOT.glob(f"tests/{folder}/**/*.py") for folder in ("unit", "contract", "apps")),
        *(
            ROOT.glob(f"{folder}/**/*.{kind}")
            for folder in ("roles", "playbooks", "molecule", "testbed")
            for kind in ("yml", "j2", "py", "sh")
        ),
    )
    if not str(path.relative_to(ROOT)).startswith(GENERATED)
)


def lines(text: str, is_python: bool) -> int:
    """Return how long a file is, without what a module says of itself to its users, and what is copied from others."""
    blocks = [
        node.end_lineno - node.lineno + 1
        for node in (ast.parse(text).body if is_python else [])
        if isinstance(node, ast.Assign) and DOCUMENTATION & {getattr(target, "id", "") for target in node.targets}
    ]
    copied = [
        part.count("\n") for part in re.findall(r"^# begin: .*copies it(?:.*\n)*?# end: .*\n", text, re.MULTILINE)
    ]
    return len(text.splitlines()) - sum(blocks) - sum(copied)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short_enough_or_named_with_the_reason(name: str) -> None:
    most = MOST_LINES_OF_TESTS if name.startswith("tests/") else MOST_LINES
    assert name in LONGER or lines((ROOT / name).read_text("utf-8"), name.endswith(".py")) <= most


def test_what_is_named_is_longer() -> None:
    assert [
        name for name in LONGER if lines((ROOT / name).read_text("utf-8"), name.endswith(".py")) <= MOST_LINES
    ] == []


def test_what_is_named_is_there() -> None:
    assert sorted(LONGER.keys() - set(FILES)) == []
