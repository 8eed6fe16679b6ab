# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its action together: a model on the host or on the controller, and the copy of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import initial_model as action
from ansible_collections.fedops.flower.plugins.module_utils._training import initial

ARRAY = {"name": "w", "dtype": "float32", "shape": [2]}


def write(path: Path, numbers: bytes = bytes(8)) -> str:
    """Write a model of one array; return its hash."""
    path.parent.mkdir(exist_ok=True)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + numbers)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def own_home(tmp_path, own_account) -> Path:
    home = tmp_path / "flower"
    home.mkdir()
    return home


@pytest.fixture
def take(run_module, own_home, tmp_path, monkeypatch):
    """Run the action against the module; C(sent) are the files that travelled."""
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    monkeypatch.setattr("glob.glob", lambda pattern: [])

    def run(source: object, check_mode: bool = False, **given: object) -> dict:
        arguments = {"source": str(source), "home": str(own_home), **given}
        one = object.__new__(action.ActionModule)
        one._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        one._connection = SimpleNamespace(_shell=SimpleNamespace(join_path=os.path.join))
        one._make_tmp_path = lambda: str(tmp_path)
        one._execute_module = lambda module_args, task_vars: run_module(
            "initial_model", check_mode=check_mode, **module_args
        )
        one._transfer_file = lambda local, remote: run.sent.append(local) or shutil.copyfile(local, remote)
        return one.run(task_vars={})

    run.sent = []
    return run


@pytest.mark.parametrize("where", ["", "controller:"])
def test_a_model_is_copied_once_for_the_apps_alone(take, own_home, tmp_path, where) -> None:
    digest = write(tmp_path / "my models" / "resnet.npz")
    source = f"{where}{tmp_path}/my models/resnet.npz"
    foreseen = take(source, check_mode=True)
    assert not (own_home / "initial").exists()
    first, second = take(source), take(source)
    copy = own_home / "initial" / f"{digest}.npz"
    assert copy.read_bytes() == (tmp_path / "my models" / "resnet.npz").read_bytes()
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o640, 0o750)
    assert [one["changed"] for one in (foreseen, first, second)] == [True, True, False]
    assert {(one["path"], one["sha256"]) for one in (foreseen, first, second)} == {(str(copy), digest)}
    assert first["arrays"] == [ARRAY]
    assert len(take.sent) == (1 if where else 0)
    copy.write_bytes(b"damaged")
    assert take(source)["changed"]


def test_a_relative_path_on_the_controller_begins_where_the_play_was_started(take, tmp_path, monkeypatch) -> None:
    write(tmp_path / "m.npz")
    monkeypatch.chdir(tmp_path)
    assert take("controller:m.npz")["changed"]


def test_what_is_no_model_is_refused_before_it_travels_or_is_copied(take, own_home, tmp_path) -> None:
    (tmp_path / "m.npz").write_bytes(b"PK")
    assert "m.npz is no model: it is not an .npz file." in take(tmp_path / "m.npz")["msg"]
    with pytest.raises(AnsibleActionFail, match=r"m.npz is no model: it is not an .npz file."):
        take(f"controller:{tmp_path}/m.npz")
    with pytest.raises(AnsibleActionFail, match=r"none.npz on the controller cannot be read: No such file"):
        take(f"controller:{tmp_path}/none.npz")
    assert "must end with one of .npz, .safetensors, .pt" in take(tmp_path / "m.h5")["msg"]
    assert take.sent == []
    assert list(own_home.iterdir()) == []


def test_links_and_pipes_are_no_models(take, tmp_path) -> None:
    write(tmp_path / "m.npz")
    (tmp_path / "link.npz").symlink_to(tmp_path / "m.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    assert "link.npz is a link, and is not followed" in take(tmp_path / "link.npz")["msg"]
    assert "pipe.npz is no regular file" in take(tmp_path / "pipe.npz")["msg"]


@pytest.mark.parametrize("where", ["", "controller:"])
def test_another_model_than_the_one_asked_for_is_refused(take, tmp_path, where) -> None:
    digest = write(tmp_path / "m.npz")
    source = f"{where}{tmp_path}/m.npz"
    assert f"whose SHA-256 is {digest}, but fl_initial_sha256 is aa" in take(source, sha256="aa")["msg"]
    assert take(source, sha256=digest)["changed"]


def test_a_file_that_is_gone_is_the_copy_of_it(take, tmp_path) -> None:
    digest = write(tmp_path / "m.npz")
    first = take(tmp_path / "m.npz")
    (tmp_path / "m.npz").unlink()
    again = take(tmp_path / "m.npz")
    assert (again["changed"], again["path"]) == (False, first["path"])
    assert take("/elsewhere/m.npz", sha256=digest)["path"] == first["path"]
    assert f"write controller:{tmp_path}/other.npz" in take(tmp_path / "other.npz")["msg"]


def test_a_model_without_room_is_refused(take, tmp_path, monkeypatch) -> None:
    write(tmp_path / "m.npz")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1, f_frsize=16))
    for where in ("", "controller:"):
        assert "initial has room for 16. Make room there." in take(f"{where}{tmp_path}/m.npz")["msg"]
    assert take.sent == []


def test_a_file_of_pytorch_is_taken_where_that_is(take, tmp_path, monkeypatch) -> None:
    (tmp_path / "m.pt").write_bytes(b"weights")
    assert "needs PyTorch, and that is not in the environment of the ServerApps" in take(tmp_path / "m.pt")["msg"]
    monkeypatch.setattr("glob.glob", lambda pattern: [pattern])
    assert take(tmp_path / "m.pt")["arrays"] == []


def test_copies_go_that_no_training_asks_for(take, own_home, tmp_path) -> None:
    asked, unasked, young, new = (write(tmp_path / f"{number}.npz", struct.pack("<q", number)) for number in range(4))
    for number in range(3):
        take(tmp_path / f"{number}.npz")
    old = time.time() - 2 * 86400
    for digest in (asked, unasked):
        os.utime(own_home / "initial" / f"{digest}.npz", (old, old))
    training = own_home / "trainings" / "second"
    training.mkdir(parents=True)
    (training / "request.json").write_text(json.dumps({"run_config": f'initial-sha256 = "{asked}"\n'}))
    take(tmp_path / "3.npz")
    left = {path.stem for path in (own_home / "initial").glob("*.npz")}
    assert left == {asked, young, new}
    assert unasked not in left


def test_a_file_that_changes_meanwhile_is_not_taken(take, own_home, tmp_path, monkeypatch) -> None:
    write(tmp_path / "m.npz")
    monkeypatch.setattr(initial.reading, "sha256_of", lambda stream, size: "0" * 64)
    assert "which has changed while it was read" in take(tmp_path / "m.npz")["msg"]
    assert list((own_home / "initial").iterdir()) == []


def test_a_file_that_grows_is_read_no_further_than_it_was_long(take, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("glob.glob", lambda pattern: [pattern])
    file = tmp_path / "m.pt"
    file.write_bytes(b"weights")
    pieces = initial.reading.pieces

    def while_it_is_read(stream, size):
        with file.open("ab") as more:
            more.write(b"more")
        yield from pieces(stream, size)

    monkeypatch.setattr(initial.reading, "pieces", while_it_is_read)
    done = take(file)
    assert Path(done["path"]).read_bytes() == b"weights"
    assert done["sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_a_file_of_holes_is_refused_before_it_is_read(take, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("glob.glob", lambda pattern: [pattern])
    with (tmp_path / "m.pt").open("wb") as file:
        file.truncate(1 << 43)
    monkeypatch.setattr(initial.reading, "sha256_of", None)
    assert f"m.pt of {1 << 43} bytes, but" in take(tmp_path / "m.pt")["msg"]


def test_a_copy_that_is_there_needs_no_room(take, tmp_path, monkeypatch) -> None:
    write(tmp_path / "m.npz")
    first = take(tmp_path / "m.npz")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1, f_frsize=16))
    assert take(tmp_path / "m.npz")["path"] == first["path"]
