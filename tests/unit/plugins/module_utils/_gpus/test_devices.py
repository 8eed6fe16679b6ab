# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found of the GPUs of a host, and the links that stay when their numbers change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._gpus import nvidia
from ansible_collections.fedops.flower.plugins.module_utils._gpus.devices import found_gpus, groups_of, make_links

from .conftest import MIG_LISTING, MIG_XML, NvidiaHost, uuid


def test_a_gpu_of_nvidia_is_found_with_its_device_files(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(6, minor=0)
    nvidia_host.smi(tools)
    found = found_gpus(str(nvidia_host.root))
    (gpu,) = found.gpus
    assert found.problems == []
    assert (gpu.index, gpu.uuid, gpu.name, gpu.bus) == ("0", uuid(6), "NVIDIA H200", "0000:06:00.0")
    assert (gpu.nodes, gpu.common) == (("nvidia0",), ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"))
    assert (gpu.driver, gpu.memory, gpu.memory_used, gpu.busy) == ("580.159.04", 143771 * 1024**2, 1024**3, 37)
    assert gpu.problem == ""


def test_without_nvidia_smi_the_kernel_tells(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(6, minor=3)
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    assert (gpu.index, gpu.uuid, gpu.name, gpu.nodes) == ("0", uuid(6), "NVIDIA H200", ("nvidia3",))
    assert (gpu.driver, gpu.memory, gpu.problem) == ("580.159.04", None, "")


def test_a_host_without_any_has_none(tmp_path: Path, tools: Path) -> None:
    found = found_gpus(str(tmp_path))
    assert (found.gpus, found.problems) == ([], [])
    make_links(found.gpus, str(tmp_path))
    assert not (tmp_path / "dev").exists()


def test_a_card_of_another_maker_or_of_a_virtual_machine_is_none_of_ours(nvidia_host: NvidiaHost, tools: Path) -> None:
    for vendor, bus in (("0x8086", "0000:00:02.0"), ("0x10de", "0000:09:00.0")):
        nvidia_host.write(f"sys/bus/pci/devices/{bus}/vendor", vendor)
        nvidia_host.write(f"sys/bus/pci/devices/{bus}/class", "0x030000")
    os.symlink("../../drivers/vfio-pci", nvidia_host.root / "sys/bus/pci/devices/0000:09:00.0/driver")
    nvidia_host.write("sys/bus/pci/devices/0000:06:00.1/vendor", "0x10de")
    nvidia_host.write("sys/bus/pci/devices/0000:06:00.1/class", "0x040300")  # the sound of a card
    assert found_gpus(str(nvidia_host.root)).problems == []


def test_a_card_without_a_driver_is_told(tmp_path: Path, tools: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices/0000:06:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x10de\n")
    (folder / "class").write_text("0x030200\n")
    found = found_gpus(str(tmp_path))
    assert found.gpus == []
    assert found.problems == [
        "The NVIDIA GPU at 0000:06:00.0 has no driver. Install NVIDIA's driver for this kernel, or see 'dmesg' for why"
        " its module nvidia is not loaded."
    ]


def test_a_gpu_that_fell_off_the_bus_is_told_and_the_others_go_on(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0)
    nvidia_host.add(2, minor=1, answers=False)
    lost = "Unable to determine the device handle for GPU1: 0000:02:00.0: Unknown Error"
    nvidia_host.smi(tools, status=255, error=lost)
    first, second = found_gpus(str(nvidia_host.root)).gpus
    assert first.problem == ""
    assert second.problem == (
        f"The NVIDIA GPU at 0000:02:00.0 cannot be used: nvidia-smi says: {lost}. See 'dmesg | grep -i nvrm'."
    )


def test_a_driver_that_does_not_fit_the_kernel_is_told(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0, answers=False)
    nvidia_host.smi(tools, {"--query-gpu": "Failed to initialize NVML: Driver/library version mismatch"}, status=18)
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    assert "nvidia-smi says: Failed to initialize NVML: Driver/library version mismatch." in gpu.problem


def test_a_driver_that_hangs_is_not_waited_for(
    nvidia_host: NvidiaHost, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_host.add(1, minor=0)
    tools.mkdir()
    (tools / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "nvidia-smi").chmod(0o755)
    monkeypatch.setattr(nvidia, "_SMI_PATIENCE", 0.2)
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    assert "nvidia-smi has not answered for 0.2 s" in gpu.problem


def test_a_card_that_the_driver_does_not_know_is_told(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0)
    nvidia_host.add(2, minor=1, known=False, answers=False)
    nvidia_host.smi(tools)
    found = found_gpus(str(nvidia_host.root))
    assert len(found.gpus) == 1
    assert found.problems[0].startswith("The NVIDIA GPU at 0000:02:00.0 is one that its driver does not know.")


def test_an_excluded_gpu_is_told(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0, excluded="Yes")
    nvidia_host.smi(tools)
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    assert "excluded by a setting of its driver" in gpu.problem


def test_what_the_driver_does_not_tell_is_unknown(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0)
    nvidia_host.rows[0] = nvidia_host.rows[0].replace("143771, 1024, 37", "[N/A], [Not Supported], [N/A]")
    nvidia_host.smi(tools)
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    assert (gpu.memory, gpu.memory_used, gpu.busy, gpu.problem) == (None, None, None, "")


def test_the_parts_of_a_gpu_have_device_files_of_their_own(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0)
    for instance, minors in {1: (21, 22), 2: (30, 31)}.items():
        folder = f"proc/driver/nvidia/capabilities/gpu0/mig/gi{instance}"
        nvidia_host.write(f"{folder}/access", f"DeviceFileMinor: {minors[0]}\nDeviceFileMode: 292\n")
        nvidia_host.write(f"{folder}/ci0/access", f"DeviceFileMinor: {minors[1]}\nDeviceFileMode: 292\n")
    nvidia_host.smi(tools, {"-L": MIG_LISTING.format(uuid=uuid(1)), "-q": MIG_XML})
    (gpu,) = found_gpus(str(nvidia_host.root)).gpus
    first, second = gpu.parts
    assert (first.index, first.uuid) == ("0:0", "MIG-11111111-aaaa-5555-8888-000000000000")
    assert first.nodes == ("nvidia0", "nvidia-caps/nvidia-cap21", "nvidia-caps/nvidia-cap22")
    assert (second.index, second.uuid) == ("0:1", "MIG-22222222-aaaa-5555-8888-000000000000")
    assert second.nodes == ("nvidia0", "nvidia-caps/nvidia-cap30", "nvidia-caps/nvidia-cap31")


def test_a_gpu_of_amd_is_found(amd_host: Callable[[], Path], tools: Path) -> None:
    root = amd_host()
    (gpu,) = found_gpus(str(root)).gpus
    assert (gpu.vendor, gpu.index, gpu.uuid) == ("AMD", "0", f"GPU-{11542894563254789012:016x}")
    assert (gpu.nodes, gpu.common) == (("dri/renderD128",), ("kfd",))
    assert (gpu.memory, gpu.memory_used, gpu.busy) == (1024, 256, 5)


def test_links_stay_when_numbers_change(nvidia_host: NvidiaHost, tools: Path) -> None:
    nvidia_host.add(1, minor=0)
    nvidia_host.add(2, minor=1)
    root = str(nvidia_host.root)
    folder = nvidia_host.root / "dev/flower"
    make_links(found_gpus(root).gpus, root)
    assert {one.name: os.readlink(one) for one in folder.iterdir()} == {
        uuid(1): "/dev/nvidia0",
        uuid(2): "/dev/nvidia1",
    }
    # The host starts with the first one gone, and the second under another number.
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (nvidia_host.root / f"proc/driver/nvidia/gpus/{bus}/information").unlink()
    nvidia_host.add(2, minor=0)
    make_links(found_gpus(root).gpus, root)
    assert {one.name: os.readlink(one) for one in folder.iterdir()} == {uuid(2): "/dev/nvidia0"}


def test_groups_that_alone_may_open_a_device_are_named(
    amd_host: Callable[[], Path], tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = amd_host()
    gpus = found_gpus(str(root)).gpus
    real = os.stat

    def of_group(path: str) -> os.stat_result:
        found = list(real(path))
        found[5] = 1  # the group that Debian calls daemon
        return os.stat_result(found)

    monkeypatch.setattr(os, "stat", of_group)
    assert groups_of(gpus, str(root)) == ["daemon"]
    for name in ("kfd", "dri/renderD128"):
        (root / "dev" / name).chmod(0o666)
    assert groups_of(gpus, str(root)) == []
