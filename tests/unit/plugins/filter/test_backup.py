# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.backup import FilterModule

FILTERS = FilterModule().filters()


def test_the_filters_tell_what_the_library_tells() -> None:
    vault = {"directory": "/b", "method": "vault"}
    assert FILTERS["backup_problems"](vault, "make") == [
        "backup_vault_password is not set, which backup_method=vault needs."
    ]
    assert FILTERS["backup_opened_problems"](["ca.crt", "ca.key"], []) == []


def test_a_step_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="step is 'verify' but must be make or open"):
        FILTERS["backup_problems"]({}, "verify")
