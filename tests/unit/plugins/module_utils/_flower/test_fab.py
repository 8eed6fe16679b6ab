# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a FAB: the same that Flower installs, and whole."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import fab as _fab
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import About, FabError, Installation, contents

APP = Path(__file__).parents[5] / "files" / "fab"


@pytest.fixture(scope="module")
def fab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FAB of the collection's own app."""
    folder = tmp_path_factory.mktemp("fab")
    flwr = Path(sys.executable).parent / "flwr"
    environment = {**os.environ, "FLWR_HOME": str(folder / "home"), "FLWR_TELEMETRY_ENABLED": "0"}
    subprocess.run([flwr, "build", "--app", APP], cwd=folder, env=environment, check=True, capture_output=True)
    (built,) = folder.glob("*.fab")
    return built


@pytest.fixture
def installation(fab: Path, tmp_path: Path) -> Installation:
    content = fab.read_bytes()
    about = About(*fab.name.split(".")[:2], fab.name.split(".")[2].replace("-", "."))
    (tmp_path / "home").mkdir()
    return Installation(str(tmp_path / "home"), about.folder(hashlib.sha256(content).hexdigest()), content)


def tree(path: str | Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in Path(path).rglob("*") if file.is_file()}


def test_it_is_what_flower_installs_and_flower_takes_it_for_installed(
    installation: Installation, fab: Path, tmp_path: Path
) -> None:
    install = pytest.importorskip("flwr.cli.install")
    theirs = install.install_from_fab(fab.read_bytes(), tmp_path / "theirs", skip_prompt=True)
    installation.make()
    assert os.path.basename(installation.path) == theirs.name
    assert tree(installation.path) == tree(theirs)
    before = os.stat(installation.path).st_ino
    ours = install.install_from_fab(fab.read_bytes(), tmp_path / "home", skip_prompt=True)
    assert (str(ours), os.stat(ours).st_ino) == (installation.path, before)


def test_an_app_that_flower_was_killed_over_is_not_whole(installation: Installation) -> None:
    assert not installation.is_whole()
    installation.make()
    assert installation.is_whole()
    Path(installation.path, "fedops_app", "run.py").write_text("")
    assert not installation.is_whole()
    shutil.rmtree(Path(installation.path, "fedops_app"))
    assert not installation.is_whole()
    installation.make()
    assert installation.is_whole()
    assert os.listdir(installation.parent) == [os.path.basename(installation.path)]


@pytest.mark.parametrize(
    "plant",
    [
        lambda app: (app / "fedops_app/__pycache__").mkdir() or (app / "fedops_app/__pycache__/a.pyc").write_bytes(b""),
        lambda app: (app / "numpy.py").write_text("evil"),
        lambda app: os.mkfifo(app / "pipe"),
        lambda app: (app / "fedops_app/run.py").chmod(0o777),
        lambda app: (app / "fedops_app").chmod(0o777),
        lambda app: (app / "link").symlink_to("/etc/passwd"),
    ],
)
def test_what_was_planted_is_told_and_goes(installation: Installation, plant: object) -> None:
    installation.make()
    plant(Path(installation.path))
    assert not installation.is_whole()
    installation.make()
    assert installation.is_whole()


def test_everybody_can_read_it_and_nobody_else_can_write_it(installation: Installation) -> None:
    installation.make()
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o777 for path in Path(installation.path).rglob("*")}
    assert modes == {0o755, 0o644}


def test_an_interruption_leaves_nothing_where_flower_looks(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: str, files: dict) -> None:
        os.mkdir(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(_fab, "write_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        installation.make()
    assert os.listdir(installation.parent) == []


def packed(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def lying(size: int) -> bytes:
    """A member that says that it has another size."""
    fab = bytearray(packed(("a.py", b"x" * 1000)))
    for at in (fab.find(b"PK\x03\x04") + 22, fab.find(b"PK\x01\x02") + 24):
        fab[at : at + 4] = size.to_bytes(4, "little")
    return bytes(fab)


def encrypted() -> bytes:
    fab = bytearray(packed(("a.py", b"x" * 1000)))
    for at in (fab.find(b"PK\x03\x04") + 6, fab.find(b"PK\x01\x02") + 8):
        fab[at] |= 1
    return bytes(fab)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("fab", "reason"),
    [
        (packed(("../evil.py", b"")), "no plain file inside"),
        (packed(("/etc/evil.py", b"")), "no plain file inside"),
        (packed(("a/../../evil.py", b"")), "no plain file inside"),
        (packed(("a\\b.py", b"")), "no plain file inside"),
        (packed(("a\nb.py", b"")), "no plain file inside"),
        (packed((with_mode("link", 0o120777), b"/etc/passwd")), "no plain file inside"),
        (packed((with_mode("pipe", 0o010666), b"")), "no plain file inside"),
        (packed((with_mode("null", 0o020666), b"")), "no plain file inside"),
        (packed(("a.py", b""), ("a.py", b"x")), "twice"),
        (packed(("a", b""), ("a/b.py", b"")), "a file and a folder"),
        (packed(("bomb.json", b"0" * ((64 << 20) + 1))), "unpacks to 1 files with 67108865 bytes"),
        (packed(*((f"{number}.py", b"") for number in range(5001))), "unpacks to 5001 files"),
        (lying(10), "Bad CRC-32"),
        (lying(2000), "has another size than it says"),
        (encrypted(), "encrypted"),
        (b"", "cannot be read"),
        (b"PK\x03\x04", "cannot be read"),
    ],
)
def test_a_fab_that_could_do_harm_is_refused(fab: bytes, reason: str) -> None:
    with pytest.raises(FabError, match=reason):
        contents(fab)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"publisher": "../x", "name": "a", "version": "1"},
        {"publisher": "x", "name": "a/b", "version": "1"},
        {"publisher": "x", "name": "a", "version": "../1"},
        {"publisher": "x", "name": "a", "version": "1/../../.."},
        {"publisher": "x.y", "name": "a", "version": "1"},
        {"publisher": "x", "name": "a", "version": 1},
        {"publisher": "x\n", "name": "a", "version": "1"},
    ],
)
def test_what_would_be_a_path_is_no_name(found: object) -> None:
    with pytest.raises(FabError, match="must match"):
        About.of(found)
