# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sites are called where it may be passed on."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import PSEUDONYM, SiteNames, pseudonym_of
from ansible_collections.fedops.flower.plugins.module_utils._supernode.ledger import (
    Ledger,
    Member,
    federation_secret,
)
from hypothesis import given
from hypothesis import strategies as st

WARD, LAB = Member("ward-a", "SHA256:a", "11"), Member("lab", "SHA256:b", "22")


def called(home: Path) -> dict[str, str]:
    rows = json.loads((home / "records/supernodes.json").read_text())["supernodes"]
    return {row["name"]: row["pseudonym"] for row in rows}


def test_a_site_is_called_the_same_for_ever_and_otherwise_in_another_federation(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for home in (one, other):
        home.mkdir()
        for member in (WARD, LAB):
            Ledger(str(home)).put(member)
    before = called(one)
    assert all(PSEUDONYM.fullmatch(word) for word in before.values())
    assert len({*before.values(), *called(other).values()}) == 4
    Ledger(str(one)).remove(WARD)
    Ledger(str(one)).put(Member("ward-a", "SHA256:new", "33"))  # with another key and number
    assert called(one) == before


def test_the_secret_is_for_its_owner_alone_and_in_no_registry(tmp_path: Path) -> None:
    Ledger(str(tmp_path)).put(WARD)
    path = tmp_path / "certificates/pseudonyms.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (len(path.read_bytes()), federation_secret(str(tmp_path))) == (32, path.read_bytes())
    assert path.read_bytes().hex() not in (tmp_path / "records/supernodes.json").read_text()
    path.write_bytes(b"short")
    with pytest.raises(FedopsError, match="has 5 bytes but must have 16 or more to be a secret"):
        federation_secret(str(tmp_path))


def test_a_registry_of_before_gets_pseudonyms_and_then_stays(tmp_path: Path) -> None:
    place = tmp_path / "records/supernodes.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"supernodes": [{"name": "ward-a", "fingerprint": "f", "node_id": "11"}]}))
    Ledger(str(tmp_path)).move()
    assert called(tmp_path) == {"ward-a": pseudonym_of("ward-a", federation_secret(str(tmp_path)))}
    inode = place.stat().st_ino
    Ledger(str(tmp_path)).move()
    assert place.stat().st_ino == inode


def test_who_may_know_reads_the_names(tmp_path: Path) -> None:
    for member in (WARD, LAB):
        Ledger(str(tmp_path)).put(member)
    words = called(tmp_path)
    names = SiteNames(json.loads((tmp_path / "records/supernodes.json").read_text())["supernodes"])
    text = f"{words['lab']}: no answer; {words['ward-a']}: bad; node 22 and node 7; site-aaaaaaaaaaaa"
    assert names.real(text) == "lab: no answer; ward-a: bad; lab and node 7; site-aaaaaaaaaaaa"
    hidden = names.hidden("lab: no answer; ward-a: labels of ward-a-2 and lab-1 are bad (ward-a)")
    assert hidden == (
        f"{words['lab']}: no answer; {words['ward-a']}: labels of ward-a-2 and lab-1 are bad ({words['ward-a']})"
    )
    assert names.real(hidden) == "lab: no answer; ward-a: labels of ward-a-2 and lab-1 are bad (ward-a)"


def test_no_name_of_a_site_is_left_in_a_text() -> None:
    rows = [
        {"name": "a", "pseudonym": "site-a", "node_id": "1", "site": "Ward A", "host": "box"},
        {"name": "b-2", "pseudonym": "site-b", "node_id": "2", "site": "", "host": "box"},
        {"name": "old", "node_id": "3"},
    ]
    names = SiteNames(rows)
    assert names.hidden("a: it holds a model of Ward A") == "site-a: it holds a model of site-a"
    assert names.hidden("b-2 on box: /data/b-2/train.npz") == "site-b on (a host): /data/site-b/train.npz"
    assert names.hidden("old: older") == "node 3: older"
    assert [names.pseudonym(name) for name in ("a", "old", "else")] == ["site-a", "node 3", "else"]
    assert SiteNames([]).hidden("a: b") == "a: b"


@given(st.text(), st.binary(min_size=16, max_size=64))
def test_any_name_has_a_pseudonym(name: str, secret: bytes) -> None:
    word = pseudonym_of(name, secret)
    assert PSEUDONYM.fullmatch(word)
    assert word == pseudonym_of(name, secret)
    assert word != pseudonym_of(name, secret + b"\0x")
