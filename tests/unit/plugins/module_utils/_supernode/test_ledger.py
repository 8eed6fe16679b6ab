# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode.ledger import Ledger, Member, SuperNodeError

FORMER, PRESENT = "state/supernodes.json", "records/supernodes.json"
A, B = Member("a", "SHA256:a", "1", "north", "host-a", "key a"), Member("b", "SHA256:b", "2")


def write(home: Path, place: str, text: str) -> Path:
    path = home / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_put_is_found_again(tmp_path) -> None:
    for member in (B, A):
        Ledger(str(tmp_path)).put(member)
    ledger = Ledger(str(tmp_path))
    assert ledger.members == [A, B]
    assert (ledger.by_name("b"), ledger.by_name("c")) == ([B], [])
    assert (ledger.by_fingerprint("SHA256:a"), ledger.by_fingerprint(None)) == (A, None)
    ledger.remove(A)
    assert Ledger(str(tmp_path)).members == [B]


def test_a_key_has_one_line(tmp_path) -> None:
    renamed = Member("c", A.fingerprint, A.node_id)
    for member in (A, renamed):
        Ledger(str(tmp_path)).put(member)
    assert Ledger(str(tmp_path)).members == [renamed]


def test_the_place_that_another_account_could_write_is_left(tmp_path) -> None:
    former = write(tmp_path, FORMER, json.dumps({"supernodes": [{"name": "a", "fingerprint": "f", "node_id": "1"}]}))
    Ledger(str(tmp_path)).move()
    assert Ledger(str(tmp_path)).members == [Member("a", "f", "1")]
    Ledger(str(tmp_path)).move()
    assert not former.exists()


def test_only_lines_of_text_count(tmp_path) -> None:
    rows = ["a", {"name": 1}, {"name": "a", "fingerprint": "f", "node_id": "1", "more": 2}]
    write(tmp_path, PRESENT, json.dumps({"supernodes": rows}))
    assert Ledger(str(tmp_path)).members == [Member("a", "f", "1")]
    write(tmp_path, PRESENT, json.dumps({"supernodes": "none"}))
    assert Ledger(str(tmp_path)).members == []


def test_one_that_cannot_be_read_is_refused_with_what_to_do(tmp_path) -> None:
    write(tmp_path, PRESENT, "{")
    with pytest.raises(SuperNodeError, match="Restore it from a backup, or remove it"):
        Ledger(str(tmp_path))
