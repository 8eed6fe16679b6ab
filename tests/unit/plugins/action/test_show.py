# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printing a page of text."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.fedops.flower.plugins.action.show import ActionModule


def action(arguments: dict) -> ActionModule:
    task = MagicMock(async_val=0, args=arguments, check_mode=False)
    return ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), None)


def test_the_text_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    show = action({"text": "A   B\n1   2"})
    printed = []
    monkeypatch.setattr(show._display, "display", lambda text, **_options: printed.append(text))
    assert show.run(task_vars={})["changed"] is False
    assert printed == ["\nA   B\n1   2\n"]


def test_a_missing_text_is_refused() -> None:
    with pytest.raises(AnsibleError, match="missing required arguments: text"):
        action({}).run(task_vars={})
