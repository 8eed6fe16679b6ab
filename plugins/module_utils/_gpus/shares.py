# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which GPUs each SuperNode of a host uses, and what the unit of its ClientApps says so that they see no others.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.errors import FedopsError
from .._base.escape import unit_environment
from .._base.layout import GPUS_UNIT
from .._base.notation import as_list, is_unset, show
from .gpu import AMD, NVIDIA, FoundGpus, Gpu

AUTO, NO_GPUS = "auto", "none"
_ENTRY = re.compile(r"[0-9]{1,3}(:[0-9]{1,2})?|(GPU|MIG)-[0-9A-Za-z/-]{1,90}")
_RULE = f"must be {AUTO}, {NO_GPUS}, or a list of the indexes or UUIDs that 'nvidia-smi -L' shows"
# What makes the libraries of a vendor see these devices alone.
_VISIBLE = {NVIDIA: "CUDA_VISIBLE_DEVICES", AMD: "ROCR_VISIBLE_DEVICES"}


class SharesError(FedopsError):
    """The host has no such GPUs; the message has a line for each problem."""


def asked_gpus(value: object) -> list[str]:
    """Return what is asked for as entries: C(auto) alone, none at all, or indexes and UUIDs."""
    if is_unset(value):
        return [AUTO]
    entries = [str(entry).strip() for entry in as_list(value)]
    return [] if [entry.lower() for entry in entries] == [NO_GPUS] else [_plain(entry) for entry in entries]


def gpus_problem(value: object) -> str:
    """Say which rule a value of C(supernode_gpus) breaks, or nothing."""
    if isinstance(value, (bool, float)):
        return _RULE
    entries = asked_gpus(value)
    if entries == [AUTO] or all(_ENTRY.fullmatch(entry) for entry in entries):
        twice = next((entry for entry in entries if entries.count(entry) > 1), None)
        return f"must name each GPU once, and has {show(twice)} twice" if twice else ""
    return _RULE


def shares(asked: t.Mapping[str, t.Sequence[str]], found: FoundGpus) -> dict[str, list[Gpu]]:
    """Return the GPUs that each SuperNode uses, by its name.

    Those that ask for C(auto) share what no other has named: one SuperNode has all of it, several have as many each.
    Raise SharesError if one names a GPU that cannot be used, or if there are fewer GPUs than SuperNodes that want one.
    """
    usable = {gpu.index: gpu for gpu in _units(found)}
    problems: list[str] = []
    given: dict[str, list[Gpu]] = {}
    for name, entries in asked.items():
        if list(entries) != [AUTO]:
            chosen = [_chosen(name, entry, found, problems) for entry in entries]
            given[name] = [gpu for gpu in chosen if gpu is not None]
    waiting = [name for name, entries in asked.items() if list(entries) == [AUTO]]
    taken = {gpu.uuid or gpu.index for gpus in given.values() for gpu in gpus}
    free = [gpu for gpu in usable.values() if (gpu.uuid or gpu.index) not in taken]
    if free and len(free) < len(waiting):
        problems.append(
            f"{' and '.join(waiting)} are to find a GPU each, and the host has {len(free)} for them. Say which they"
            f" share, or that they use none, with gpus in supernode_instances: {_listed(found)}."
        )
    if problems:
        raise SharesError("\n".join(problems))
    return {**{name: free[number :: len(waiting)] for number, name in enumerate(waiting)}, **given}


def directives(gpus: t.Sequence[Gpu], others: t.Sequence[Gpu] = (), groups: t.Sequence[str] = ()) -> str:
    """Return what the unit of ClientApps that use these GPUs says beyond what others do; nothing without any.

    C(others) are the rest of the host's, whose numbers may be those of these GPUs after the next start; C(groups) are
    those of the host whose members alone may open the device files.
    """
    if not gpus:
        return ""
    visible = {
        _VISIBLE[vendor]: ",".join(gpu.uuid or gpu.index for gpu in gpus if gpu.vendor == vendor)
        for vendor in dict.fromkeys(gpu.vendor for gpu in gpus)
    }
    common = [f"/dev/{name}" for name in dict.fromkeys(name for gpu in gpus for name in gpu.common)]
    allowed = [*common, *dict.fromkeys(link for gpu in gpus for link in gpu.links)]
    vendors = {gpu.vendor for gpu in gpus}
    seen = sorted({f"/dev/{name}" for gpu in (*gpus, *others) if gpu.vendor in vendors for name in gpu.nodes})
    lines = [
        "# Ansible managed",
        "[Unit]",
        f"Wants={GPUS_UNIT}",
        f"After={GPUS_UNIT}",
        "[Service]",
        "# In the private /dev they lie beside what every process has; of these, what the links lead to may be opened.",
        *(f"BindPaths=-{path}" for path in [*common, *seen]),
        "DevicePolicy=closed",
        *(f"DeviceAllow={path} rw" for path in allowed),
        *(f"Environment={unit_environment(name, value)}" for name, value in visible.items()),
        *(f"SupplementaryGroups={group}" for group in groups),
    ]
    return "".join(f"{line}\n" for line in lines)


def described(gpu: Gpu) -> str:
    """Return a GPU as a person would name it."""
    return f"{gpu.index} ({gpu.name}{f', {gpu.uuid}' if gpu.uuid else ''})"


def _units(found: FoundGpus) -> list[Gpu]:
    """What a process can be given: GPUs that can be used, or the parts of those that are cut."""
    return [one for gpu in found.gpus if not gpu.problem for one in (gpu.parts or (gpu,)) if one.nodes]


def _chosen(name: str, entry: str, found: FoundGpus, problems: list[str]) -> Gpu | None:
    """The GPU that an entry names; else what keeps it from being used joins the problems."""
    whole = [gpu for gpu in found.gpus if entry in (gpu.index, gpu.uuid)]
    usable = [gpu for gpu in _units(found) if entry in (gpu.index, gpu.uuid)]
    if usable:
        return usable[0]
    if whole and whole[0].problem:
        problems.append(f"{name} is to use GPU {show(entry)}: {whole[0].problem}")
    elif whole and whole[0].parts:
        problems.append(
            f"{name} is to use GPU {show(entry)}, which is cut into parts (MIG). Name one: {_listed(found)}."
        )
    else:
        told = "".join(f" {problem}" for problem in found.problems)
        problems.append(f"{name} is to use GPU {show(entry)}, but the host has {_listed(found)}.{told}")
    return None


def _listed(found: FoundGpus) -> str:
    return ", ".join(described(gpu) for gpu in _units(found)) or "none that can be used"


def _plain(entry: str) -> str:
    """An entry as drivers write it."""
    return entry.lower() if entry.lower() == AUTO else re.sub("^(gpu|mig)-", lambda found: found.group().upper(), entry)
