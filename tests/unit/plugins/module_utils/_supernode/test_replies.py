# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the launcher of the SuperNode has a copy of: replies that never become whole, and refusals."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode import replies
from ansible_collections.fedops.flower.plugins.module_utils._supernode.refusals import refusal


def test_pieces_are_waited_for_while_some_come(monkeypatch) -> None:
    monkeypatch.setattr(replies, "MISSED", 0.2)
    content = [b"", b"", b"one", b"", None, b"", b"", b""]
    awaited = replies.Awaited(SimpleNamespace(get=lambda name: content.pop(0), delete=lambda name: f"{name} is gone"))
    seen = []
    for _look in range(7):
        seen.append(awaited.get("0a"))
        time.sleep(0.11)
    assert seen == [b"", b"", b"one", b"", None, b"", b""]
    with pytest.raises(TimeoutError, match="its ClientApp has sent no more of it for 0.2 s, and is taken for dead"):
        awaited.get("0a")
    assert awaited.delete("0a") == "0a is gone"


@pytest.mark.parametrize(
    ("behind", "told"),
    [(0, ""), (3600, " s behind the SuperLink's"), (-60, " s ahead of the SuperLink's")],
)
def test_a_refusal_says_whether_clocks_differ(behind: int, told: str) -> None:
    headers = {"date": formatdate(time.time() + behind, usegmt=True)}
    said = refusal(SimpleNamespace(status_code=401, text=" no \n", headers=headers))
    assert said.startswith("The SuperLink refuses this SuperNode: 401 no")
    assert told in said
    assert ("chrony" in said) == bool(told)
