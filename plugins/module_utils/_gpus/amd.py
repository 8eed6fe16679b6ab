# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of AMD that a host has, as the kernel's amdkfd lists those that ROCm can use.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os

from .gpu import AMD, Gpu, content, whole


def amd_gpus(root: str) -> list[Gpu]:
    """Return them, in the order of the kernel."""
    nodes = glob.glob(os.path.join(glob.escape(root), "sys/class/kfd/kfd/topology/nodes/*/properties"))
    told = [_words(content(path)) for path in sorted(nodes, key=_number)]
    # A node without these is a processor.
    own = [node for node in told if node.get("simd_count", "0") != "0" and node.get("drm_render_minor", "0") != "0"]
    return [_gpu(root, str(number), node) for number, node in enumerate(own)]


def _gpu(root: str, number: str, node: dict[str, str]) -> Gpu:
    minor, unique = node["drm_render_minor"], whole(node.get("unique_id", ""))
    device = os.path.join(root, f"sys/class/drm/renderD{minor}/device")
    return Gpu(
        AMD,
        index=number,
        uuid=f"GPU-{unique:016x}" if unique else "",
        name=content(device, "product_name").strip() or f"GPU of AMD, {node.get('gfx_target_version', 'unknown')}",
        bus=os.path.basename(os.path.realpath(device)),
        nodes=(f"dri/renderD{minor}",),
        common=("kfd",),
        driver=content(root, "sys/module/amdgpu/version").strip(),
        memory=whole(content(device, "mem_info_vram_total")),
        memory_used=whole(content(device, "mem_info_vram_used")),
        busy=whole(content(device, "gpu_busy_percent")),
    )


def _number(properties: str) -> int:
    return whole(os.path.basename(os.path.dirname(properties))) or 0


def _words(text: str) -> dict[str, str]:
    """Lines of NAME VALUE."""
    parts = (line.partition(" ") for line in text.splitlines())
    return {name.strip(): value.strip() for name, dummy, value in parts}
