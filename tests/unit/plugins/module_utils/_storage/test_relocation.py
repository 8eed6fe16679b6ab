# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are brought whole or not at all, and nothing is removed that was not brought."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage import relocation
from ansible_collections.fedops.flower.plugins.module_utils._storage.probe import StepError


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, source / "previous/old", target):
        folder.mkdir(parents=True)
    (source / "checkpoint_round_1.npz").write_bytes(b"one")
    (source / "checkpoint_latest.npz").symlink_to("checkpoint_round_1.npz")
    (source / "previous/old/checkpoint_round_9.npz").write_bytes(b"nine")
    (source / ".lock").touch()
    (source / "checkpoint_round_2.npz.partial").touch()
    return source, target


def tree(path: Path) -> dict[str, bytes | str]:
    return {
        str(file.relative_to(path)): os.readlink(file) if file.is_symlink() else file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_symlink() or file.is_file()
    }


def both(source: Path, target: Path) -> tuple[relocation.Source, relocation.Target]:
    return relocation.Source(str(source)), relocation.Target(str(target), os.getuid(), os.getgid())


def conflicts(source: Path, target: Path) -> list[str]:
    return relocation.conflicts(*both(source, target))


def bring(source: Path, target: Path) -> list[str]:
    return relocation.bring(*both(source, target))


WHOLE = {
    "checkpoint_latest.npz": "checkpoint_round_1.npz",
    "checkpoint_round_1.npz": b"one",
    "previous/old/checkpoint_round_9.npz": b"nine",
}


def test_files_and_links_are_brought_and_a_second_time_none(trees: tuple[Path, Path]) -> None:
    source, target = trees
    assert conflicts(source, target) == []
    assert bring(source, target) == sorted(WHOLE)
    assert tree(target) == WHOLE
    assert conflicts(source, target) == []
    assert bring(source, target) == []


def test_what_an_interruption_left_is_brought_anew(trees: tuple[Path, Path]) -> None:
    source, target = trees
    (target / "checkpoint_round_1.npz.partial").write_bytes(b"o")
    bring(source, target)
    assert tree(target) == WHOLE


def test_other_files_of_the_same_name_are_a_conflict(trees: tuple[Path, Path]) -> None:
    source, target = trees
    (target / "checkpoint_round_1.npz").write_bytes(b"two")
    (target / "checkpoint_latest.npz").write_bytes(b"no link")
    assert conflicts(source, target) == ["checkpoint_latest.npz", "checkpoint_round_1.npz"]


def test_a_link_to_a_directory_is_brought_as_a_link(trees: tuple[Path, Path]) -> None:
    source, target = trees
    (source / "best").symlink_to("previous/old")
    assert "best" in bring(source, target)
    assert os.readlink(target / "best") == "previous/old"


def test_what_is_no_file_is_named_and_not_waited_for(trees: tuple[Path, Path]) -> None:
    source, target = trees
    os.mkfifo(source / "pipe")
    with pytest.raises(StepError) as error:
        bring(source, target)
    assert (error.value.step, error.value.number) == (f"{source}/pipe", errno.EOPNOTSUPP)


def test_a_link_in_the_place_of_a_folder_is_not_followed(trees: tuple[Path, Path], tmp_path: Path) -> None:
    source, dummy = trees
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_bytes(b"key")
    (source / "previous/elsewhere").symlink_to(tmp_path / "secret")
    with pytest.raises(StepError), relocation.Source(str(source)).opened("previous/elsewhere/key"):
        pass


def test_what_came_too_late_to_be_brought_is_not_removed(trees: tuple[Path, Path]) -> None:
    source, target = trees
    bring(source, target)
    (source / "previous/old/checkpoint_round_8.npz").write_bytes(b"eight")
    with pytest.raises(StepError) as error:
        relocation.remove(*both(source, target))
    assert error.value.step == f"{source}/previous/old/checkpoint_round_8.npz"
    assert set(tree(source)) > set(WHOLE)
    bring(source, target)
    relocation.remove(*both(source, target))
    assert not source.exists()


def test_a_directory_that_cannot_be_listed_never_looks_empty(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = trees
    scan = os.scandir

    def failing(path: int | str) -> object:
        if isinstance(path, int) and os.readlink(f"/proc/self/fd/{path}") == str(source / "previous/old"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", failing)
    for work in (bring, conflicts, lambda *trees: relocation.remove(*both(*trees))):
        with pytest.raises(StepError) as error:
            work(source, target)
        assert error.value.number == errno.EACCES
    monkeypatch.undo()
    assert set(tree(source)) > set(WHOLE)


def test_a_file_that_has_another_name_somewhere_is_not_read_for_the_account(tmp_path: Path) -> None:
    """As root reads: the account could have linked a file of root's into its directory."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (tmp_path / "shadow").write_text("secret")
    os.link(tmp_path / "shadow", source / "checkpoint_round_1.npz")
    os.chown(source, 49999, 49999)
    with pytest.raises(StepError) as caught:
        relocation.bring(relocation.Source(str(source)), relocation.Target(str(target), 0, 0))
    assert (caught.value.step, caught.value.number) == (str(source / "checkpoint_round_1.npz"), errno.EMLINK)
    assert list(target.iterdir()) == []
