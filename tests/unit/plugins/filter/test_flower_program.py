# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.flower_program import FilterModule

flower_program = FilterModule().filters()["flower_program"]


def test_it_tells_what_the_library_tells() -> None:
    assert flower_program("/opt/flower", "python") == flower_program("/opt/flower", "python", "venv")
    assert flower_program("/opt/flower", "python") == "/opt/flower/venv/bin/python"


def test_a_runtime_that_is_not_there_is_refused_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="runtime_kind is 'container' but must be one of venv"):
        flower_program("/opt/flower", "python", "container")
