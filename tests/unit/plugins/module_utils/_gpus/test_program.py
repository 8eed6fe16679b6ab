# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs when a host starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._gpus import program
from ansible_collections.fedops.flower.plugins.module_utils._gpus.amd import amd_gpus
from ansible_collections.fedops.flower.plugins.module_utils._gpus.devices import found_gpus
from ansible_collections.fedops.flower.plugins.module_utils._gpus.gpu import Gpu

from .conftest import NvidiaHost, uuid


def test_it_makes_the_links_and_says_what_cannot_be_used(
    nvidia_host: NvidiaHost, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nvidia_host.add(1, minor=0)
    nvidia_host.add(2, minor=1, excluded="Yes")
    nvidia_host.smi(tools)
    done: list[str] = []
    linked: list[Gpu] = []
    monkeypatch.setattr(program, "load_drivers", lambda: done.append("loaded"))
    monkeypatch.setattr(program, "found_gpus", lambda: found_gpus(str(nvidia_host.root)))
    monkeypatch.setattr(program, "make_links", linked.extend)
    assert program.main() == 0
    assert done == ["loaded"]
    assert [gpu.uuid for gpu in linked] == [uuid(1), uuid(2)]
    assert capsys.readouterr().err == (
        "The NVIDIA GPU at 0000:02:00.0 is excluded by a setting of its driver (NVreg_ExcludedGpus).\n"
    )


def test_a_host_without_amdkfd_has_no_gpus_of_amd(tmp_path: Path) -> None:
    assert amd_gpus(str(tmp_path)) == []
