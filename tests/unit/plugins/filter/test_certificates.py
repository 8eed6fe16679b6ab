# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.certificates import FilterModule

FILTERS = FilterModule().filters()


@pytest.fixture
def asked(tmp_path) -> dict[str, str]:
    directory = tmp_path / "ca"
    return {"directory": str(directory), "certificate": f"{directory}/ca.crt", "private_key": f"{directory}/ca.key"}


def test_an_authority_is_told_of_as_the_role_asks(asked, tmp_path) -> None:
    assert FILTERS["certificate_authority"](asked) == {"exists": False, "missing": True, "checksum": ""}
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.crt").write_text("c")
    told = FILTERS["certificate_authority"](asked)
    assert (told["exists"], told["missing"], len(told["checksum"])) == (True, False, 64)
    judge = FILTERS["certificate_authority_problem"]
    assert judge(asked, "", "sl", True) == judge(asked, told["checksum"], "sl", False) == ""
    assert "trusts another certificate authority" in judge(asked, "b", "sl", True)
    assert judge(asked, "b", "sl", True, replace=True) == ""


def test_an_inventory_without_a_directory_has_none_for_an_authority(tmp_path) -> None:
    assert FILTERS["certificate_directory"](None) == ""
    assert FILTERS["certificate_directory"](str(tmp_path), []) == f"{tmp_path}/certificates"


def test_a_moment_that_is_none_is_refused_in_words() -> None:
    assert FILTERS["days_left"]("20000101000000Z") < 0
    for moment in (None, "", "2026-01-01"):
        with pytest.raises(AnsibleFilterError, match="is no moment such as"):
            FILTERS["days_left"](moment)


@pytest.mark.parametrize(
    "extra", [["b", "192.0.2.1"], [["b", "192.0.2.1"], []], ["b, 192.0.2.1", ""], ["b", None, ["192.0.2.1"]]]
)
def test_names_by_which_others_reach_it_may_be_text_as_the_command_line_gives_it(extra) -> None:
    assert FILTERS["subject_alt_names"](["a"], [], extra) == [
        "IP:127.0.0.1", "IP:::1", "IP:192.0.2.1", "DNS:a", "DNS:localhost", "DNS:b",
    ]  # fmt: skip


def test_names_are_listed_as_a_certificate_has_them() -> None:
    assert FILTERS["subject_alt_names"](["a"]) == ["IP:127.0.0.1", "IP:::1", "DNS:a", "DNS:localhost"]
