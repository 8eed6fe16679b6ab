# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints are looked at as the account, and as ourselves only where nobody else can write."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import NotDeployedError
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import looking
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import UnreadableError


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch):
    """Return who looked, and how strictly; C(closed) says to whom the directory is closed."""
    seen: list[tuple[str, bool]] = []
    who = ["root"]

    @contextmanager
    def account():
        who.append("account")
        try:
            yield
        finally:
            who.pop()

    def run(path: Path, closed: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
        def look(strict: bool) -> None:
            seen.append((who[-1], strict))
            if who[-1] in closed and strict:
                raise UnreadableError("no")

        looking.read_as_owner(str(path), look)
        return seen

    monkeypatch.setattr(identity, "as_checkpoint_owner", account)
    return run


def test_the_account_looks(looks, tmp_path: Path) -> None:
    assert looks(tmp_path) == [("account", True)]


def test_where_it_may_not_we_look_only_into_what_is_our_own(looks, tmp_path: Path) -> None:
    assert looks(tmp_path, ("account",)) == [("account", True), ("root", False)]


@pytest.mark.parametrize("make", ["writable", "link", "another"])
def test_what_others_can_write_root_never_looks_at(looks, tmp_path: Path, make: str) -> None:
    path = tmp_path / "checkpoints"
    path.mkdir()
    if make == "writable":
        path.chmod(0o777)
    elif make == "link":
        path = tmp_path / "link"
        path.symlink_to("/root")
    elif os.geteuid() == 0:
        os.chown(path, 49999, 49999)
    assert looks(path, ("account",)) == [("account", True), ("account", False)]


def test_a_controller_has_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing():
        raise NotDeployedError("no account")

    monkeypatch.setattr(identity, "as_checkpoint_owner", missing)
    assert looking.read_as_owner(str(tmp_path), lambda strict: strict) is False
