# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.superlink import FilterModule

FILTERS = FilterModule().filters()


def test_the_filters_tell_what_the_library_tells() -> None:
    assert FILTERS["gateway_connections"]("100") == {"per_address": 600, "in_all": 2400, "upstream": 600}
    assert FILTERS["superlink_state_problem"]("xfs", "/opt/flower") == ""
    assert FILTERS["superlink_state_problem"]("nfs4", "/opt/flower").startswith("runtime_home is /opt/flower, ")


@pytest.mark.parametrize("given", [{}, None])
def test_other_data_is_refused_in_words(given) -> None:
    with pytest.raises(AnsibleFilterError, match="not the variables of the SuperLink"):
        FILTERS["superlink_problems"](given)
