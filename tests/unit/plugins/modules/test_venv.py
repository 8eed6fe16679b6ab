# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a virtual environment from a lock, with the real uv and no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.action import venv as action
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import Releases
from ansible_collections.fedops.flower.plugins.module_utils._release.venv import (
    Venv,
    VenvError,
    _place_for_programs,
    _unpack_uv,
)
from ansible_collections.fedops.flower.plugins.modules import venv as module

COLLECTIONS = Path(module.__file__).parents[2] / ".ansible" / "collections"


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> str:
    """Write a wheel and return its line of a lock."""
    information = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={record_hash(content)},{len(content)}\n" for path, content in files.items())
    files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, content)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels and locks of a package in two versions, and of uv: the one that runs these tests, in a wheel again."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert uv is not None
    folder = tmp_path_factory.mktemp("wheelhouse")
    (folder / "uv.txt").write_text(
        make_wheel(folder, "uv", "0.0.1", {"uv-0.0.1.data/scripts/uv": Path(uv).read_bytes()})
    )
    for version in ("1.0", "2.0"):
        files = {
            "tiny.py": f"VERSION = {version!r}\n\n\ndef main():\n    print(VERSION)\n".encode(),
            f"tiny-{version}.dist-info/entry_points.txt": b"[console_scripts]\ntiny = tiny:main\n",
        }
        line = make_wheel(folder, "tiny", version, files)
        (folder / f"tiny-{version}.txt").write_text(line)
    return folder


def ensure(path: Path, wheelhouse: Path, lock: str, *flags: str, **more: Any) -> dict[str, Any]:
    """Run the action and the module as a task does, against this machine."""
    arguments = {
        "path": str(path), "python": sys.executable, "lock": str(wheelhouse / lock),
        "uv_lock": str(wheelhouse / "uv.txt"), "wheelhouse": str(wheelhouse), **more,
    }  # fmt: skip
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-m", "fedops.flower.venv",
         "-a", json.dumps(arguments), *flags],
        capture_output=True, text=True, check=False, cwd=path.parent,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
    )  # fmt: skip
    return json.loads(done.stdout.partition(" => ")[2])


def installed(path: Path) -> str:
    code = "import tiny; print(tiny.VERSION)"
    return subprocess.run([path / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_the_link_follows_the_lock_and_no_release_is_changed(tmp_path: Path, wheelhouse: Path) -> None:
    path, releases = tmp_path / "venv", tmp_path / "releases"
    outcomes = []
    for lock, *flags in (["tiny-1.0.txt", "--check"], ["tiny-1.0.txt"], ["tiny-1.0.txt"], ["tiny-2.0.txt"]):
        changed = ensure(path, wheelhouse, lock, *flags)["changed"]
        outcomes.append((changed, installed(path) if path.exists() else None))
    assert outcomes == [(True, None), (True, "1.0"), (False, "1.0"), (True, "2.0")]
    assert list(path.glob("lib/python*/site-packages/__pycache__/tiny.*.pyc")) != []
    assert sorted(installed(release) for release in releases.iterdir()) == ["1.0", "2.0"]
    # A program of a release runs from that release, whatever the link says.
    assert path.is_symlink()
    assert (path / "bin/tiny").read_text().startswith(f"#!{path.resolve()}/bin/python")
    # Nobody else can write into one.
    files = [each for each in releases.rglob("*") if not each.is_symlink()]
    assert [each for each in files if each.stat().st_mode & 0o022] == []


def test_a_release_is_built_beside_the_one_in_use_and_the_switch_needs_no_more(
    tmp_path: Path, wheelhouse: Path
) -> None:
    path = tmp_path / "venv"
    first = ensure(path, wheelhouse, "tiny-1.0.txt")["release"]
    built = ensure(path, wheelhouse, "tiny-2.0.txt", switch=False)
    again = ensure(path, wheelhouse, "tiny-2.0.txt", switch=False)
    assert (built["built"], built["before"], again["changed"], installed(path)) == (True, first, False, "1.0")
    switched = ensure(path, wheelhouse, "tiny-2.0.txt")
    assert (switched["built"], switched["changed"], installed(path)) == (False, True, "2.0")
    back = ensure(path, wheelhouse, "tiny-1.0.txt", kept=1)
    assert (back["built"], back["removed"], installed(path)) == (False, [built["release"]], "1.0")


def test_a_wheel_with_another_hash_is_refused_and_the_environment_in_use_stays(
    tmp_path: Path, wheelhouse: Path
) -> None:
    path = tmp_path / "venv"
    ensure(path, wheelhouse, "tiny-1.0.txt")
    forged = wheelhouse / "forged.txt"
    forged.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    result = ensure(path, wheelhouse, "forged.txt")
    assert "uv pip sync' failed with exit status" in result["msg"]
    assert installed(path) == "1.0"
    releases = Releases(str(path))
    assert sorted(map(releases.is_built, releases.names())) == [False, True]
    # What was left of it goes with the next change.
    assert len(ensure(path, wheelhouse, "tiny-2.0.txt")["removed"]) == 1


def test_an_environment_from_before_there_were_releases_is_kept_as_one(tmp_path: Path, wheelhouse: Path) -> None:
    path = tmp_path / "venv"
    ensure(path, wheelhouse, "tiny-1.0.txt")
    release = path.resolve()
    path.unlink()
    release.rename(path)
    result = ensure(path, wheelhouse, "tiny-1.0.txt")
    assert (result["changed"], result["before"], installed(path)) == (True, None, "1.0")
    assert {place.name.endswith("-moved") for place in (tmp_path / "releases").iterdir()} == {True, False}
    assert ensure(path, wheelhouse, "tiny-1.0.txt")["changed"] is False


def test_a_lock_that_is_missing_is_named(tmp_path: Path, wheelhouse: Path) -> None:
    result = ensure(tmp_path / "venv", wheelhouse, "missing.txt")
    assert f"lock is '{wheelhouse / 'missing.txt'}', which is no file on the controller." in result["msg"]


def make_python(path: Path, answer: str) -> str:
    """Write an interpreter that answers any question in one way."""
    path.write_text(f"#!/bin/sh\necho {answer}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("answer", "what"),
    [(None, "cannot be run on this host"), ("3 9 True", "is Python 3.9"), ("2 7 False", "is Python 2.7")],
)
def test_an_interpreter_that_flower_cannot_use_is_refused(tmp_path: Path, answer: str | None, what: str) -> None:
    python = str(tmp_path / "missing") if answer is None else make_python(tmp_path / "python", answer)
    said = re.escape(f"runtime_python is {python}, which {what}, but Flower needs Python 3.11 or newer.")
    with pytest.raises(VenvError, match=said):
        Venv(python).look_at_python()


@pytest.mark.parametrize(("answer", "found"), [("3 11 True", ("3.11", True)), ("3 12 False", ("3.12", False))])
def test_an_interpreter_tells_its_version_and_whether_it_has_pip(
    tmp_path: Path, answer: str, found: tuple[str, bool]
) -> None:
    python = Venv(make_python(tmp_path / "python", answer)).look_at_python()
    assert (python.version, python.has_pip) == found


@pytest.mark.parametrize(
    ("version", "offline", "missing"),
    [("3 11 True", False, False), ("3 12 False", False, True), ("3 12 False", True, False)],
)
def test_a_wheelhouse_makes_up_for_a_missing_pip(
    tmp_path: Path, run_module: Any, version: str, offline: bool, missing: bool
) -> None:
    given = {"packages": ["python3-venv"], "lock": "l", "uv_lock": "u", "checksum": "c", "offline": offline}
    python = make_python(tmp_path / "python", version)
    result = run_module("venv", path=str(tmp_path / "venv"), python=python, **given)
    assert (result["needs_archive"], result["needs_preparation"]) == (True, missing)


def test_another_interpreter_gives_another_release(tmp_path: Path, run_module: Any) -> None:
    given = {"path": str(tmp_path / "venv"), "lock": "l", "uv_lock": "u", "checksum": "c", "version": "1.41.0"}
    names = [
        run_module("venv", check_mode=True, python=make_python(tmp_path / "python", answer), **given)["release"]
        for answer in ("3 11 True", "3 13 True", "3 11 False")
    ]
    assert names[0] == names[2] != names[1]
    assert names[0].startswith("flwr-1.41.0-")


def test_the_release_in_use_is_always_kept(run_module: Any) -> None:
    result = run_module("venv", lock="l", uv_lock="u", checksum="c", kept=0)
    assert result["msg"] == "kept is 0 but must be at least 1: the release in use stays."


def test_uv_is_taken_from_a_wheel_of_this_machine_and_of_the_lock_only(tmp_path: Path) -> None:
    machine = platform.machine()
    program = {"uv-0.0.1.data/scripts/uv": b"right"}
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    line = make_wheel(wheels, "uv", "0.0.1", program)
    wheel = wheels / "uv-0.0.1-py3-none-any.whl"
    lock = tmp_path / "uv.txt"
    lock.write_text(line)
    for name in (
        f"uv-0.0.1-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl",
        "uv-0.0.1-py3-none-any.whl",
    ):
        wheel = wheel.rename(wheels / name)
        assert Path(_unpack_uv(str(wheels), str(lock), str(tmp_path))).read_bytes() == b"right"
    wheel = wheel.rename(wheels / "uv-0.0.1-py3-none-manylinux_2_17_other.whl")
    with pytest.raises(
        VenvError, match=re.escape(f"no wheel of uv for {machine} with a hash of the lock (found: none).")
    ):
        _unpack_uv(str(wheels), str(lock), str(tmp_path))
    wheel = wheel.rename(wheels / "uv-0.0.1-py3-none-any.whl")
    lock.write_text("uv==0.0.1 --hash=sha256:" + "0" * 64)
    with pytest.raises(VenvError, match=re.escape("(found: uv-0.0.1-py3-none-any.whl)")):
        _unpack_uv(str(wheels), str(lock), str(tmp_path))


class Connection:
    """Stands for a host: answers as the module does on one that lacks what is named, and remembers."""

    def __init__(self, made: action.ActionModule, monkeypatch: pytest.MonkeyPatch, has_pip: bool) -> None:
        self.has_pip = has_pip
        self.executed: list[str] = []
        monkeypatch.setattr(made, "_execute_module", self.execute)
        monkeypatch.setattr(made, "_send", self.send)

    def send(self, files: dict[str, str]) -> str:
        self.executed.append(f"send {' '.join(files)}")
        return "/tmp/files.tar"

    def execute(
        self, module_args: dict[str, Any], task_vars: dict[str, Any], module_name: str = "venv"
    ) -> dict[str, Any]:
        self.executed.append(module_name)
        complete = self.has_pip or "packages" not in module_args
        if module_name == "venv" and ("archive" not in module_args or not complete):
            return {"changed": False, "needs_archive": "archive" not in module_args, "needs_preparation": not complete}
        return {"changed": True}


SEND, APT = "send requirements.txt uv.txt", "ansible.builtin.apt"


@pytest.mark.parametrize(
    ("fresh", "has_pip", "executed"),
    [
        (False, True, ["venv", SEND, "venv"]),
        (False, False, ["venv", APT, SEND, "venv"]),
        (True, True, [SEND, "venv"]),
        (True, False, [SEND, "venv", APT, "venv"]),
        ("no", True, ["venv", SEND, "venv"]),
    ],
)
def test_a_host_is_asked_once_and_gets_no_more_than_it_lacks(
    wheelhouse: Path, monkeypatch: pytest.MonkeyPatch, fresh: Any, has_pip: bool, executed: list[str]
) -> None:
    task = MagicMock(check_mode=False)
    lock = {"lock": str(wheelhouse / "tiny-1.0.txt"), "uv_lock": str(wheelhouse / "uv.txt")}
    task.args = {**lock, "packages": ["p"], "fresh": fresh}
    made = action.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    monkeypatch.setattr(action.ActionModule.__mro__[2], "run", lambda *_arguments: {})
    host = Connection(made, monkeypatch, has_pip)
    assert (made.run(task_vars={}), host.executed) == ({"changed": True}, executed)


def test_nothing_is_sent_in_check_mode(wheelhouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = MagicMock(check_mode=True)
    task.args = {"lock": str(wheelhouse / "tiny-1.0.txt"), "uv_lock": str(wheelhouse / "uv.txt"), "fresh": True}
    made = action.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    monkeypatch.setattr(action.ActionModule.__mro__[2], "run", lambda *_arguments: {})
    executed = []
    monkeypatch.setattr(
        made, "_execute_module", lambda **given: executed.append(given["module_args"]) or {"changed": True}
    )
    assert made.run(task_vars={}) == {"changed": True}
    assert "archive" not in executed[0]


def test_every_file_that_travels_is_a_documented_option() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert {name: options[name]["required"] for name in action.LOCKS.values()} == {"lock": True, "uv_lock": True}


@pytest.mark.parametrize(("flags", "beside"), [(os.ST_NOEXEC | os.ST_NOSUID, True), (os.ST_NOSUID, False)])
def test_programs_run_beside_the_release_where_temporary_files_cannot(monkeypatch, tmp_path, flags, beside) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: MagicMock(f_flag=flags))
    found = _place_for_programs(str(tmp_path / "releases" / "new"))
    assert found == (str(tmp_path / "releases") if beside else tempfile.gettempdir())
