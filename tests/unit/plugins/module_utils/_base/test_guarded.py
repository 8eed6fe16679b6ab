# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root does below directories that other accounts can write: nothing that anybody leads it to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import guarded
from ansible_collections.fedops.flower.plugins.module_utils._base.guarded import UnsafeFileError
from ansible_collections.fedops.flower.plugins.module_utils._base.ownership import hand_over

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root is worth leading anywhere")
ACCOUNT = 49999
SECONDS = 1.0  # of a race


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of an account, in a home of root."""
    path = tmp_path / "home" / "place"
    path.mkdir(parents=True)
    own(path)
    return path


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory of root, with a file that nobody is to read or change."""
    path = tmp_path / "victim"
    path.mkdir(0o700)
    (path / "file").write_text("precious")
    return path


def own(path: Path) -> None:
    os.chown(path, ACCOUNT, ACCOUNT, follow_symlinks=False)


def lead(path: Path, target: Path | str) -> None:
    """Put a link there, as the account would."""
    path.symlink_to(target)
    own(path)


def seen(path: Path) -> list[tuple[str, int, int, str | None]]:
    """Return all that there is to know of a directory."""
    found = []
    for item in [path, *sorted(path.rglob("*"))]:
        status = item.lstat()
        text = item.read_text() if stat.S_ISREG(status.st_mode) else None
        found.append((str(item), status.st_mode, status.st_uid, text))
    return found


DEEDS: dict[str, Callable[[str], Any]] = {
    "read_bytes": lambda path: guarded.read_bytes(f"{path}/file"),
    "names": guarded.names,
    "status": lambda path: guarded.status(f"{path}/file"),
    "write_bytes": lambda path: guarded.write_bytes(f"{path}/file", b"evil", 0o666),
    "make_directory": lambda path: guarded.make_directory(f"{path}/new", 0o777, (ACCOUNT, ACCOUNT)),
    "temporary_directory": lambda path: guarded.temporary_directory(path, "x", 0o777),
    "rename from": lambda path: guarded.rename(f"{path}/file", f"{path}/../gone"),
    "rename to": lambda path: guarded.rename(__file__, f"{path}/file"),
    "remove": lambda path: guarded.remove(f"{path}/file"),
    "remove_tree": lambda path: guarded.remove_tree(f"{path}/file"),
    "hand_over": lambda path: hand_over(path, [0], (ACCOUNT, ACCOUNT)),
}
deeds = pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)


@deeds
@pytest.mark.parametrize("depth", range(3))
@pytest.mark.parametrize("relative", [False, True])
def test_no_link_of_an_account_is_followed(
    place: Path, victim: Path, deed: Callable[[str], Any], depth: int, relative: bool
) -> None:
    """At any position on the way."""
    (victim / "a" / "b").mkdir(parents=True)
    for folder in (victim, victim / "a", victim / "a" / "b"):
        (folder / "file").write_text("precious")
    parts = ["link", "a", "b"]
    lead(place / "link", os.path.relpath(victim, place) if relative else victim)
    before = seen(victim)
    with pytest.raises(
        UnsafeFileError, match=r"has a link on its way, link, that somebody else than root could have made"
    ):
        deed(str(place.joinpath(*parts[: depth + 1])))
    assert seen(victim) == before


@deeds
def test_a_link_of_root_in_a_directory_of_an_account_is_not_followed(
    place: Path, victim: Path, deed: Callable[[str], Any]
) -> None:
    """An account can move a link that root has made, or put it in another place."""
    (place / "link").symlink_to(victim)
    before = seen(victim)
    with pytest.raises(UnsafeFileError):
        deed(str(place / "link"))
    assert seen(victim) == before


@pytest.mark.parametrize(("mode", "followed"), [(0o755, True), (0o775, False), (0o777, False), (0o1777, True)])
def test_a_link_of_root_is_followed_where_root_alone_could_have_made_it(
    tmp_path: Path, victim: Path, mode: int, followed: bool
) -> None:
    (tmp_path / "link").symlink_to("victim")
    tmp_path.chmod(mode)
    if followed:
        assert guarded.read_bytes(str(tmp_path / "link" / "file")) == b"precious"
    else:
        with pytest.raises(UnsafeFileError):
            guarded.read_bytes(str(tmp_path / "link" / "file"))


def test_a_link_of_an_account_in_a_sticky_directory_is_not_followed(tmp_path: Path, victim: Path) -> None:
    tmp_path.chmod(0o1777)
    lead(tmp_path / "link", victim)
    with pytest.raises(UnsafeFileError):
        guarded.read_bytes(str(tmp_path / "link" / "file"))


@pytest.mark.parametrize("target", ["victim", "./victim", "../{name}/victim", "{path}/victim", "//{path}//victim/."])
def test_trusted_links_lead_where_they_do(tmp_path: Path, victim: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target.format(name=tmp_path.name, path=tmp_path))
    (tmp_path / "chain").symlink_to("link")
    assert guarded.read_bytes(str(tmp_path / "chain" / "file")) == b"precious"
    assert guarded.names(str(tmp_path / "chain")) == ["file"]


def test_links_without_an_end_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UnsafeFileError, match="too many links"):
        guarded.read_bytes(str(tmp_path / "a" / "file"))


def test_dots_of_a_path_are_resolved_before_anything_is_opened(place: Path, victim: Path) -> None:
    lead(place / "link", victim)
    (place / "file").write_text("mine")
    assert guarded.read_bytes(f"{place}/link/../file") == b"mine"


PLANTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "link": (lambda path: lead(path, "/etc/passwd"), "is a link, and is not followed"),
    "dangling link": (lambda path: lead(path, "nowhere"), "is a link, and is not followed"),
    "pipe": (os.mkfifo, "is no regular file"),
    "device": (lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)), "is no regular file"),
    "socket": (lambda path: os.mknod(path, stat.S_IFSOCK | 0o666), "is no regular file"),
    "directory": (os.mkdir, "is no regular file"),
    "foreign": (lambda path: path.write_text("x") and own(path), "belongs to the user 49999, which must not write it"),
    "sparse": (lambda path: path.touch() or os.truncate(path, 1 << 40), "has 1099511627776 bytes, but at most 100 are"),
}


@pytest.mark.parametrize(("plant", "reason"), PLANTS.values(), ids=PLANTS)
def test_only_a_regular_file_of_an_expected_owner_and_size_is_read(
    place: Path, plant: Callable[[Path], Any], reason: str
) -> None:
    """At once: a pipe must not block, whether somebody writes to it or not."""
    with suppress(PermissionError):
        plant(place / "record")
        with pytest.raises(UnsafeFileError, match=reason):
            guarded.read_bytes(str(place / "record"), 100, [0])


def test_a_file_that_is_not_there_is_just_that(place: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        guarded.read_bytes(str(place / "record"))
    assert missing.value.filename == str(place / "record")
    assert (guarded.status(str(place / "record")), guarded.remove(str(place / "record"))) == (None, False)
    guarded.remove_tree(str(place / "record"))


def test_a_file_that_grows_while_it_is_read_gives_no_more_than_allowed(place: Path) -> None:
    (place / "record").write_bytes(b"x" * 50)
    with guarded.regular_file(str(place / "record"), 100) as stream:
        with open(place / "record", "ab") as more:
            more.write(b"y" * 1000)
        assert len(stream.read(100)) == 100
    with pytest.raises(UnsafeFileError, match="has 1050 bytes"):
        guarded.read_bytes(str(place / "record"), 100)


@pytest.mark.parametrize("plant", [plant for plant, _reason in PLANTS.values()], ids=PLANTS)
def test_what_is_written_takes_the_place_of_whatever_is_there(
    place: Path, victim: Path, plant: Callable[[Path], Any]
) -> None:
    with suppress(PermissionError):
        plant(place / "record")
    before = Path("/etc/passwd").read_bytes()
    if (place / "record").is_dir():
        with pytest.raises(IsADirectoryError):
            guarded.write_bytes(str(place / "record"), b"new", 0o640, (0, ACCOUNT))
        assert os.listdir(place) == ["record"]
        return
    guarded.write_bytes(str(place / "record"), b"new", 0o640, (0, ACCOUNT))
    found = (place / "record").lstat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (stat.S_IFREG | 0o640, 0, ACCOUNT)
    assert ((place / "record").read_bytes(), os.listdir(place)) == (b"new", ["record"])
    assert Path("/etc/passwd").read_bytes() == before


def test_a_hard_link_to_a_foreign_file_is_replaced_and_not_written_to(place: Path, victim: Path) -> None:
    os.link(victim / "file", place / "record")
    guarded.write_bytes(str(place / "record"), b"new", 0o666, (ACCOUNT, ACCOUNT))
    assert ((victim / "file").read_text(), (victim / "file").stat().st_uid) == ("precious", 0)


def test_what_goes_wrong_leaves_the_old_file_and_nothing_else(place: Path) -> None:
    (place / "record").write_text("old")
    with suppress(KeyboardInterrupt), guarded.replacing(str(place / "record"), 0o600) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert {path.name: path.read_text() for path in place.iterdir()} == {"record": "old"}


@pytest.mark.parametrize(
    ("plant", "error"),
    [
        (lead, UnsafeFileError),
        (lambda path, victim: path.symlink_to(victim), UnsafeFileError),
        (lambda path, _victim: path.write_text(""), UnsafeFileError),
        (lambda path, _victim: os.mkfifo(path), UnsafeFileError),
        (lambda path, _victim: path.mkdir() or os.chown(path, 4444, 4444), UnsafeFileError),
    ],
)
def test_a_directory_is_only_taken_from_those_who_may_lose_it(
    place: Path, victim: Path, plant: Callable[[Path, Path], Any], error: type[Exception]
) -> None:
    plant(place / "new", victim)
    before = seen(victim), (place / "new").lstat()[:6]
    with pytest.raises(error):
        guarded.make_directory(str(place / "new"), 0o777, (ACCOUNT, ACCOUNT))
    assert (seen(victim), (place / "new").lstat()[:6]) == before


def test_a_directory_is_made_once(place: Path) -> None:
    arguments = (str(place / "new"), 0o2750, (ACCOUNT, 7))
    assert [guarded.make_directory(*arguments) for _attempt in range(2)] == [True, False]
    found = (place / "new").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o2750, ACCOUNT, 7)


def test_a_tree_is_removed_without_what_its_links_point_to(place: Path, victim: Path) -> None:
    (place / "tree" / "deep").mkdir(parents=True)
    lead(place / "tree" / "link", victim)
    lead(place / "tree" / "deep" / "file", victim / "file")
    os.mkfifo(place / "tree" / "pipe")
    before = seen(victim)
    guarded.remove_tree(str(place / "tree"))
    assert (seen(victim), os.listdir(place)) == (before, [])


def test_only_what_belongs_to_the_account_is_handed_over(place: Path, victim: Path) -> None:
    (place / "deep").mkdir()
    for path in (place / "deep", place / "mine", place / "deep" / "mine"):
        path.is_dir() or path.write_text("")
        own(path)
    (place / "mine").chmod(0o6777)
    (place / "of-root").write_text("")
    lead(place / "link", victim / "file")
    lead(place / "folder", victim)
    os.link(victim / "file", place / "hard")
    (victim / "of-the-account").write_text("")
    own(victim / "of-the-account")
    os.link(victim / "of-the-account", place / "hard-of-the-account")
    os.mkfifo(place / "pipe")
    own(place / "pipe")
    before = seen(victim)
    assert hand_over(str(place), [ACCOUNT], (7, 8)) == 4
    assert seen(victim) == before
    owners = {path.name: path.lstat().st_uid for path in [place, *place.rglob("*")]}
    assert owners == {
        "place": 7, "deep": 7, "mine": 7, "of-root": 0, "link": ACCOUNT, "folder": ACCOUNT, "hard": 0,
        "hard-of-the-account": ACCOUNT, "pipe": ACCOUNT,
    }  # fmt: skip
    assert stat.S_IMODE((place / "mine").stat().st_mode) == 0o755


@contextmanager
def swapping(path: Path, spare: Path) -> Iterator[threading.Event]:
    """Exchange what is at a path for a link to somewhere else and back, as fast as that goes."""
    end = threading.Event()

    def swap() -> None:
        aside = path.with_name("aside")
        while not end.is_set():
            with suppress(OSError):
                os.rename(path, aside)
                os.symlink(spare, path)
                os.lchown(path, ACCOUNT, ACCOUNT)
                os.unlink(path)
                os.rename(aside, path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield end
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("name", [name for name in DEEDS if name not in ("rename to", "hand_over")])
def test_who_swaps_a_directory_for_a_link_meanwhile_gets_nothing(place: Path, victim: Path, name: str) -> None:
    before = seen(victim)
    (place / "inner").mkdir()
    (place / "inner" / "file").write_text("mine")
    tried = 0
    timer = threading.Event()
    threading.Timer(SECONDS, timer.set).start()
    with swapping(place / "inner", victim):
        while not timer.is_set():
            tried += 1
            # It is away for a moment, or leads elsewhere, or what was there is gone.
            with suppress(FileNotFoundError, FileExistsError, NotADirectoryError, UnsafeFileError):
                assert DEEDS[name](str(place / "inner")) != b"precious"
    assert tried > 0
    assert seen(victim) == before


def test_who_swaps_a_file_for_a_link_meanwhile_gets_nothing(place: Path, victim: Path) -> None:
    (place / "file").write_text("mine")
    timer = threading.Event()
    threading.Timer(SECONDS, timer.set).start()
    read = set()
    with swapping(place / "file", victim / "file"):
        while not timer.is_set():
            with suppress(UnsafeFileError, FileNotFoundError):
                read.add(guarded.read_bytes(str(place / "file")))
    assert read <= {b"mine"}


@pytest.mark.parametrize(
    "deed", [lambda path: hand_over(path, [os.getuid()], (os.getuid(), os.getgid())), guarded.remove_tree]
)
def test_a_tree_that_is_too_deep_is_told_as_that(tmp_path, deed) -> None:
    place = tmp_path / "deep"
    place.mkdir()
    here = os.open(place, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("x", dir_fd=here)
        below = os.open("x", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        if deed is guarded.remove_tree and sys.version_info >= (3, 13):  # which goes down without an end
            deed(str(place))
            assert not place.exists()
        else:
            with pytest.raises(UnsafeFileError, match="has directories deeper than any of ours"):
                deed(str(place))
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)
