# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the collection importable from the checkout, wherever it lies, and hold tests to their own directories."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig
from hypothesis import HealthCheck, settings

# Tests are never timed: a busy machine is no fault of theirs.
settings.register_profile("fedops", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("fedops")

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".ansible" / "collections"


def _link_checkout() -> None:
    link = COLLECTIONS / "ansible_collections" / "fedops" / "flower"
    if link.is_symlink() and link.resolve() == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(Path("../../../.."), target_is_directory=True)


if AnsibleCollectionConfig.collection_finder is None:
    _link_checkout()
    init_plugin_loader([str(COLLECTIONS)])


def _modes(places: Sequence[Path]) -> dict[str, tuple[str, int, int]]:
    found = {}
    for place in places:
        try:
            status = place.lstat()
        except OSError:
            continue
        found[str(place)] = oct(status.st_mode), status.st_uid, status.st_gid
    return found


@contextmanager
def _unchanged(places: Sequence[Path]) -> Iterator[None]:
    before = _modes(places)
    yield
    assert _modes(places) == before


TEMPORARY = Path(tempfile.gettempdir()).resolve()
SHARED = [TEMPORARY, *TEMPORARY.parents, ROOT, *ROOT.parents, Path.home()]


@pytest.fixture(autouse=True)
def _modes_of_shared_directories() -> Iterator[None]:
    """No test changes whose the directories are that it shares with others, nor who may use them."""
    with _unchanged(SHARED):
        yield


@contextmanager
def _telling() -> Iterator[None]:
    yield
    logger = logging.getLogger("flwr")
    found = logger.level, logger.propagate, logger.disabled
    logger.setLevel(min(logger.level, logging.DEBUG))  # the next test does not suffer from it
    logger.propagate, logger.disabled = True, False
    assert found in [(logging.NOTSET, True, False), (logging.DEBUG, True, False)]  # before and after it is imported


@pytest.fixture(autouse=True)
def _log_of_flower() -> Iterator[None]:
    """No test leaves Flower quieter or louder than it was: others read what is logged."""
    with _telling():
        yield


@pytest.fixture
def telling() -> Callable[[], AbstractContextManager[None]]:
    """What holds the tests to leave Flower's log alone, to be tested itself."""
    return _telling


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """No test leaves a process whose next files are closed to accounts that later tests take."""
    before = os.umask(0)
    os.umask(before)
    yield
    assert os.umask(before) == before


@pytest.fixture(scope="session", autouse=True)
def _modes_of_the_checkout() -> Iterator[None]:
    """No test changes whose the files of the checkout are, nor who may use them."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False).stdout
    files = [ROOT / os.fsdecode(name) for name in listed.split(b"\0") if name]
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(ROOT)}
    with _unchanged([*files, *folders]):
        yield


@pytest.fixture
def unchanged() -> Callable[[Sequence[Path]], AbstractContextManager[None]]:
    """What holds the tests to their own directories, to be tested itself."""
    return _unchanged


@pytest.fixture
def in_groups() -> Iterator[tuple[int, ...]]:
    """Root in two more groups: one that is in none has nothing to give up."""
    before, groups = os.getgroups(), (54001, 54002)
    os.setgroups(groups)
    yield groups
    os.setgroups(before)


@contextmanager
def _cleared(place: Path) -> Iterator[None]:
    yield
    # What libraries leave, which is theirs to remove when their process ends, goes with the directory.
    assert [name for name in os.listdir(place) if name.startswith(("fedops-", "flower-"))] == []


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test leaves anything where temporary files go, which is a directory of its own for each session."""
    tmp_path_factory.getbasetemp()  # pytest's own stays where it is
    with tempfile.TemporaryDirectory(prefix="fedops-tests-") as name, pytest.MonkeyPatch.context() as patch:
        os.chmod(name, 0o1777)
        patch.setattr(tempfile, "tempdir", name)
        patch.setenv("TMPDIR", name)
        with _cleared(Path(name)):
            yield
    atexit.unregister(shutil.rmtree)  # by which modules of Ansible would do so


@pytest.fixture
def cleared() -> Callable[[Path], AbstractContextManager[None]]:
    """What holds the tests to tidy up, to be tested itself."""
    return _cleared


@pytest.fixture(scope="session")
def _open_places(_temporary_files: None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fedops-") as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path


@pytest.fixture
def open_path(_open_places: Path) -> Path:
    """A temporary directory to which other users have a way, which they have not to pytest's."""
    path = Path(tempfile.mkdtemp(dir=_open_places))
    path.chmod(0o755)
    return path
