# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe does what a save does, as the account."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage import mount_guard, probe

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def test_every_step_of_a_save_is_taken_and_nothing_is_left(tmp_path: Path) -> None:
    steps = probe.as_user(os.getuid(), os.getgid(), lambda: probe.probe(str(tmp_path)))
    assert {"create a file", "fsync a file", "rename a file", "make a symbolic link"} < set(steps)
    assert list(tmp_path.iterdir()) == []


@as_root
def test_the_probe_is_of_the_user_and_not_of_root(open_path: Path, in_groups: tuple[int, ...]) -> None:
    with pytest.raises(probe.StepError) as error:
        probe.as_user(49999, 49999, lambda: probe.probe(str(open_path)))
    assert (error.value.step, error.value.number) == ("create a file", errno.EACCES)
    os.chown(open_path, 49999, 49999)
    assert probe.as_user(49999, 49999, lambda: [os.getuid(), os.getgid(), os.getgroups()]) == [49999, 49999, []]
    assert len(probe.as_user(49999, 49999, lambda: probe.probe(str(open_path)))) == 12


@pytest.mark.parametrize("call", ["fsync", "rename", "symlink", "link", "write"])
def test_a_step_that_fails_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def failing(*arguments: object, **more: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(probe.StepError) as error:
        probe.probe(str(tmp_path))
    assert call[-4:] in error.value.step or "link" in error.value.step
    assert error.value.number == errno.EOPNOTSUPP
    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_link_in_the_place_of_a_guarded_directory_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    (tmp_path / "point").symlink_to(other)
    before = other.stat()
    with pytest.raises(OSError, match="point"):
        mount_guard.guard(str(tmp_path / "point"))
    assert (other.stat().st_mode, other.stat().st_uid) == (before.st_mode, before.st_uid)


@as_root
def test_a_guarded_directory_is_closed_and_can_be_released(tmp_path: Path) -> None:
    path = tmp_path / "point"
    mount_guard.guard(str(path))
    try:
        assert mount_guard.is_guarded(str(path))
        with pytest.raises(probe.StepError) as error:
            probe.as_user(49999, 49999, lambda: probe.probe(str(path)))
        assert error.value.number == errno.EACCES
        mount_guard.guard(str(path))
    finally:
        mount_guard.release(str(path))
    path.chmod(0o755)
    assert not mount_guard.is_guarded(str(path))
