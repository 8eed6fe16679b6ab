# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit says of GPUs lies in a file beside the unit: of all units on a host, any may have such a file.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import typing as t
from dataclasses import dataclass, field

from .._base import guarded
from .._base.files import Directory, File
from .._base.layout import SYSTEMD
from .cuda import driver_problems
from .devices import found_gpus, groups_of, make_links
from .gpu import FoundGpus, Gpu
from .nvidia import load_drivers
from .shares import AUTO, described, directives, shares

GPU_SETTINGS = "gpus.conf"


def gpu_settings(unit: str, systemd: str = SYSTEMD) -> str:
    """Return the file that says which GPUs a unit may use."""
    return os.path.join(systemd, f"{unit}.d", GPU_SETTINGS)


def gpus_are_used(systemd: str = SYSTEMD) -> bool:
    """Tell whether any unit of the host may use a GPU."""
    return bool(glob.glob(os.path.join(glob.escape(systemd), "*.d", GPU_SETTINGS)))


@dataclass(frozen=True)
class Given:
    """The GPUs that the units of a host may use, by who asks for them."""

    found: FoundGpus
    gpus: t.Mapping[str, t.Sequence[Gpu]]
    warnings: list[str]  # what is left out, and what is too old

    @property
    def told(self) -> dict[str, list[str]]:
        """The GPUs of each that has any, for a person."""
        return {name: [described(gpu) for gpu in gpus] for name, gpus in self.gpus.items() if gpus}

    def text(self, name: str) -> str:
        """Return what the unit of one says of its GPUs; nothing where it has none."""
        return directives(self.gpus[name], self.found.gpus, groups_of(self.gpus[name]))

    def name_devices(self) -> None:
        """Have the device files, and the links by which units name them, as the host's next start has them."""
        load_drivers()
        make_links(self.found.gpus)


def given_gpus(asked: t.Mapping[str, t.Sequence[str]], home: str) -> Given:
    """Return the GPUs that each may use who asks for some; raise SharesError when one cannot be used."""
    found = found_gpus() if any(asked.values()) else FoundGpus()
    gpus = shares(asked, found)
    used = {gpu.index: gpu for each in gpus.values() for gpu in each}
    warnings = driver_problems(list(used.values()), home)
    if any(list(entries) == [AUTO] for entries in asked.values()):
        warnings += [*found.problems, *(gpu.problem for gpu in found.gpus if gpu.problem)]
    return Given(found, gpus, warnings)


@dataclass
class Access:
    """What was done for a unit, or in check mode would be."""

    given: Given
    changed: bool = False
    diff: list[dict[str, str]] = field(default_factory=list)


def give_access(
    unit: str, asked: t.Sequence[str], home: str, systemd: str = SYSTEMD, check_mode: bool = False
) -> Access:
    """Let a unit use these GPUs and no others, from its next start on; raise SharesError when one cannot be used."""
    given = given_gpus({unit: asked}, home)
    file = File(gpu_settings(unit, systemd), given.text(unit))
    before = file.found or ""
    done = Access(given, changed=before != file.text)
    if done.changed:
        done.diff = [{"before_header": file.path, "after_header": file.path, "before": before, "after": file.text}]
    if check_mode:
        return done
    if given.told:
        given.name_devices()
    if file.text and done.changed:
        Directory(os.path.dirname(file.path)).make()
        file.write()
    elif done.changed:
        guarded.remove(file.path)
    return done
