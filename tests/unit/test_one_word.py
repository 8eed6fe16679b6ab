# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option that several plugins have is documented once: in a fragment, from which each of them takes it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import ACCOUNTS, HOME, PORTS

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
# What has the same name, type and default, and yet is another thing in each of its plugins.
OTHER_THINGS = {
    "adopt",  # what is mounted, a file system
    "app",  # on the host, on the controller
    "checksum",  # of the app, of a lock
    "dest",  # of a file, of a package
    "hostvars",  # of the hosts to check, of a registry
    "host",  # whose keys, whose plan
    "inventory",  # whose names are taken, that is looked for
    "kit",  # is put into an app, is in it
    "name",  # of an app, a training, a SuperNode
    "overlay",  # of an app, beside that of a task
    "path",  # a directory, an archive
    "round",  # that is sent, that is exported
    "sha256",  # of what is looked for, of what must be there
    "state",  # each has its own
    "supernodes",  # that a host runs, that the SuperLink tells of
    "training",  # that is fetched, that there is room for
    "wait_seconds",  # for trainings, runs, SuperNodes
}
# The table in words: what a default would repeat of it.
LAYOUT = [HOME, *(account.name for account in ACCOUNTS), *(account.number for account in ACCOUNTS)]
LAYOUT += [port.number for port in PORTS]


def documented() -> dict[str, dict[str, Any]]:
    """Return the options that each plugin documents itself, by its name."""
    found = {}
    for path in sorted((PLUGINS / "modules").glob("*.py")) + sorted((PLUGINS / "filter").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
                found[path.stem] = yaml.safe_load(ast.literal_eval(node.value))
    for path in sorted((PLUGINS / "filter").glob("*.yml")):
        found[f"{path.stem} (filter)"] = yaml.safe_load(path.read_text("utf-8"))["DOCUMENTATION"]
    return {name: about.get("options") or {} for name, about in found.items()}


def words(option: dict[str, Any]) -> str:
    text = option["description"]
    return " ".join(text) if isinstance(text, list) else str(text)


def test_an_option_is_documented_once_and_in_one_way() -> None:
    places: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for plugin, own in documented().items():
        for name, option in own.items():
            shape = [str(option.get(key)) for key in ("type", "default", "choices", "required")]
            if "type" in option and name not in OTHER_THINGS and name != "_input":
                places[name, *shape][plugin] = words(option)
    assert {shape: said for shape, said in places.items() if len(said) > 1} == {}


def test_what_is_said_to_be_other_things_is_in_several_plugins() -> None:
    names = [name for own in documented().values() for name in own]
    assert {name for name in OTHER_THINGS if names.count(name) < 2} == set()


def test_a_default_that_is_the_layouts_comes_from_the_table() -> None:
    repeated = [
        f"{plugin}: {name}"
        for plugin, own in documented().items()
        for name, option in own.items()
        if option.get("default") in LAYOUT or re.match(rf"{HOME}|/var/(lib|backups)/flower", str(option.get("default")))
    ]
    assert repeated == []
