# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of several SuperNodes uses which GPU, and what a unit says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._gpus.cuda import cuda_versions, driver_problems
from ansible_collections.fedops.flower.plugins.module_utils._gpus.gpu import AMD, NVIDIA, FoundGpus, Gpu
from ansible_collections.fedops.flower.plugins.module_utils._gpus.shares import (
    SharesError,
    asked_gpus,
    directives,
    gpus_problem,
    shares,
)

COMMON = ("nvidiactl", "nvidia-uvm")


def gpu(number: int, problem: str = "", parts: tuple[Gpu, ...] = ()) -> Gpu:
    return Gpu(
        NVIDIA, str(number), f"GPU-{number}", "H200", f"0000:0{number}:00.0", (f"nvidia{number}",), COMMON,
        "580.159.04", problem=problem, parts=parts,
    )  # fmt: skip


def given(asked: dict[str, list[str]], *gpus: Gpu) -> dict[str, list[str]]:
    return {name: [one.index for one in found] for name, found in shares(asked, FoundGpus(list(gpus))).items()}


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        (None, ["auto"]), ("", ["auto"]), ("auto", ["auto"]), (" AUTO ", ["auto"]), (["auto"], ["auto"]), ("none", []),
        ("None", []), (["none"], []), ([], []), (0, ["0"]), ([0, 1], ["0", "1"]), ("0, 1", ["0", "1"]),
        ("0:1", ["0:1"]), ("gpu-12ab", ["GPU-12ab"]), (["MIG-1/2/3"], ["MIG-1/2/3"]),
    ],
)  # fmt: skip
def test_what_is_asked_may_come_from_an_inventory_or_a_survey(value: object, entries: list[str]) -> None:
    assert asked_gpus(value) == entries
    assert gpus_problem(value) == ""


@pytest.mark.parametrize("value", [True, 1.5, "all", "auto,0", ["none", 1], "-1", "GPU-", "0;1", {"a": 1}, "GPU-\n1"])
def test_anything_else_is_refused(value: object) -> None:
    assert "must be auto, none, or a list of the indexes or UUIDs" in gpus_problem(value)


def test_a_gpu_is_named_once() -> None:
    assert gpus_problem("0, 1, 0") == "must name each GPU once, and has '0' twice"


def test_one_supernode_has_all_that_work() -> None:
    assert given({"a": ["auto"]}, gpu(0), gpu(1, "is lost"), gpu(2)) == {"a": ["0", "2"]}
    assert given({"a": ["auto"]}) == {"a": []}


def test_several_share_them_out() -> None:
    assert given({"a": ["auto"], "b": ["auto"]}, *map(gpu, range(5))) == {"a": ["0", "2", "4"], "b": ["1", "3"]}
    assert given({"a": ["auto"], "b": []}, gpu(0)) == {"a": ["0"], "b": []}
    assert given({"a": ["auto"], "b": ["1"]}, gpu(0), gpu(1)) == {"a": ["0"], "b": ["1"]}
    assert given({"a": ["auto"], "b": ["auto"]}) == {"a": [], "b": []}


def test_they_share_one_by_choice_alone() -> None:
    assert given({"a": ["0"], "b": ["GPU-0"]}, gpu(0)) == {"a": ["0"], "b": ["0"]}
    with pytest.raises(
        SharesError, match=r"^a and b are to find a GPU each, and the host has 1 for them. Say which they"
    ):
        given({"a": ["auto"], "b": ["auto"]}, gpu(0))


def test_what_cannot_be_used_is_told_all_at_once() -> None:
    with pytest.raises(SharesError) as told:
        given({"a": ["7", "1"], "b": ["GPU-x"]}, gpu(0), gpu(1, "It fell off the bus."))
    assert str(told.value).splitlines() == [
        "a is to use GPU '7', but the host has 0 (H200, GPU-0).",
        "a is to use GPU '1': It fell off the bus.",
        "b is to use GPU 'GPU-x', but the host has 0 (H200, GPU-0).",
    ]
    with pytest.raises(SharesError, match=r"but the host has none that can be used. It has no driver.$"):
        shares({"a": ["0"]}, FoundGpus([], ["It has no driver."]))


def test_a_gpu_in_parts_is_used_by_its_parts() -> None:
    parts = tuple(
        Gpu(NVIDIA, f"0:{n}", f"MIG-{n}", "H200", "b", ("nvidia0", f"nvidia-caps/nvidia-cap{n}"), COMMON)
        for n in (0, 1)
    )
    assert given({"a": ["auto"], "b": ["auto"]}, gpu(0, parts=parts)) == {"a": ["0:0"], "b": ["0:1"]}
    assert given({"a": ["MIG-1"], "b": ["0:0"]}, gpu(0, parts=parts)) == {"a": ["0:1"], "b": ["0:0"]}
    with pytest.raises(SharesError, match=r"which is cut into parts \(MIG\). Name one: 0:0 \(H200, MIG-0\), 0:1"):
        given({"a": ["0"]}, gpu(0, parts=parts))


def test_a_unit_allows_these_devices_and_no_others() -> None:
    amd = Gpu(AMD, "1", "GPU-00ff", "MI300", "b", ("dri/renderD128",), ("kfd",))
    assert directives([gpu(0), gpu(2), amd], [gpu(0), gpu(1)], ["render"]).splitlines() == [
        "# Ansible managed",
        "[Unit]",
        "Wants=flower-gpus.service",
        "After=flower-gpus.service",
        "[Service]",
        "# In the private /dev they lie beside what every process has; of these, what the links lead to may be opened.",
        "BindPaths=-/dev/nvidiactl",
        "BindPaths=-/dev/nvidia-uvm",
        "BindPaths=-/dev/kfd",
        "BindPaths=-/dev/dri/renderD128",
        "BindPaths=-/dev/nvidia0",
        "BindPaths=-/dev/nvidia1",
        "BindPaths=-/dev/nvidia2",
        "DevicePolicy=closed",
        "DeviceAllow=/dev/nvidiactl rw",
        "DeviceAllow=/dev/nvidia-uvm rw",
        "DeviceAllow=/dev/kfd rw",
        "DeviceAllow=/dev/flower/GPU-0 rw",
        "DeviceAllow=/dev/flower/GPU-2 rw",
        "DeviceAllow=/dev/flower/GPU-00ff rw",
        'Environment="CUDA_VISIBLE_DEVICES=GPU-0,GPU-2"',
        'Environment="ROCR_VISIBLE_DEVICES=GPU-00ff"',
        "SupplementaryGroups=render",
    ]
    assert directives([]) == ""


def test_a_driver_must_be_new_enough_for_the_libraries(tmp_path: Path) -> None:
    packages = tmp_path / "venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    assert cuda_versions(str(tmp_path)) == []
    (packages / "nvidia_cuda_runtime_cu12-12.8.90.dist-info").mkdir()
    assert cuda_versions(str(tmp_path)) == [12]
    assert driver_problems([gpu(0)], str(tmp_path)) == []
    old = Gpu(**{**vars(gpu(0)), "driver": "535.104"})
    assert driver_problems([old], str(tmp_path)) == []
    (packages / "nvidia_cuda_runtime-13.0.48.dist-info").mkdir()
    assert driver_problems([gpu(0)], str(tmp_path)) == []
    assert driver_problems([old], str(tmp_path)) == [
        "GPU 0 has NVIDIA's driver 535.104, but the libraries that are installed for ClientApps are for CUDA 13, which"
        " needs 580.65 or newer. Renew the driver, or lock libraries for an older CUDA (runtime_lock)."
    ]
