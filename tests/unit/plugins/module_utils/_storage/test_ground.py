# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root makes and gives away directories only where nobody else could have put something in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage import ground as _ground
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import StorageError, mounts, other_paths
from ansible_collections.fedops.flower.plugins.module_utils._storage.ground import Ground

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give directories away")
FLOWER, STRANGER = 49999, 1000


@pytest.fixture
def tmp_path(open_path: Path) -> Path:
    return open_path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system with a deployed home in it."""
    path = tmp_path / "root"
    for name in ("etc/systemd/system", "opt/flower/records", "opt/flower/supernodes", "srv", "var/lib/systemd/linger"):
        (path / name).mkdir(parents=True)
    own(path / "opt/flower/checkpoints", FLOWER, 0o750)
    (tmp_path / "mountinfo").touch()
    monkeypatch.setattr(_ground, "ANCHOR", str(path))
    monkeypatch.setattr(_ground, "MOUNTS", str(tmp_path / "mountinfo"))
    return path


def own(path: Path, uid: int, mode: int = 0o755) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def have(path: Path | str, **more: object) -> list[str]:
    return Ground(str(path), FLOWER, FLOWER, **more).have(0o750)


def everything(root: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(found.relative_to(root)): (found.lstat().st_uid, found.lstat().st_gid, found.lstat().st_mode)
        for found in [root, *root.rglob("*")]
    }


def facts(path: Path) -> tuple[int, int, str]:
    found = path.lstat()
    return found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)


OURS = (FLOWER, FLOWER, "0o750")


@pytest.mark.parametrize(
    "name",
    ["srv/models", "data/checkpoints", "data/a/b/c", "opt/flower/checkpoints/heart", "opt/flower/checkpoints/a/b"],
)
def test_what_is_missing_is_made_once(root: Path, name: str) -> None:
    path = root / name
    assert (have(path), have(path)) == ([f"directory {path}"], [])
    assert facts(path) == OURS
    above = path.parent
    assert facts(above)[0] == (FLOWER if "checkpoints/" in name else 0)


@pytest.mark.parametrize("names", [[], ["checkpoint_round_5.npz", "previous", "lost+found"]])
def test_an_empty_directory_of_roots_or_one_with_checkpoints_becomes_the_accounts(root: Path, names: list) -> None:
    path = own(root / "srv/models", 0)
    for name in names:
        (path / name).touch()
    assert have(path) == [f"owner and mode of {path}"]
    assert facts(path) == OURS


def test_a_directory_of_the_account_stays_its_own_whatever_is_in_it(root: Path) -> None:
    path = own(root / "srv/models", FLOWER, 0o750)
    (path / "notes").touch()
    assert have(path) == []


def attack(name: str):
    def register(prepare):
        ATTACKS[name] = prepare
        return prepare

    return register


ATTACKS: dict = {}


@attack("a link in the checkpoints that leads to the units of systemd")
def link_to_units(root: Path) -> Path:
    (root / "opt/flower/checkpoints/evil").symlink_to(root / "etc/systemd/system")
    return root / "opt/flower/checkpoints/evil/systemd-journald.service.d"


@attack("a link in the checkpoints in the place of the directory")
def link_itself(root: Path) -> Path:
    (root / "opt/flower/checkpoints/evil").symlink_to(root / "etc/systemd/system")
    return root / "opt/flower/checkpoints/evil"


@attack("an empty directory of root's behind a link")
def empty_behind_link(root: Path) -> Path:
    (root / "etc/empty.d").mkdir()
    (root / "srv/models").symlink_to(root / "etc/empty.d")
    return root / "srv/models"


@attack("an empty directory of root's behind a link on the way")
def empty_behind_link_on_way(root: Path) -> Path:
    (root / "etc/empty.d").mkdir()
    (root / "srv/models").symlink_to(root / "etc")
    return root / "srv/models/empty.d"


@attack("a link that leads nowhere")
def dangling(root: Path) -> Path:
    (root / "srv/models").symlink_to(root / "etc/new.d")
    return root / "srv/models"


@attack("a directory in one that everybody can write")
def sticky(root: Path) -> Path:
    own(root / "srv/public", 0).chmod(0o1777)
    return root / "srv/public/checkpoints"


@attack("an empty directory in one that everybody can write")
def everybody(root: Path) -> Path:
    own(root / "srv/public", 0).chmod(0o777)
    return own(root / "srv/public/checkpoints", 0)


@attack("a directory in one that a group can write")
def group_writable(root: Path) -> Path:
    path = own(root / "srv/staff", 0)
    os.chown(path, 0, 50)
    path.chmod(0o2775)
    return path / "checkpoints"


@attack("a directory whose parent is somebody else's")
def other_parent(root: Path) -> Path:
    own(root / "srv/alice", STRANGER)
    return own(root / "srv/alice/checkpoints", 0)


@attack("a directory of somebody else")
def other_owner(root: Path) -> Path:
    return own(root / "srv/alice", STRANGER)


@attack("a directory of somebody else in the checkpoints")
def other_inside(root: Path) -> Path:
    return own(root / "opt/flower/checkpoints/alice", STRANGER)


@attack("a directory of root's in the checkpoints")
def roots_inside(root: Path) -> Path:
    own(root / "opt/flower/checkpoints/roots", 0)
    return root / "opt/flower/checkpoints/roots/new"


@attack("a file")
def file(root: Path) -> Path:
    (root / "srv/models").touch()
    return root / "srv/models"


@attack("a file on the way")
def file_on_way(root: Path) -> Path:
    (root / "srv/models").touch()
    return root / "srv/models/new"


@attack("a file in the checkpoints")
def file_inside(root: Path) -> Path:
    (root / "opt/flower/checkpoints/file").touch()
    return root / "opt/flower/checkpoints/file"


for _name in (
    "var/lib/cloud/scripts/per-boot",
    "var/lib/systemd/linger",
    "var/backups/flower/upgrades",
    "var/lib/flower-mirror",
    "opt/flower/supernodes",
    "opt/flower/records",
    "opt/flower/other",
    "etc/systemd/system/new.d",
    "opt/flower/checkpoints/../records",
    "opt/flower/checkpoints/",
    "srv//models",
    "srv/./models",
):
    ATTACKS[_name] = lambda root, _name=_name: f"{root}/{_name}"


@pytest.mark.parametrize("name", list(ATTACKS))
def test_what_is_not_on_the_list_is_refused_and_nothing_is_touched(root: Path, name: str) -> None:
    path = ATTACKS[name](root)
    before = everything(root)
    with pytest.raises(StorageError):
        have(path)
    assert everything(root) == before


@pytest.mark.parametrize(("part", "refused"), [("/etc/systemd/system", True), ("/disk/models", False)])
def test_a_part_of_a_file_system_that_is_mounted_again_is_judged_by_its_first_name(
    root: Path, part: str, refused: bool
) -> None:
    own(root / "srv/units/new.d", 0)
    Path(_ground.MOUNTS).write_text(
        f"22 1 8:1 / {root} rw shared:1 - ext4 /dev/vda1 rw\n"
        f"36 22 8:1 {part} {root}/srv/units rw shared:1 - ext4 /dev/vda1 rw\n"
    )
    if refused:
        with pytest.raises(StorageError, match=r"leads to .*/etc/systemd/system/new.d.*belongs to the system"):
            have(root / "srv/units/new.d")
    else:
        assert have(root / "srv/units/new.d") != []


def test_whole_file_systems_and_the_root_of_the_host_have_no_other_names() -> None:
    found = mounts(
        "22 1 0:30 /@ / rw - btrfs /dev/vda1 rw\n23 22 0:30 / /run/timeshift rw - btrfs /dev/vda1 rw\n"
        "24 22 8:16 / /srv rw - ext4 /dev/vdb rw\n25 22 8:16 /a /mnt rw - ext4 /dev/vdb rw\n"
    )
    assert [other_paths(found, path) for path in ("/opt/flower", "/srv/a", "/mnt/b")] == [[], [], ["/srv/a/b"]]


def test_a_mount_of_our_own_may_belong_to_anybody(root: Path) -> None:
    path = own(root / "srv/nfs", STRANGER)
    with pytest.raises(StorageError, match="belongs to the user 1000, and is not taken from them"):
        have(path, mounted=True)  # nothing is mounted there
    Path(_ground.MOUNTS).write_text(f"36 22 0:55 / {path} rw shared:1 - nfs4 nas:/exports rw\n")
    with pytest.raises(StorageError, match="and is not taken from them"):
        have(path)
    assert have(path, mounted=True) == [f"owner and mode of {path}"]


def test_an_acl_that_lets_somebody_write_is_seen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own(root / "srv/shared", 0, 0o775)
    assert have(folder / "one")
    monkeypatch.setattr(_ground, "_has_access_list", lambda place: True)
    with pytest.raises(StorageError, match="can be written by others than root"):
        have(folder / "two")


def test_what_root_made_for_a_way_is_roots(root: Path) -> None:
    before = os.umask(0)
    try:
        have(root / "data/a/checkpoints")
    finally:
        os.umask(before)
    assert [facts(root / name) for name in ("data", "data/a")] == [(0, 0, "0o755")] * 2


@pytest.mark.parametrize("name", ["srv/models", "opt/flower/checkpoints", "opt/flower/checkpoints/heart"])
def test_a_directory_of_the_account_is_removed_with_all_in_it(root: Path, name: str) -> None:
    path = root / name
    have(path)
    (path / "previous").symlink_to(root / "etc")
    ground = Ground(str(path), FLOWER, FLOWER)
    assert (ground.remove(check_mode=True), path.exists()) == ([f"{path} removed"], True)
    assert (ground.remove(), ground.remove(), path.exists()) == ([f"{path} removed"], [], False)
    assert (root / "etc/systemd/system").is_dir()


@pytest.mark.parametrize("name", list(ATTACKS))
def test_what_is_not_on_the_list_is_not_removed(root: Path, name: str) -> None:
    path = ATTACKS[name](root)
    before = everything(root)
    try:
        gone = Ground(str(path), FLOWER, FLOWER).remove()
    except StorageError:
        gone = []
    assert (gone, everything(root)) == ([], before)
