# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.supervision_problems import FilterModule

supervision_problems = FilterModule().filters()["supervision_problems"]


def test_it_lists_what_the_library_finds() -> None:
    (problem,) = supervision_problems({"mode": "once", "attempts": 0}, {})
    assert problem.startswith("training_attempts is 0 but")


@pytest.mark.parametrize("given", [None, {}, {"mode": "continuous"}])
def test_other_data_is_refused_in_words(given: object) -> None:
    with pytest.raises(AnsibleFilterError, match="not the variables of a training"):
        supervision_problems(given, {})
