# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a driver is new enough for the CUDA that libraries bring along.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import re

from .._base.layout import VENV
from .gpu import NVIDIA, Gpu

# The oldest driver for any release of a major version, by NVIDIA's table "CUDA Toolkit and Minimum Required Driver
# Version for CUDA Minor Version Compatibility" (release notes of the CUDA Toolkit).
LEAST_DRIVER = {11: (450, 80), 12: (525, 60), 13: (580, 65)}
_RUNTIME = re.compile(r"nvidia_cuda_runtime(?:_cu[0-9]+)?-([0-9]+)\.")


def cuda_versions(home: str) -> list[int]:
    """Return the major versions of CUDA that the libraries of ClientApps bring along."""
    libraries = os.path.join(glob.escape(home), VENV, "lib", "python*", "site-packages", "nvidia_cuda_runtime*-info")
    found = {match.group(1) for path in glob.glob(libraries) if (match := _RUNTIME.match(os.path.basename(path)))}
    return sorted(map(int, found))


def driver_problems(gpus: list[Gpu], home: str) -> list[str]:
    """Return a sentence for each GPU whose driver is too old for the libraries."""
    found, versions = [], cuda_versions(home) if gpus else []
    for gpu in gpus:
        for version in versions if gpu.vendor == NVIDIA else ():
            least = LEAST_DRIVER.get(version)
            if least and _numbers(gpu.driver) < least:
                found.append(
                    f"GPU {gpu.index} has NVIDIA's driver {gpu.driver or 'of an unknown release'}, but the"
                    f" libraries that are installed for ClientApps are for CUDA {version}, which needs"
                    f" {least[0]}.{least[1]} or newer. Renew the driver, or lock libraries for an older CUDA"
                    " (runtime_lock)."
                )
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
