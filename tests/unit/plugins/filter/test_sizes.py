# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.filter.sizes import superlink_memory


@pytest.mark.parametrize(
    ("supernodes", "bound"),
    [(0, "3141M"), (2, "3141M"), ("3", "3417M"), (50, "16401M")],
    ids=["none yet", "two", "text", "fifty"],
)
def test_a_superlink_is_held_to_what_its_supernodes_need(supernodes, bound):
    assert superlink_memory(supernodes) == bound
