# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of a role come to, as Ansible computes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

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
