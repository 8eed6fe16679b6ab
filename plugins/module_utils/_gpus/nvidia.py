# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of NVIDIA that a host has, by its driver, by nvidia-smi, and by the bus.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import stat
import subprocess
import typing as t
import xml.etree.ElementTree as ET
from contextlib import suppress

from .gpu import DRIVER_TOOLS, NVIDIA, FoundGpus, Gpu, content, pairs, whole

MIB = 1024**2
_SMI_PATIENCE = 60  # seconds; the first question loads the driver
_COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
_PCI_VENDOR = "0x10de"
_PCI_DISPLAYS = ("0x0300", "0x0302")  # the class of a graphics card, and of one without an outlet
_NOT_OURS = ("vfio-pci", "pci-stub")  # drivers of a GPU that a virtual machine has
_VERSION = "version"
_MIG = re.compile(r"^\s+MIG .*Device\s+\d+: \(UUID: (MIG-[0-9A-Za-z/-]+)\)", re.MULTILINE)
_GPU = re.compile(r"^GPU \d+: .*\(UUID: GPU-[0-9a-f-]+\)", re.MULTILINE)


def nvidia_gpus(root: str) -> FoundGpus:
    """Return them, in the order of the bus."""
    displays = _pci_displays(root)
    version = _driver_version(root)
    known = {_bus(path): {**pairs(content(path)), _VERSION: version} for path in _information(root)}
    if not displays and not known:
        return FoundGpus()
    if not os.path.isdir(os.path.join(root, "proc/driver/nvidia")):
        advice = "Install NVIDIA's driver for this kernel, or see 'dmesg' for why its module nvidia is not loaded."
        return FoundGpus(problems=[f"The NVIDIA GPU at {bus} has no driver. {advice}" for bus in displays])
    asked, why = _asked_of_smi()
    # Each question takes a second, and few GPUs are cut.
    listing, parts = (_smi("-L")[0], _parts(root, known)) if asked and _is_any_cut(root) else ("", {})
    places = sorted({*known, *asked})
    gpus = [_gpu(bus, str(number), known.get(bus, {}), asked.get(bus), why) for number, bus in enumerate(places)]
    silent = [bus for bus in displays if bus not in places]
    advice = "It may have fallen off the bus: see 'dmesg | grep -i nvrm'. Start the host anew, from cold if need be."
    return FoundGpus(
        [_with_parts(gpu, parts.get(gpu.bus, []), listing) for gpu in gpus],
        [f"The NVIDIA GPU at {bus} is one that its driver does not know. {advice}" for bus in silent],
    )


def load_drivers(root: str = "/") -> None:
    """Have the device files that a driver makes only when it is first used."""
    if not os.path.isdir(os.path.join(root, "proc/driver/nvidia/gpus")):
        return
    if tool := shutil.which("nvidia-modprobe", path=DRIVER_TOOLS):
        subprocess.run([tool, "-c", "0", "-u"], check=False, capture_output=True, timeout=_SMI_PATIENCE)
    elif tool := shutil.which("modprobe", path=DRIVER_TOOLS):
        subprocess.run([tool, "nvidia-uvm"], check=False, capture_output=True, timeout=_SMI_PATIENCE)
    major = _majors(root).get("nvidia-uvm")
    for minor, name in enumerate(_COMMON[1:]):
        place = os.path.join(root, "dev", name)
        if major is not None and not os.path.exists(place):
            with suppress(FileExistsError):
                os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
            os.chmod(place, 0o666)


def _majors(root: str) -> dict[str, int]:
    """The numbers of the kinds of character devices, which the kernel gives out anew at every start."""
    found: dict[str, int] = {}
    for line in content(root, "proc/devices").partition("Block devices:")[0].splitlines():
        number, dummy, name = line.strip().partition(" ")
        if number.isdigit():
            found.setdefault(name, int(number))
    return found


_ASKED = (
    "index", "uuid", "name", "driver_version", "pci.bus_id", "memory.total", "memory.used", "utilization.gpu",
)  # fmt: skip


def _asked_of_smi() -> tuple[dict[str, dict[str, str]], str]:
    """What nvidia-smi says of each GPU, by its place on the bus; else why it says nothing."""
    text, why = _smi(f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits")
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    answers = [dict(zip(_ASKED, row)) for row in rows if len(row) == len(_ASKED)]
    return {_short(answer["pci.bus_id"]): answer for answer in answers}, why


def _smi(*arguments: str) -> tuple[str, str]:
    """Return what nvidia-smi answers, and what went wrong: with a GPU that is lost it still tells of others."""
    tool = shutil.which("nvidia-smi", path=DRIVER_TOOLS)
    if tool is None:
        return "", ""
    try:
        done = subprocess.run(
            [tool, *arguments], check=False, capture_output=True, text=True, errors="replace", timeout=_SMI_PATIENCE,
            env={"PATH": DRIVER_TOOLS, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"nvidia-smi has not answered for {_SMI_PATIENCE} s"
    except OSError as error:
        return "", f"nvidia-smi cannot be started: {error.strerror}"
    if done.returncode == 0:
        return done.stdout, ""
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[:300].rstrip(".")
    return done.stdout, f"nvidia-smi says: {said or f'nothing, and ends with {done.returncode}'}"


def _gpu(bus: str, number: str, told: t.Mapping[str, str], answer: t.Mapping[str, str] | None, why: str) -> Gpu:
    """A GPU by what its driver has told, and by the answer of nvidia-smi."""
    uuid = answer["uuid"] if answer else told.get("GPU UUID", "")
    minor, problem = told.get("Device Minor", ""), ""
    if told.get("GPU Excluded") == "Yes":
        problem = f"The NVIDIA GPU at {bus} is excluded by a setting of its driver (NVreg_ExcludedGpus)."
    elif answer is None and why:
        problem = f"The NVIDIA GPU at {bus} cannot be used: {why}. See 'dmesg | grep -i nvrm'."
    return Gpu(
        NVIDIA,
        index=answer["index"] if answer else number,
        uuid="" if "?" in uuid else uuid,  # a GPU that nobody has used yet tells question marks
        name=answer["name"] if answer else told.get("Model", ""),
        bus=bus,
        nodes=(f"nvidia{minor}",) if minor.isdigit() else (),
        common=_COMMON,
        driver=answer["driver_version"] if answer else told.get(_VERSION, ""),
        memory=_number(answer, "memory.total", MIB),
        memory_used=_number(answer, "memory.used", MIB),
        busy=_number(answer, "utilization.gpu", 1),
        problem=problem,
    )


def _information(root: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(root), "proc/driver/nvidia/gpus/*/information")))


def _driver_version(root: str) -> str:
    found = re.search(r"\s([0-9]{3,}[.][0-9.]+)\s", content(root, "proc/driver/nvidia/version"))
    return found.group(1) if found else ""


def _is_any_cut(root: str) -> bool:
    return bool(glob.glob(os.path.join(glob.escape(root), "proc/driver/nvidia/capabilities/gpu*/mig/gi*")))


def _parts(root: str, known: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """The parts of GPUs that are cut, by the place of the GPU on the bus: the index and device files of each."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    with suppress(ET.ParseError):
        for gpu in ET.fromstring(_smi("-q", "-x")[0]).iter("gpu"):
            bus = _short(gpu.get("id", ""))
            minor = known.get(bus, {}).get("Device Minor", "")
            for part in gpu.iter("mig_device"):
                instance, compute = (part.findtext(f"{kind}_instance_id", "") for kind in ("gpu", "compute"))
                folder = os.path.join(root, f"proc/driver/nvidia/capabilities/gpu{minor}/mig/gi{instance}")
                access = [os.path.join(folder, "access"), os.path.join(folder, f"ci{compute}", "access")]
                minors = [pairs(content(path)).get("DeviceFileMinor", "") for path in access]
                nodes = tuple(f"nvidia-caps/nvidia-cap{number}" for number in minors if number.isdigit())
                found.setdefault(bus, []).append((part.findtext("index", ""), nodes))
    return found


def _with_parts(gpu: Gpu, parts: t.Sequence[tuple[str, tuple[str, ...]]], listing: str) -> Gpu:
    """Return the GPU with its parts; nvidia-smi lists their UUIDs below that of the GPU, in the same order."""
    if not parts or not gpu.uuid:
        return gpu
    after = _GPU.split(listing.partition(gpu.uuid)[2])[0]
    uuids = _MIG.findall(after)
    cut = tuple(
        Gpu(gpu.vendor, f"{gpu.index}:{index}", uuid, gpu.name, gpu.bus, (*gpu.nodes, *nodes), gpu.common, gpu.driver)
        for (index, nodes), uuid in zip(parts, uuids)
    )
    return Gpu(**{**vars(gpu), "parts": cut})


def _pci_displays(root: str) -> list[str]:
    """Where on the bus there are graphics cards of NVIDIA, whatever their driver says."""
    found = []
    for folder in sorted(glob.glob(os.path.join(glob.escape(root), "sys/bus/pci/devices/*"))):
        vendor, kind = (content(folder, name).strip() for name in ("vendor", "class"))
        driver = os.path.basename(os.path.realpath(os.path.join(folder, "driver")))
        if vendor == _PCI_VENDOR and kind.startswith(_PCI_DISPLAYS) and driver not in _NOT_OURS:
            found.append(os.path.basename(folder))
    return found


def _bus(information: str) -> str:
    return _short(os.path.basename(os.path.dirname(information)))


def _short(bus: str) -> str:
    """A place on the bus as the kernel writes it: nvidia-smi gives the domain twice as many digits."""
    domain, dummy, rest = bus.strip().lower().partition(":")
    return f"{domain[-4:]}:{rest}"


def _number(answer: t.Mapping[str, str] | None, name: str, unit: int) -> int | None:
    """A figure of nvidia-smi, which may be "[N/A]"."""
    number = whole(answer[name]) if answer else None
    return None if number is None else number * unit
