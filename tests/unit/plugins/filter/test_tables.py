# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that write tables."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.tables import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._training import status_page

FILTERS = FilterModule().filters()
EMPTY = {"superlink": {"host": "h", "healthy": True, "certificate_days": 1}, "supernodes": [], "trainings": []}


def test_the_filters_write_what_the_library_writes() -> None:
    history = [{"round": 1, "loss": 0.5}]
    assert FILTERS["history_table"](history) == status_page.history_table(history)
    told = {"sites": [{"site": "a", "state": "counted", "loss": 0.5}]}
    assert FILTERS["sites_table"](told) == status_page.sites_table(told)
    assert FILTERS["status_table"](EMPTY) == status_page.render(EMPTY)


@pytest.mark.parametrize(
    ("name", "data"),
    [("history_table", data) for data in (None, 5, "text", [1])]
    + [("sites_table", data) for data in (None, 5, "text", [1], {"sites": [1]})]
    + [("status_table", data) for data in (None, 5, "text", [1], {}, {"superlink": 3})],
)
def test_other_data_is_refused_in_words(name: str, data: object) -> None:
    with pytest.raises(AnsibleFilterError, match="The input is not"):
        FILTERS[name](data)
