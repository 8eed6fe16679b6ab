# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of a role come to, as Ansible computes them; the program of the ClientApps as it is shipped."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.fedops.flower.plugins.plugin_utils._program import CLIENTAPPS

ROLES = Path(__file__).resolve().parents[3] / "roles"


def _all(role: str, kind: str) -> dict[str, object]:
    """Return the defaults or the variables of a role: of a file, or of all files of a directory."""
    main = ROLES / role / kind / "main"
    files = sorted(main.glob("*.yml")) if main.is_dir() else [main.with_suffix(".yml")]
    files = [path for path in files if path.exists()]
    loader = DataLoader()
    return {
        name: value
        for path in files
        for name, value in loader.load_from_file(str(path), trusted_as_template=True).items()
    }


@pytest.fixture
def computed() -> Callable[..., object]:
    """Return what a role computes as one of its variables, with its defaults and what is given."""

    def compute(role: str, name: str, **given: object) -> object:
        own = {**_all(role, "defaults"), **_all(role, "vars")}
        return Templar(loader=DataLoader(), variables={**own, **given}).template(own[name])

    return compute


@pytest.fixture(scope="session")
def clientapps(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the program of the ClientApps lies."""
    path = tmp_path_factory.mktemp("program") / "flower-clientapps"
    path.write_bytes(CLIENTAPPS.build())
    sys.path.append(str(path))
    return str(path)


@pytest.fixture
def part(clientapps: str) -> Callable[[str], ModuleType]:
    """Import a module of it."""
    return lambda name: importlib.import_module(f"fedops_clientapps.clientapps.{name}")
