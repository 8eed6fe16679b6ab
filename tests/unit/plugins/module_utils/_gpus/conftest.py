# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with GPUs, made of files: what a machine with an H200 has answered, and variants of it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._gpus import nvidia

DEVICES = """Character devices:
  1 mem
195 nvidia
195 nvidiactl
238 nvidia-uvm
241 nvidia-caps

Block devices:
  8 sd
"""
INFORMATION = """Model: \t\t NVIDIA H200
IRQ:   \t\t 74
GPU UUID: \t {uuid}
Video BIOS: \t 96.00.af.00.01
Bus Type: \t PCIe
Bus Location: \t {bus}
Device Minor: \t {minor}
GPU Excluded:\t {excluded}
"""
VERSION = """NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build
GCC version:  gcc version 13.3.0
"""


def uuid(number: int) -> str:
    return f"GPU-{number:08d}-0000-0000-0000-000000000000"


class NvidiaHost:
    """A host with GPUs of NVIDIA, below a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[str] = []
        self.listing: list[str] = []
        self.write("proc/devices", DEVICES)
        self.write("proc/driver/nvidia/version", VERSION)
        (root / "dev").mkdir()

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")

    def add(self, number: int, minor: int, excluded: str = "No", known: bool = True, answers: bool = True) -> str:
        bus = f"0000:{number:02x}:00.0"
        self.write(f"sys/bus/pci/devices/{bus}/vendor", "0x10de\n")
        self.write(f"sys/bus/pci/devices/{bus}/class", "0x030200\n")
        if known:
            text = INFORMATION.format(uuid=uuid(number), bus=bus, minor=minor, excluded=excluded)
            self.write(f"proc/driver/nvidia/gpus/{bus}/information", text)
            (self.root / "dev" / f"nvidia{minor}").touch()
        if answers:
            index = len(self.rows)
            self.rows.append(f"{index}, {uuid(number)}, NVIDIA H200, 580.159.04, 0000{bus.upper()}, 143771, 1024, 37")
            self.listing.append(f"GPU {index}: NVIDIA H200 (UUID: {uuid(number)})")
        return bus

    def smi(self, tools: Path, answers: Mapping[str, str] | None = None, status: int = 0, error: str = "") -> None:
        """Put a nvidia-smi there that answers so."""
        texts = {"--query-gpu": "\n".join(self.rows), "-L": "\n".join(self.listing), **(answers or {})}
        cases = "".join(f"{option}*) cat <<'END'\n{text}\nEND\n;;\n" for option, text in texts.items())
        tools.mkdir(exist_ok=True)
        tool = tools / "nvidia-smi"
        tool.write_text(
            f'#!/bin/sh\ncase "$1" in\n{cases}esac\n{f"echo {error!r} >&2" if error else ""}\nexit {status}\n'
        )
        tool.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the tools of drivers, where no other is looked for."""
    monkeypatch.setattr(nvidia, "DRIVER_TOOLS", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    return tmp_path / "tools"


@pytest.fixture
def nvidia_host(tmp_path: Path) -> NvidiaHost:
    return NvidiaHost(tmp_path / "host")


@pytest.fixture
def amd_host(tmp_path: Path) -> Callable[[], Path]:
    """A host with a processor and a GPU of AMD, as amdkfd lists them."""

    def make() -> Path:
        root = tmp_path / "amd"
        for number, properties in {
            "0": "cpu_cores_count 64\nsimd_count 0\ndrm_render_minor 0\nunique_id 0\n",
            "1": "cpu_cores_count 0\nsimd_count 880\ndrm_render_minor 128\ngfx_target_version 90402\n"
            "unique_id 11542894563254789012\n",
        }.items():
            folder = root / "sys/class/kfd/kfd/topology/nodes" / number
            folder.mkdir(parents=True)
            (folder / "properties").write_text(properties)
        device = root / "sys/class/drm/renderD128/device"
        device.mkdir(parents=True)
        for name, text in {
            "mem_info_vram_total": "1024\n",
            "mem_info_vram_used": "256\n",
            "gpu_busy_percent": "5\n",
        }.items():
            (device / name).write_text(text)
        (root / "dev/dri").mkdir(parents=True)
        for name in ("kfd", "dri/renderD128"):
            (root / "dev" / name).touch(0o660)
        return root

    return make


MIG_LISTING = textwrap.dedent(
    """\
    GPU 0: NVIDIA H200 (UUID: {uuid})
      MIG 3g.71gb     Device  0: (UUID: MIG-11111111-aaaa-5555-8888-000000000000)
      MIG 3g.71gb     Device  1: (UUID: MIG-22222222-aaaa-5555-8888-000000000000)
    """
)
MIG_XML = textwrap.dedent(
    """\
    <?xml version="1.0" ?>
    <nvidia_smi_log><gpu id="00000000:01:00.0"><mig_devices>
      <mig_device><index>0</index><gpu_instance_id>1</gpu_instance_id><compute_instance_id>0</compute_instance_id></mig_device>
      <mig_device><index>1</index><gpu_instance_id>2</gpu_instance_id><compute_instance_id>0</compute_instance_id></mig_device>
    </mig_devices></gpu></nvidia_smi_log>
    """
)
