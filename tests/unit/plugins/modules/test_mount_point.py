# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_guard import is_guarded, release
from ansible_collections.fedops.flower.plugins.module_utils._storage.mount_points import MountPoint

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mount points")


@pytest.fixture
def point(anchored):
    path = anchored[0] / "srv/checkpoints"
    path.parent.mkdir()
    yield path
    if path.is_dir():
        release(str(path))


def test_a_mount_point_is_closed_once(run_module, point) -> None:
    first = run_module("mount_point", path=str(point))
    said = f"{point} closed to everybody while nothing is mounted there\n"
    assert first == {"changed": True, "mounted": None, "aside": None, "diff": {"before": "", "after": said}}
    assert is_guarded(str(point))
    assert not run_module("mount_point", path=str(point))["changed"]


def test_a_rehearsal_makes_nothing(run_module, point) -> None:
    assert run_module("mount_point", path=str(point), check_mode=True)["changed"]
    assert not point.exists()


def test_files_stop_it_and_stay(run_module, point) -> None:
    point.mkdir()
    (point / "checkpoint_round_1.npz").write_bytes(b"precious")
    result = run_module("mount_point", path=str(point))
    assert result["failed"]
    assert "holds files: checkpoint_round_1.npz. The mount would hide them. Choose:" in result["msg"]
    assert (point / "checkpoint_round_1.npz").read_bytes() == b"precious"


def test_files_are_put_aside_when_that_is_wished(run_module, point) -> None:
    point.mkdir()
    (point / "checkpoint_round_1.npz").write_bytes(b"precious")
    aside = point.with_name("checkpoints.before-mount")
    result = run_module("mount_point", path=str(point), existing="move")
    assert (result["changed"], result["aside"]) == (True, str(aside))
    assert (aside / "checkpoint_round_1.npz").read_bytes() == b"precious"
    assert is_guarded(str(point))
    again = run_module("mount_point", path=str(point), existing="move")
    assert (again["changed"], again["aside"]) == (False, str(aside))


def test_what_is_somebody_elses_is_not_put_aside(run_module, point) -> None:
    (point / "dpkg").mkdir(parents=True)
    message = run_module("mount_point", path=str(point), existing="move")["msg"]
    assert message.startswith(f"{point} does not belong to the user 49999 and holds what is no checkpoint: dpkg.")
    assert (point / "dpkg").is_dir()
    os.chown(point, 49999, 49999)
    assert run_module("mount_point", path=str(point), existing="move")["changed"]


def test_what_was_put_aside_before_is_never_overwritten(run_module, point) -> None:
    for path in (point, point.with_name("checkpoints.before-mount")):
        path.mkdir()
        (path / "checkpoint_round_1.npz").write_bytes(b"precious")
    assert "is in the way" in run_module("mount_point", path=str(point), existing="move")["msg"]


def test_what_is_mounted_is_told_and_another_source_refused(run_module, point, anchored) -> None:
    point.mkdir()
    anchored[1](point, "/dev/vdc", "xfs")
    result = run_module("mount_point", path=str(point))
    assert (result["changed"], result["mounted"]) == (False, {"source": "/dev/vdc", "type": "xfs"})
    assert "but /dev/vdc is mounted there" in run_module("mount_point", path=str(point), source="/dev/vdb")["msg"]
    assert "cannot be removed" in run_module("mount_point", path=str(point), state="absent")["msg"]


def test_what_is_mounted_below_a_home_that_the_account_has_had_is_left(run_module, anchored) -> None:
    """As a host has it whose accounts are not separate yet."""
    home = anchored[0] / "opt/flower"
    (home / "checkpoints").mkdir(parents=True)
    os.chown(home, 49999, 49999)
    assert "cannot be a mount point" in run_module("mount_point", path=str(home / "checkpoints"))["msg"]
    anchored[1](home / "checkpoints")
    result = run_module("mount_point", path=str(home / "checkpoints"), source="/dev/vdb")
    assert (result["changed"], result["mounted"]) == (False, {"source": "/dev/vdb", "type": "ext4"})


@pytest.mark.parametrize("existing", ["stop", "move"])
def test_what_somebody_could_lead_elsewhere_is_no_mount_point(run_module, point, anchored, existing) -> None:
    (anchored[0] / "etc/flower.d").mkdir(parents=True)
    theirs = anchored[0] / "srv/theirs"
    theirs.mkdir()
    (theirs / "checkpoints").symlink_to(anchored[0] / "etc/flower.d")
    for owner, path, said in (
        (0, theirs / "checkpoints", "is a link to"),
        (49999, theirs / "new", "cannot be a mount point"),
        (1000, theirs / "new", "belongs to the user 1000"),
        (0, anchored[0] / "etc/flower.d", "belongs to the system"),
        (0, f"{point}/../checkpoints", "must be the absolute path"),
        (0, anchored[0] / "opt/flower/records", "holds something else of Flower"),
    ):
        os.chown(theirs, owner, owner)
        assert said in run_module("mount_point", path=str(path), existing=existing)["msg"]
    assert (anchored[0] / "etc/flower.d").stat().st_mode & 0o7777 == 0o755


def test_a_mount_point_is_removed_once(run_module, point) -> None:
    run_module("mount_point", path=str(point))
    assert run_module("mount_point", path=str(point), state="absent")["changed"]
    assert not point.exists()
    assert not run_module("mount_point", path=str(point), state="absent")["changed"]


def test_the_library_tells_beforehand_what_it_would_do(point) -> None:
    wanted = MountPoint(str(point), "/opt/flower", 49999, 49999, "move")
    assert wanted.absent(check_mode=True) == []
    (point / "checkpoint_round_1.npz").parent.mkdir()
    (point / "checkpoint_round_1.npz").touch()
    told = wanted.present(None, check_mode=True)
    assert [change.split(" ")[1] for change in told] == ["renamed", "closed"]
    assert wanted.aside is None
    assert wanted.present(None, check_mode=False) == told
    assert wanted.aside == f"{point}.before-mount"
    assert wanted.absent(check_mode=True) == wanted.absent(check_mode=False) == [f"{point} removed"]
    assert not point.exists()
