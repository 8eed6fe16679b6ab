# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is private to a role stays there; what it takes and hands on is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
EXPRESSIONS = {"when", "that", "until", "changed_when", "failed_when"}
ASSIGNING = {"vars", "ansible.builtin.set_fact"}
WRITTEN = {".yml", ".j2"}
FILES = sorted(
    path
    for folder in ("roles", "playbooks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in WRITTEN and "meta" not in path.parts
)


# What only playbooks set, and never as text.
OURS = {"runtime_prepared", "nginx_is_there"}
BOOLEANS = {
    name
    for role in ROLES
    for entry in yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text("utf-8"))[
        "argument_specs"
    ].values()
    for name, option in entry.get("options", {}).items()
    if option["type"] == "bool"
} - OURS


def owner(variable: str) -> str | None:
    """Return the role whose prefix a variable has."""
    return next((role for role in ROLES if variable.lstrip("_").startswith(f"{role}_")), None)


def home(path: Path) -> str | None:
    """Return the role that a file is of; playbooks are of none."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "roles" else None


def texts(value: object, key: str = "") -> Iterator[str]:
    """Return the templates in a document, and for each variable that is set there a template that has its name."""
    if isinstance(value, dict):
        for name, item in value.items():
            if key in ASSIGNING:
                yield f"{{{{ {name} }}}}"
            yield from texts(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, key)
    elif isinstance(value, str):
        yield f"{{{{ {value} }}}}" if key in EXPRESSIONS and "{{" not in value else value


def used(path: Path, hosts: tuple[str, ...] = ("hostvars", "upgrade_superlink")) -> set[str]:
    """Return the variables that a file reads or sets, also those of other hosts."""
    text = path.read_text("utf-8")
    found: set[str] = set()
    for template in [text] if path.suffix == ".j2" else texts(yaml.safe_load(text)):
        tree = Environment().parse(template)
        found.update(node.name for node in tree.find_all(nodes.Name))
        for node in tree.find_all(nodes.Getattr):
            of = node.node.node if isinstance(node.node, nodes.Getitem) else node.node
            if isinstance(of, nodes.Name) and of.name in hosts:
                found.add(node.attr)
    return found


def used_by_others(role: str) -> set[str]:
    found = {name for path in FILES if home(path) != role for name in used(path)}
    return {name for name in found if owner(name) == role and not name.startswith("__")}


def arguments(role: str) -> set[str]:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text("utf-8"))
    return {name for entry in specs["argument_specs"].values() for name in entry.get("options", {})}


def handed_on(role: str) -> set[str]:
    """Return the variables that a role's README says it hands on."""
    readme = (ROOT / "roles" / role / "README.md").read_text("utf-8")
    return set(re.findall(rf"^(?:\| |It hands on )`({role}_\w+)`", readme, re.M)) - arguments(role)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_role_or_playbook_has_to_do_with_private_variables_of_another_role(path) -> None:
    mentioned = set(re.findall(r"\b__\w+", path.read_text("utf-8")))
    assert {name for name in mentioned if owner(name) not in (None, home(path))} == set()


def decided_by(path: Path) -> set[str]:
    """Return the variables that a file takes for true or false as they are."""
    text = path.read_text("utf-8")
    found: set[str] = set()
    for template in [text] if path.suffix == ".j2" else texts(yaml.safe_load(text)):
        tree = Environment().parse(template)
        decisions = [node.test for node in tree.find_all((nodes.CondExpr, nodes.If))]
        decisions += [node.node for node in tree.find_all(nodes.Not)]
        for node in tree.find_all((nodes.And, nodes.Or)):
            decisions += [node.left, node.right]
        found.update(node.name for node in decisions if isinstance(node, nodes.Name))
    return found


# The command line, inventories in INI and consoles give text, and "false" is as true as any other.
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_user_says_is_made_a_boolean_before_it_decides(path) -> None:
    assert decided_by(path) & BOOLEANS == set()


@pytest.mark.parametrize("role", ROLES)
def test_what_others_have_to_do_with_is_an_argument_of_the_role_or_said_to_be_handed_on(role) -> None:
    assert used_by_others(role) - arguments(role) - handed_on(role) == set()


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_is_said_to_hand_on_is_there_and_of_use(role) -> None:
    own = "\n".join(path.read_text("utf-8") for path in FILES if home(path) == role)
    there = {name for name in handed_on(role) if re.search(rf"^ *(?:{name}:|register: {name}$)", own, re.M)}
    assert handed_on(role) == there & used_by_others(role)
