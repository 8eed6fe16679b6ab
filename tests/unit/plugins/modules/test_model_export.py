# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, its action and the program together: a checkpoint on a host becomes a file on the controller."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import model_export as action
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import models
from ansible_collections.fedops.flower.plugins.module_utils._training import export, export_program
from ansible_collections.fedops.flower.plugins.module_utils._training.export import Exporter

from ..saved import save

MODEL = {
    "z/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.array(0.5),
    "turned": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
}


def save_round(folder: Path, number: int, training: str = "default", model: dict | None = None, **more: object) -> str:
    """Save a checkpoint with the state of an optimizer; return its hash."""
    arrays = {
        name: np.asarray(array + number).astype(array.dtype, order="K") for name, array in (model or MODEL).items()
    }
    manifest = save(
        folder,
        number,
        {f"{name}.npy": npy(array) for name, array in {**arrays, "state/m_t/a.bias": np.array(9.0)}.items()},
        training=training,
        strategy="FedAdam",
        num_arrays=len(arrays),
        arrays=[{"name": name, "shape": list(one.shape), "dtype": str(one.dtype)} for name, one in arrays.items()],
        state_arrays=[{"name": "state/m_t/a.bias", "shape": [], "dtype": "float64"}],
        **more,
    )
    return manifest["sha256"]


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


@pytest.fixture
def fetch(run_module, tmp_path, tmp_path_factory, monkeypatch, own_account):
    """Run the action against the module, without a sandbox; C(meanwhile) sees each step before it is taken."""
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    monkeypatch.setattr(export, "EXPORT_PIECE", 500)
    monkeypatch.setattr(Exporter, "command", lambda self, work, size: [sys.executable, "-I", "-B", "-", work])
    home = tmp_path_factory.mktemp("home")

    def run(check_mode=False, meanwhile=lambda arguments, answer: answer, **given):
        def execute(module_args, task_vars):
            return meanwhile(module_args, run_module("model_export", check_mode=check_mode, **module_args))

        one = object.__new__(action.ActionModule)
        arguments = {"path": str(tmp_path), "home": str(home), "dest": str(home / "models"), **given}
        one._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        one._execute_module = execute
        before = set(tmp_path.glob(".export-*"))
        result = one.run(task_vars={})
        assert set(tmp_path.glob(".export-*")) <= before
        assert not list(home.glob("models/.*"))
        return result

    run.home = home
    return run


def expected(number: int) -> dict[str, np.ndarray]:
    return {name: array + number for name, array in MODEL.items()}


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_the_newest_good_round_is_brought_verified_and_only_once(fetch, tmp_path, form) -> None:
    hashes = {number: save_round(tmp_path, number) for number in (1, 2, 3)}
    (tmp_path / "checkpoint_round_3.npz").write_bytes(b"damaged")
    foreseen = fetch(check_mode=True, format=form)
    first, second = fetch(format=form), fetch(format=form)
    dest = fetch.home / "models" / f"default_round_2.{form}"
    assert [one["changed"] for one in (foreseen, first, second)] == [True, True, False]
    assert {(one["dest"], one["round"], one["checkpoint_sha256"]) for one in (foreseen, first, second)} == {
        (str(dest), 2, hashes[2])
    }
    assert first["sha256"] == hashlib.sha256(dest.read_bytes()).hexdigest()
    assert first["bytes"] == dest.stat().st_size
    assert not fetch(check_mode=True, format=form)["changed"]
    with dest.open("rb") as stream:
        found = models.entries(stream, str(dest), dest.stat().st_size)
        numbers = {}
        for entry in found:
            stream.seek(entry.begin)
            numbers[entry.name] = stream.read(entry.size)
    assert {entry.name for entry in found} == set(MODEL)  # without the optimizer's
    if form == "npz":
        with np.load(dest, allow_pickle=False) as opened:
            assert opened.files == list(MODEL)
            assert all(np.array_equal(opened[name], array) for name, array in expected(2).items())
    else:
        assert numbers == {name: array.tobytes() for name, array in expected(2).items()}


def test_any_round_of_any_training_is_brought(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    for number in (1, 2):
        save_round(tmp_path / "second", number, "second", {"w": np.full(2, number)})
    result = fetch(training="second", round=1)
    assert result["dest"] == str(fetch.home / "models" / "second_round_1.npz")
    with np.load(result["dest"]) as found:
        assert found["w"].tolist() == [2, 2]


def test_the_best_round_is_the_one_that_the_newest_names(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    assert "checkpoint_round_1.npz names no best round" in fetch(round="best")["msg"]
    for number in (2, 3):
        save_round(tmp_path, number, early_stopping={"best_round": 2})
    assert fetch(round="best")["round"] == 2
    (tmp_path / "checkpoint_round_2.npz").unlink()
    assert "checkpoint_round_2.npz is missing" in fetch(round="best")["msg"]
    for wrong in ("0", "-1", "newest", "1.5", "\u0663"):
        assert f"round is {wrong!r} but must be the number of a round, or best." in fetch(round=wrong)["msg"]


def test_what_cannot_be_exported_is_told(fetch, tmp_path) -> None:
    assert f"{tmp_path} holds no good checkpoint of the training default." in fetch()["msg"]
    save_round(tmp_path, 1)
    assert "checkpoint_round_7.json is missing" in fetch(round=7)["msg"]
    assert "The app of the training default is not known on this host" in fetch(format="app")["msg"]
    save_round(tmp_path, 2, model={"w": np.zeros(2, ">f4")})
    assert "'w' is >f4, which a .safetensors file cannot hold" in fetch(format="safetensors")["msg"]
    save_round(tmp_path / "second", 1, "third")
    assert "is of the training third, not of second" in fetch(training="second", round=1)["msg"]
    with pytest.raises(AnsibleActionFail, match="training must be 1 to 63"):
        fetch(training="../x", check_mode=True, meanwhile=lambda given, answer: {"round": 1})


def test_pytorch_writes_its_own_where_it_is(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    torch = pytest.importorskip("torch")
    found = torch.load(fetch(format="pt")["dest"], weights_only=True)
    assert {name: tensor.numpy().tolist() for name, tensor in found.items()} == {
        name: array.tolist() for name, array in expected(1).items()
    }


def test_without_pytorch_that_is_told(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    if __import__("importlib").util.find_spec("torch"):
        pytest.skip("PyTorch is here")
    assert "PyTorch is not in the environment of the ServerApps" in fetch(format="pt")["msg"]


def app(fetch, source: str, place: str = "app/mine") -> None:
    """Deploy an app, and have the training ask for it."""
    folder = fetch.home / place
    (folder / "pkg").mkdir(parents=True, exist_ok=True)
    (folder / "pkg" / "__init__.py").touch()
    (folder / "pkg" / "task.py").write_text(source)
    (folder / "pyproject.toml").write_text('[tool.flwr.app.components]\nserverapp = "pkg.server_app:app"\n')
    training = fetch.home / "trainings" / "default"
    training.mkdir(parents=True, exist_ok=True)
    (training / "request.json").write_text(json.dumps({"app": str(folder)}))


def test_an_app_writes_a_form_of_its_own(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    app(
        fetch,
        "def export(arrays, path):\n"
        "    print('not the answer')\n"
        "    path = path.with_suffix('.keras')\n"
        "    path.write_text(' '.join(arrays))\n"
        "    return path\n",
    )
    result = fetch(format="app")
    assert result["dest"] == str(fetch.home / "models" / "default_round_1.keras")
    assert Path(result["dest"]).read_text() == " ".join(MODEL)
    assert fetch(format="app", check_mode=True)["dest"] == str(fetch.home / "models" / "default_round_1")


def test_the_app_is_the_copy_that_the_training_has_and_no_other_trainings(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    source = "def export(arrays, path):\n    path.write_text('own')\n"
    app(fetch, source, f"app/of_trainings/default/{'a' * 64}")
    assert Path(fetch(format="app")["dest"]).read_text() == "own"
    for place in (f"app/of_trainings/other/{'a' * 64}", "elsewhere/mine"):
        app(fetch, source, place)
        assert "The app of the training default is not known on this host" in fetch(format="app")["msg"]


def test_a_bundle_becomes_one_file(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    app(fetch, "def export(arrays, path):\n    path.mkdir()\n    (path / 'weights').write_bytes(b'w')\n")
    with tarfile.open(fetch(format="app")["dest"]) as archive:
        assert archive.getnames() == ["model", "model/weights"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "pkg.task of the app has no function export(arrays, path)"),
        ("def export(arrays, path):\n    raise ValueError('no such layer')", "no such layer"),
        ("def export(arrays, path):\n    return '/etc/passwd'", "the file is to be in"),
        ("def export(arrays, path):\n    return path", "the file is to be in"),
        ("import os\ndef export(arrays, path):\n    os.symlink('/etc/passwd', path)", "is not a regular file"),
        ("def export(arrays, path):\n    path.touch()", "The file of the model has 0 bytes"),
        ("import os\ndef export(arrays, path):\n    os._exit(0)", "its file has no name"),
        ("import os\ndef export(arrays, path):\n    os._exit(9)", "it ended without a word"),
    ],
)
def test_what_an_app_does_instead_is_told(fetch, tmp_path, source, said) -> None:
    save_round(tmp_path, 1)
    app(fetch, source)
    assert said in fetch(format="app")["msg"]


def test_what_is_not_the_model_of_the_checkpoint_is_refused(fetch, tmp_path, monkeypatch) -> None:
    save_round(tmp_path, 1)
    make = Exporter.make

    def wrongly(self, checkpoint, form, program):
        text = program.replace("def load_arrays(", "def loaded(")
        text = text.replace("load_arrays(job)", "{name: array + 1 for name, array in loaded(job).items()}")
        return make(self, checkpoint, form, text)

    monkeypatch.setattr(Exporter, "make", wrongly)
    for form in ("npz", "safetensors"):
        assert "What was written is not the model of" in fetch(format=form)["msg"]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"file": ".export-x/../../evil"}, "without a name, a size or a hash"),
        ({"file": "model/../../x"}, "without a name, a size or a hash"),
        ({"bytes": "9"}, "without a name, a size or a hash"),
        ({"sha256": "x"}, "without a name, a size or a hash"),
        ({"bytes": 5}, "sends more than the 5 bytes"),
        ({"sha256": "a" * 64}, "has not arrived as it was written"),
        ({"round": "../1"}, "tells of a checkpoint without a round"),
    ],
)
def test_a_host_that_lies_writes_nothing(fetch, tmp_path, lie, said) -> None:
    save_round(tmp_path, 1)

    def meanwhile(arguments: dict, answer: dict) -> dict:
        return {**answer, **lie} if "sha256" in answer else answer

    with pytest.raises(AnsibleActionFail, match=said):
        fetch(meanwhile=meanwhile)
    assert not (fetch.home / "models").exists() or os.listdir(fetch.home / "models") == []


def test_an_export_that_was_killed_is_cleared_away_and_one_beside_it_is_not(fetch, tmp_path, monkeypatch) -> None:
    save_round(tmp_path, 1)
    for name, age in (("killed", 2 * 86400), ("beside", 60)):
        (tmp_path / f".export-{name}").mkdir()
        os.utime(tmp_path / f".export-{name}", (time.time() - age,) * 2)
    fetch()
    assert [path.name for path in tmp_path.glob(".export-*")] == [".export-beside"]


def test_only_files_of_an_export_are_read(fetch, tmp_path) -> None:
    save_round(tmp_path, 1)
    for name in ("../secret", ".export-x/../y", "/etc/passwd", "checkpoint_round_1.npz", ".export-a/b/c"):
        with pytest.raises((export.ExportError, OSError)):
            export.read_piece(str(tmp_path), name, 0)


@pytest.mark.parametrize(("seen", "writable"), [(True, "/.export-1"), (False, "")])
def test_it_runs_as_a_serverapp_does_without_a_network(tmp_path, seen, writable) -> None:
    if seen:  # an export that squashes root shows it nothing
        (tmp_path / ".export-1").mkdir()
    command = Exporter("/opt/flower", str(tmp_path), "default").command(f"{tmp_path}/.export-1", 1000)
    for one in ("User=flower", "PrivateNetwork=yes", "ProtectSystem=strict", f"ReadWritePaths={tmp_path}{writable}"):
        assert f"--property={one}" in command
    assert command[-5:] == ["/opt/flower/venv/bin/python", "-I", "-B", "-", f"{tmp_path}/.export-1"]


def test_the_program_knows_every_form() -> None:
    assert tuple(export_program.FORMS) == export.EXPORT_FORMS
