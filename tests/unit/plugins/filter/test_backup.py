# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.backup import FilterModule

FILTERS = FilterModule().filters()


def test_the_filters_tell_what_the_library_tells() -> None:
    assert FILTERS["backup_problems"]({"directory": "/b", "method": "vault"}, "open") == [
        "backup_vault_password is not set, which backup_method=vault needs."
    ]
    assert FILTERS["backup_opened_problems"](["ca.crt", "ca.key"], []) == []


def test_the_program_age_is_looked_for_on_the_controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"directory": "/b", "method": "age", "age_recipients": ["age1"]}
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = FILTERS["backup_problems"](given, "make")
    assert problem.startswith("The controller has no program age")
    (tmp_path / "age").touch(0o755)
    assert FILTERS["backup_problems"](given, "make") == []


def test_a_step_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="step is 'verify' but must be make or open"):
        FILTERS["backup_problems"]({}, "verify")
