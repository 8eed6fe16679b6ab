# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a virtual environment from a lock, with the real uv and no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.action import venv as action
from ansible_collections.fedops.flower.plugins.module_utils._venv import Venv, VenvError
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
        line = make_wheel(folder, "tiny", version, {"tiny.py": f"VERSION = {version!r}\n".encode()})
        (folder / f"tiny-{version}.txt").write_text(line)
    return folder


def ensure(path: Path, wheelhouse: Path, lock: str, *flags: str) -> dict[str, Any]:
    """Run the action and the module as a task does, against this machine."""
    arguments = {
        "path": str(path), "python": sys.executable, "lock": str(wheelhouse / lock),
        "uv_lock": str(wheelhouse / "uv.txt"), "wheelhouse": str(wheelhouse),
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


def test_the_environment_follows_the_lock_and_stays_when_the_lock_does(tmp_path: Path, wheelhouse: Path) -> None:
    path = tmp_path / "venv"
    outcomes = []
    for lock, *flags in (["tiny-1.0.txt", "--check"], ["tiny-1.0.txt"], ["tiny-1.0.txt"], ["tiny-2.0.txt"]):
        changed = ensure(path, wheelhouse, lock, *flags)["changed"]
        outcomes.append((changed, installed(path) if path.exists() else None))
    assert outcomes == [(True, None), (True, "1.0"), (False, "1.0"), (True, "2.0")]
    assert list(path.glob("lib/python*/site-packages/__pycache__/tiny.*.pyc")) != []


def test_a_wheel_with_another_hash_is_refused_and_the_build_does_not_pass_for_done(
    tmp_path: Path, wheelhouse: Path
) -> None:
    path = tmp_path / "venv"
    forged = wheelhouse / "forged.txt"
    forged.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    result = ensure(path, wheelhouse, "forged.txt")
    assert "uv pip sync' failed with exit status" in result["msg"]
    assert Venv(str(path), sys.executable).checksum() is None


def test_a_lock_that_is_missing_is_named(tmp_path: Path, wheelhouse: Path) -> None:
    result = ensure(tmp_path / "venv", wheelhouse, "missing.txt")
    assert f"lock is '{wheelhouse / 'missing.txt'}', which is no file on the controller." in result["msg"]


def test_an_interpreter_that_cannot_be_started_is_named(tmp_path: Path, wheelhouse: Path) -> None:
    with pytest.raises(VenvError, match="'/no/python -m venv' failed with exit status 127"):
        Venv(str(tmp_path / "venv"), "/no/python")._bootstrap(str(tmp_path))


def test_every_file_that_travels_is_a_documented_option() -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert {name: options[name]["required"] for name in action.LOCKS.values()} == {"lock": True, "uv_lock": True}
