# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.limits import LEAST, range_problems


@pytest.mark.parametrize(("name", "least"), [(name, least) for name, (least, dummy) in LEAST.items()])
def test_the_least_is_accepted_and_nothing_below_it(name, least) -> None:
    assert range_problems({name: least}) == range_problems({name: None}) == range_problems({}) == []
    for value in (least - 1, float("nan"), float("inf")):
        (problem,) = range_problems({name: value, "other": -1})
        assert problem.startswith(f"{name} is {value} but must be a number, at least {least}. {LEAST[name][1]}")


def test_all_problems_are_told_in_the_order_of_the_table() -> None:
    assert [problem.split()[0] for problem in range_problems(dict.fromkeys(LEAST, -1))] == list(LEAST)
