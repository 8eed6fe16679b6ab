# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates write values by one function each, and are told what they cannot write."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.escape import FilterModule
from jinja2.exceptions import UndefinedError
from jinja2.runtime import StrictUndefined

FILTERS = FilterModule().filters()


@pytest.mark.parametrize(
    ("name", "arguments", "written"),
    [
        ("environment_line", ("it costs $5", "PRICE"), r'PRICE="it costs \$5"'),
        ("nginx_value", ('a"; b',), r'"a\"; b"'),
        ("toml_value", ("a\nb",), r'"a\U0000000Ab"'),
        ("unit_argument", ("100% $HOME",), '"100%% $$HOME"'),
        ("unit_environment", ("100%", "A"), '"A=100%%"'),
        ("unit_path", ("/srv/100%",), "/srv/100%%"),
        ("unit_text", ("ward 100%",), "ward 100%%"),
    ],
)
def test_value_is_written(name: str, arguments: tuple[str, ...], written: str) -> None:
    assert FILTERS[name](*arguments) == written


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_value_that_cannot_be_is_refused(name: str) -> None:
    arguments = ["A"] if name in ("environment_line", "unit_environment") else []
    with pytest.raises(AnsibleFilterError, match="but must"):
        FILTERS[name]("/a\ud800", *arguments)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_undefined_variable_is_told_as_such(name: str) -> None:
    with pytest.raises(UndefinedError):
        FILTERS[name](StrictUndefined(name="missing"))
