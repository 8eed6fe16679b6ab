# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the playbook smoke."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.smoke import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training

FILTERS = FilterModule().filters()
ROWS = [{"name": "b", "status": "online"}, {"name": "a", "status": "registered"}]


def test_the_filters_hand_their_input_on() -> None:
    training = Training.from_variables({})
    real = {"training": dict(training.values), "run_config": training.toml}
    assert FILTERS["smoke_sites"](ROWS) == ["a", "b"]
    assert FILTERS["smoke_sites"](ROWS, "b") == ["b"]
    assert FILTERS["smoke_absent"](ROWS, ["b"]) == []
    assert FILTERS["smoke_variables"](real, ["a", "b"], "3", "")["fl_max_batches"] == 3
    smoke = {**real, "training": {**real["training"], "fraction_evaluate": 0.0}}
    found = FILTERS["smoke_verdict"]({"sites": ["a"], "real": real, "smoke": smoke, "run": {}})
    assert found["problems"] == ["The run did not come to its end: nothing is known of it"]
    assert FILTERS["smoke_text"](found).startswith("The smoke run of the training default has failed.\n  The run")


@pytest.mark.parametrize("data", [None, 5, "text", [1], {"sites": 3}])
def test_other_data_is_refused_in_words(data: object) -> None:
    with pytest.raises(AnsibleFilterError, match="The input is not what the steps of a smoke run return"):
        FILTERS["smoke_verdict"](data)
