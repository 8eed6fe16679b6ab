# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ..packages import BASE, certified, packed


@pytest.fixture
def given(tmp_path):
    authority = certified(tmp_path / "ca", "ca")
    package = packed(tmp_path, authority)
    (tmp_path / "models").mkdir()
    return {"package": str(package), "dest": str(tmp_path / "models"), "ca_certificate": str(authority.certificate)}


def test_a_package_is_unpacked_once(run_module, given) -> None:
    foreseen = run_module("model_unpack", check_mode=True, **given)
    assert os.listdir(given["dest"]) == []
    first, second = (run_module("model_unpack", **given, base_sha256=BASE["sha256"]) for dummy in range(2))
    assert [one["changed"] for one in (foreseen, first, second)] == [True, True, False]
    assert len({(one["folder"], one["sha256"]) for one in (foreseen, first, second)}) == 1
    assert first["manifest"]["package"] == os.path.basename(first["folder"])
    assert "adapter_model.safetensors" in os.listdir(first["folder"])


def test_without_a_place_it_is_only_verified(run_module, given) -> None:
    del given["dest"]
    found = run_module("model_unpack", **given)
    assert (found["changed"], found["manifest"]["round"], "folder" in found) == (False, 3, False)


def test_what_is_refused_is_told(run_module, given) -> None:
    assert "is for the base model org/tiny" in run_module("model_unpack", **given, base_sha256="c" * 64)["msg"]
    assert "and 9 are taken" in run_module("model_unpack", **given, most_bytes=9)["msg"]
    Path(given["package"] + ".sig").unlink()
    for check_mode in (True, False):
        told = run_module("model_unpack", check_mode=check_mode, **given)["msg"]
        assert ".tar.gz is refused: " in told
        assert ".sig is not beside it." in told
    Path(given["package"]).unlink()
    assert "cannot be unpacked: No such file or directory" in run_module("model_unpack", **given)["msg"]
    assert os.listdir(given["dest"]) == []


def test_a_python_without_the_library_is_told(run_module, given, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert "cryptography" in run_module("model_unpack", **given)["msg"]
