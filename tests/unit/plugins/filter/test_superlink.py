# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.superlink import FilterModule

FILTERS = FilterModule().filters()


def test_the_filters_tell_what_the_library_tells() -> None:
    assert FILTERS["gateway_connections"]("100") == {"per_address": 600, "in_all": 2400, "upstream": 600}
    assert FILTERS["gateway_listens"]("0.0.0.0, [::]", True) == ["0.0.0.0", "[::]"]
    assert FILTERS["gateway_listens"](["0.0.0.0", "[::]"], False) == ["0.0.0.0"]
    assert FILTERS["superlink_state_problem"]("xfs", "/opt/flower") == ""
    assert FILTERS["superlink_state_problem"]("nfs4", "/opt/flower").startswith("runtime_home is /opt/flower, ")


def test_variables_are_found_by_what_their_names_begin_with() -> None:
    given = {"superlink_fleet_port": "abc", "port": "of somebody else", "fl_strategy": "Krum"}
    (problem,) = FILTERS["superlink_problems"](given, "superlink_")
    assert problem == "superlink_fleet_port is abc but must be a port, 1 to 65535."


@pytest.mark.parametrize("given", [7, None])
def test_other_data_is_refused_in_words(given) -> None:
    with pytest.raises(AnsibleFilterError, match="not the variables of the SuperLink"):
        FILTERS["superlink_problems"](given)
