# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a federation on its status page."""

from __future__ import annotations

import re

from ansible_collections.fedops.flower.plugins.module_utils._training import picture as _picture
from ansible_collections.fedops.flower.plugins.module_utils._training import status_page
from ansible_collections.fedops.flower.plugins.module_utils._training.columns import number, table
from ansible_collections.fedops.flower.plugins.module_utils._training.gpu_table import gpus_text


def test_each_gpu_has_a_line_and_one_that_cannot_be_used_says_so() -> None:
    gpu = {"index": "0", "name": "NVIDIA H200", "uuid": "GPU-0", "driver": "580.1", "supernodes": ["ward-a", "ward-b"],
           "memory": 150754820096, "memory_used": 1509949440, "busy": 37, "problem": ""}  # fmt: skip
    found = {
        "host": "superlink", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "trainings": [],
        "latest": None,
        "gpus_of_hosts": {
            "box-2": [{**gpu, "index": "1", "supernodes": [], "problem": "It is lost."}, "nonsense"],
            "box-1": [gpu, {"index": "\x1b[2J", "memory": True, "busy": "x", "supernodes": 3}], "box-3": "x",
        },
    }  # fmt: skip
    picture = _picture.federation(found)
    page = status_page.render(picture)
    assert "\x1b" not in page
    lines = page.splitlines()
    begin = lines.index("GPUs")
    assert [re.split(" {2,}", line.strip()) for line in lines[begin + 1 : begin + 5]] == [
        ["HOST", "GPU", "NAME", "SUPERNODES", "MEMORY IN USE", "BUSY"],
        ["box-1", "0", "NVIDIA H200", "ward-a, ward-b", "1.5 of 150.8 GB", "37 %"],
        ["box-1", "\\x1b[2J", "-", "none", "-", "-"],
        ["box-2", "1", "NVIDIA H200", "none", "CANNOT BE USED", "37 %"],
    ]
    assert "GPUs" not in status_page.render(_picture.federation({**found, "gpus_of_hosts": {}}))


def test_a_host_that_tells_little_has_a_line_all_the_same() -> None:
    assert gpus_text([{"host": "box-1"}]).splitlines()[-1].split() == ["box-1", "None", "-", "none", "-", "-"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("A", "B"), [(1, "x"), (number(0.5, 1), number(None))]) == "  A     B\n  1     x\n  0.5   -"
    assert number(1e12) == "1.0000e+12"
