# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that tells what a play that trains has come to."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.training_outcome import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import outcome

FILTER = FilterModule().filters()["training_outcome"]


def test_the_filter_tells_what_the_library_tells() -> None:
    seen = {"name": "default", "run": {"status": "running"}}
    assert FILTER(seen) == outcome.outcome(seen)


@pytest.mark.parametrize("seen", [None, "text", {"run": 5}, {"run": {"history": [{}], "finished": True}, "model": 5}])
def test_other_data_is_refused_in_words(seen: object) -> None:
    with pytest.raises(AnsibleFilterError, match="^The input is not what the steps of a play have returned"):
        FILTER(seen)
