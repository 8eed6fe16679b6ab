# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.round_limits import FilterModule

round_limits = FilterModule().filters()["round_limits"]
TRAINING = {"min_available_clients": 3, "min_fit_clients": 5, "node_wait_timeout": 10, "round_timeout": 100}


@pytest.mark.parametrize("stall_timeout", [7, 7.0, "7"])
def test_it_tells_what_a_round_needs_and_how_long_the_first_may_take(stall_timeout: object) -> None:
    assert round_limits(TRAINING, stall_timeout) == {"needed_nodes": 5, "first_round_timeout": 217}
    assert round_limits({**TRAINING, "min_available_clients": 8}, stall_timeout)["needed_nodes"] == 8


@pytest.mark.parametrize(("training", "stall_timeout"), [(None, 7), ({}, 7), (TRAINING, "soon"), (TRAINING, None)])
def test_other_data_is_refused_in_words(training: object, stall_timeout: object) -> None:
    with pytest.raises(AnsibleFilterError, match="not the variables of a training"):
        round_limits(training, stall_timeout)
