# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting an app in place, with Flower's real ``flwr build``."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import digest, source_files
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_record import deployed_fab_hash, read_record
from ansible_collections.fedops.flower.plugins.module_utils._flower.building import build
from ansible_collections.fedops.flower.plugins.module_utils._flower.deployment import AppDeployment, DeploymentError
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import About

from ....apps import WHOLE

LAUNCHER = Path(__file__).resolve().parents[5] / "roles" / "superlink" / "files" / "flwr.py"

PYPROJECT = f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
{WHOLE}"""


class Source:
    """An app's folder on the controller, packed as the action plugin packs it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "source"
        (self.folder / "an_app").mkdir(parents=True)
        self.write("pyproject.toml", PYPROJECT)
        self.write("LICENSE", "Apache-2.0")
        self.write("README.md", "# An app")
        self.write("an_app/__init__.py", "")
        self.write("an_app/server.py", "app = 1\n")
        self.write("an_app/client.py", "app = 1\n")
        self.write("an_app/task.py", "model = 1\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def checksum(self) -> str:
        return digest(source_files(str(self.folder)))

    def pack(self) -> str:
        path = self.folder.parent / "app.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, full in source_files(str(self.folder)).items():
                archive.add(full, arcname=name)
        return str(path)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def make_home(home: Path) -> Path:
    for name in ("app", "records/apps"):
        (home / name).mkdir(parents=True)
        (home / name).chmod(0o755)
    return home


def pack(source: str) -> tuple[About, bytes]:
    """Make a FAB as Flower does, in no time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(Path(source).rglob("*.*")):
            if path.is_file():
                archive.writestr(zipfile.ZipInfo(path.relative_to(source).as_posix()), path.read_bytes())
    return About("somebody", "an-app", "1.2.3"), stream.getvalue()


@pytest.fixture
def quick(tmp_path: Path) -> AppDeployment:
    """Deploys without Flower."""
    return AppDeployment(str(make_home(tmp_path / "home")), "an-app", pack)


@pytest.fixture
def deployment(tmp_path: Path) -> AppDeployment:
    """Builds as on a host, but for the bounds of systemd."""
    home = make_home(tmp_path / "home")
    return AppDeployment(
        str(home), "an-app", lambda source: build([sys.executable, "-I", str(LAUNCHER), "fab", source])
    )


def deploy(deployment: AppDeployment, source: Source) -> dict:
    return deployment.ensure(source.checksum, source.pack())


def test_an_app_is_built_and_a_second_time_nothing_changes(deployment: AppDeployment, source: Source) -> None:
    assert deployment.ensure(source.checksum, None) == {
        "changed": False,
        "path": deployment.path,
        "needs_archive": True,
    }
    first = deploy(deployment, source)
    assert first["changed"]
    assert hashlib.sha256(Path(first["fab_file"]).read_bytes()).hexdigest() == first["fab_hash"]
    assert Path(first["fab_file"]).name == f"somebody.an-app.1-2-3.{first['fab_hash'][:8]}.fab"
    assert deployment.ensure(source.checksum, None) == {
        "changed": False,
        "path": deployment.path,
        "fab_file": first["fab_file"],
        "fab_hash": first["fab_hash"],
    }


def test_a_new_source_replaces_the_old_one_as_a_whole(deployment: AppDeployment, source: Source) -> None:
    first = deploy(deployment, source)
    (source.folder / "an_app" / "task.py").rename(source.folder / "an_app" / "model.py")
    second = deploy(deployment, source)
    assert second["fab_hash"] != first["fab_hash"]
    assert "an_app/task.py" in second["diff"]["before"]
    assert "an_app/task.py" not in second["diff"]["after"]
    assert sorted(os.listdir(deployment.root)) == sorted([".flwr", "an-app", os.path.basename(second["fab_file"])])


def test_an_app_changed_by_hand_on_the_host_is_put_right(quick: AppDeployment, source: Source) -> None:
    deploy(quick, source)
    Path(quick.path, "an_app", "server.py").write_text("app = 'tampered'\n")
    assert quick.ensure(source.checksum, None)["needs_archive"]


def test_a_deployed_app_is_installed_where_its_runs_look_for_it(quick: AppDeployment, source: Source) -> None:
    fab_hash = deploy(quick, source)["fab_hash"]
    installed = Path(quick.root, ".flwr", "apps", f"somebody.an-app.1.2.3.{fab_hash[:8]}")
    assert os.listdir(installed.parent) == [installed.name]
    (installed / "an_app" / "server.py").unlink()
    assert quick.ensure(source.checksum, None, check_mode=True)["changed"]
    assert not (installed / "an_app" / "server.py").exists()
    assert quick.ensure(source.checksum, None)["changed"]
    assert (installed / "an_app" / "server.py").read_text() == "app = 1\n"
    assert not quick.ensure(source.checksum, None)["changed"]


def test_only_installations_of_deployed_apps_and_the_one_before_stay(quick: AppDeployment, source: Source) -> None:
    installed = Path(quick.root, ".flwr", "apps")
    other = AppDeployment(quick.home, "other", lambda folder: (About("somebody", "other", "1.0.0"), pack(folder)[1]))
    deploy(other, source)
    (installed / "somebody.else.1.0.0.01234567" / "package").mkdir(parents=True)
    (installed / "link").symlink_to(source.folder)
    folders = []
    for number in range(3):
        source.write("an_app/task.py", f"model = {number}\n")
        deploy(quick, source)
        folders.append(read_record(quick.home, "an-app")["folder"])
    expected = [*folders[1:], read_record(quick.home, "other")["folder"], "link"]
    assert sorted(os.listdir(installed)) == sorted(expected)
    assert source.folder.exists()


def test_check_mode_tells_and_changes_nothing(quick: AppDeployment, source: Source) -> None:
    assert quick.ensure(source.checksum, None, check_mode=True)["changed"]
    assert os.listdir(quick.root) == []


def test_an_app_that_flower_refuses_leaves_the_old_one_in_place(deployment: AppDeployment, source: Source) -> None:
    first = deploy(deployment, source)
    old = source.checksum
    source.write("pyproject.toml", PYPROJECT.replace("license =", "licence ="))
    with pytest.raises(DeploymentError, match="what was deployed before still stands"):
        deploy(deployment, source)
    assert deployment.ensure(old, None)["fab_hash"] == first["fab_hash"]


def test_a_host_without_flower_is_told_what_to_do(tmp_path: Path, source: Source) -> None:
    with pytest.raises(DeploymentError, match="/app does not exist: run the playbook fedops.flower.site first"):
        deploy(AppDeployment(str(tmp_path), "an-app"), source)
    home = make_home(tmp_path / "home")
    with pytest.raises(DeploymentError, match="/bin/flwr does not exist: run the playbook fedops.flower.site first"):
        deploy(AppDeployment(str(home), "an-app"), source)
    assert os.listdir(home / "app") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give directories away")
@pytest.mark.parametrize("name", ["app", "records/apps"])
@pytest.mark.parametrize(("owner", "mode"), [(49999, 0o755), (0, 0o775), (0, 0o777)])
def test_a_place_that_an_account_can_write_is_refused(
    quick: AppDeployment, source: Source, name: str, owner: int, mode: int
) -> None:
    place = Path(quick.root).parent / name
    os.chown(place, owner, 0)
    place.chmod(mode)
    with pytest.raises(DeploymentError, match="root alone must be able to write it"):
        deploy(quick, source)
    assert os.listdir(place) == []


def member(name: str, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    "evil",
    [
        member("../evil.py"),
        member("/etc/evil.py"),
        member("an_app/../../evil.py"),
        member("an_app//evil.py"),
        member("./evil.py"),
        member("a\nb.py"),
        member("a\x1b[2Jb.py"),
        member("a\\b.py"),
        member("x" * 300 + ".py"),
        member("link.py", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard.py", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("pipe.py", type=tarfile.FIFOTYPE),
        member("null.py", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("folder.py", type=tarfile.DIRTYPE),
    ],
    ids=lambda info: info.name[:20],
)
def test_an_archive_that_holds_more_than_plain_files_is_refused(
    quick: AppDeployment, tmp_path: Path, evil: tarfile.TarInfo
) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(evil)
    with pytest.raises(DeploymentError, match="which is not a plain file inside the app"):
        quick.ensure("0" * 64, str(path))
    assert os.listdir(quick.root) == []


@pytest.mark.parametrize(
    ("names", "size", "reason"),
    [
        (["a.py", "a.py"], 1, "not a plain file inside"),
        (["a/b.py", "a"], 1, "a file and a folder"),
        ([f"{number}.py" for number in range(5001)], 0, "more than 5000 files"),
        (["big.json"], (64 << 20) + 1, "67108864 bytes"),
    ],
)
def test_an_archive_that_is_too_much_is_refused(
    quick: AppDeployment, tmp_path: Path, names: list[str], size: int, reason: str
) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.addfile(member(name, size=size), io.BytesIO(b"x" * size))
    with pytest.raises(DeploymentError, match=reason):
        quick.ensure("0" * 64, str(path))
    assert os.listdir(quick.root) == []


def test_an_archive_with_other_files_than_announced_is_refused(quick: AppDeployment, source: Source) -> None:
    with pytest.raises(DeploymentError, match="other files than were announced"):
        quick.ensure("0" * 64, source.pack())
    assert os.listdir(quick.root) == []


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "", ".", "..", "a.b", "a/b", "a\nb", "-a", "x" * 33])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeploymentError, match="but its name must match"):
        AppDeployment(str(tmp_path), name)


IMPORTED = """
import os, pathlib
pathlib.Path({told!r}).write_text("imported as " + str(os.getuid()))
"""


def test_no_file_of_an_app_is_imported_or_executed(deployment: AppDeployment, source: Source, tmp_path: Path) -> None:
    for name in ("an_app/__init__.py", "an_app/server.py", "an_app/client.py", "an_app/task.py", "flwr.py", "json.py",
                 "tomli.py", "sitecustomize.py", "usercustomize.py", "conftest.py", "setup.py"):  # fmt: skip
        source.write(name, IMPORTED.format(told=str(tmp_path / name.replace("/", "-"))) + "app = 1\n")
    before = sorted(os.listdir(tmp_path))
    assert deploy(deployment, source)["changed"]
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "app.tar.gz"])


def test_flower_itself_imports_the_package_of_an_app(source: Source, tmp_path: Path) -> None:
    """What all of this is for: when Flower does it no more, the launcher can go."""
    told = tmp_path / "told"
    source.write("an_app/__init__.py", IMPORTED.format(told=str(told)))
    flwr = Path(sys.executable).parent / "flwr"
    home = {"HOME": str(tmp_path), "FLWR_HOME": str(tmp_path), "FLWR_TELEMETRY_ENABLED": "0"}
    subprocess.run(
        [flwr, "build", "--app", source.folder],
        cwd=tmp_path,
        env={**os.environ, **home},
        check=True,
        capture_output=True,
    )
    assert told.exists()


def test_a_component_that_is_not_there_is_told_as_flower_tells_it(deployment: AppDeployment, source: Source) -> None:
    source.write("pyproject.toml", PYPROJECT.replace("an_app.server:app", "an_app.nowhere:app"))
    with pytest.raises(DeploymentError, match="Unable to load module an_app.nowhere"):
        deploy(deployment, source)


@pytest.mark.parametrize(
    "poison",
    [
        {"pyproject.toml": "a = " + "[" * 100_000},
        {"an_app/server.py": "app = " + "-" * 1_000_000 + "1"},
        {"pyproject.toml": PYPROJECT.replace('"somebody"', '"../../evil"')},
        {"pyproject.toml": PYPROJECT.replace('"an-app"', '"another"')},
        {"pyproject.toml": PYPROJECT.replace("[tool.flwr.app]", '[tool.flwr.app]\nfab-include = ["../**"]')},
        {".gitignore": "pyproject.toml\n"},
    ],
    ids=range(6),
)
def test_an_app_that_is_to_trip_its_reader_is_refused(
    deployment: AppDeployment, source: Source, poison: dict[str, str]
) -> None:
    for name, text in poison.items():
        source.write(name, text)
    with pytest.raises(DeploymentError, match="refused the app an-app"):
        deploy(deployment, source)
    assert os.listdir(deployment.root) == []


def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


@pytest.mark.parametrize("fab_file", ["{victim}", "../../victim", "../../../{victim}", "x/../../../victim", 7, None])
def test_a_record_that_names_another_file_is_none(
    quick: AppDeployment, source: Source, tmp_path: Path, fab_file: object
) -> None:
    deploy(quick, source)
    precious = victim(tmp_path)
    if isinstance(fab_file, str):
        fab_file = fab_file.format(victim=precious)
    record = json.loads(Path(quick.record_path).read_text())
    record.update(fab_file=fab_file, fab_hash=hashlib.sha256(b"precious").hexdigest())
    Path(quick.record_path).write_text(json.dumps(record))
    source.write("an_app/task.py", "model = 2\n")
    assert deploy(quick, source)["changed"]
    assert precious.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_record_of_somebody_else_is_none(quick: AppDeployment, source: Source) -> None:
    deploy(quick, source)
    os.chown(quick.record_path, 49999, 49999)
    assert read_record(quick.home, "an-app") is None
    assert quick.ensure(source.checksum, None)["needs_archive"]


@pytest.mark.parametrize("name", ["an-app.json", "an-app.json.tmp"])
def test_the_record_of_an_earlier_version_leads_nowhere(
    quick: AppDeployment, source: Source, tmp_path: Path, name: str
) -> None:
    precious = victim(tmp_path)
    forged = {"checksum": source.checksum, "fab_file": str(precious), "fab_hash": "0" * 64}
    (Path(quick.root) / "an-app.json").write_text(json.dumps(forged))
    link = Path(quick.root) / name
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    deploy(quick, source)
    assert precious.read_text() == "precious"
    assert not (Path(quick.root) / "an-app.json").exists()


@pytest.mark.parametrize(
    "plant",
    [
        lambda app: (app / "an_app/extra.py").write_text("x"),
        lambda app: os.mkfifo(app / "pipe.py"),
        lambda app: (app / "link.py").symlink_to("/etc/passwd"),
        lambda app: (app / "folder").symlink_to("/etc"),
        lambda app: (app / "an_app/server.py").chmod(0o666),
        lambda app: (app / "an_app").chmod(0o777),
        lambda app: os.truncate(app / "an_app/server.py", 100 << 20),
    ],
    ids=["extra", "fifo", "link", "folder", "open-file", "open-folder", "sparse"],
)
def test_what_is_planted_into_a_deployed_app_is_not_read_and_goes(
    quick: AppDeployment, source: Source, plant: object
) -> None:
    first = deploy(quick, source)
    installed = Path(quick.root, ".flwr/apps", os.listdir(Path(quick.root, ".flwr/apps"))[0])
    for app in (installed, Path(quick.path)):
        plant(app)
        assert quick.ensure(source.checksum, None).get("needs_archive") is (True if app != installed else None)
    assert deploy(quick, source) | {"diff": None} == {**first, "diff": None}
    assert quick.ensure(source.checksum, None)["changed"] is False


@pytest.mark.parametrize("fab", [b"", b"no archive", b"PK\x03\x04" * 1000], ids=range(3))
def test_what_the_build_gives_is_judged(tmp_path: Path, source: Source, fab: bytes) -> None:
    home = make_home(tmp_path / "home")
    deployment = AppDeployment(str(home), "an-app", lambda _source: (About("somebody", "an-app", "1"), fab))
    with pytest.raises(DeploymentError, match="what was deployed before still stands"):
        deploy(deployment, source)
    assert os.listdir(home / "app") == []


def test_the_hash_of_a_deployed_app_is_found_by_the_path_of_its_folder(quick: AppDeployment, source: Source) -> None:
    fab_hash = deploy(quick, source)["fab_hash"]
    assert deployed_fab_hash(quick.home, quick.path) == fab_hash
    for other in ("/etc/passwd", f"{quick.path}/", f"{quick.root}/../app/an-app", f"{quick.root}/b", ""):
        assert deployed_fab_hash(quick.home, other) is None
