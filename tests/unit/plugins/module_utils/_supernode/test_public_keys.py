# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
import sqlite3

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._supernode.public_keys import (
    fingerprint,
    openssh_key,
    stored_keys,
)

# Made with ssh-keygen; the fingerprint is what `ssh-keygen -l` says, the PEM what Flower's database holds.
KEY = (
    "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBMLEAwIcLUgP2CTulIrFG/Gicvs0+6b2gA9HBpFW"
    "/Kff+ukH9diw78S9YMmWPJlIia04LlaJGXRaWhL3lcl2QA9bWieus29Civ5YL+Gr27j/KPNjmo+mY9dnu8mFQ+5bvQ=="
)
FINGERPRINT = "SHA256:189OOGcoeLEJwErLXM8h6qVFDjpds1DyUSF0jxWJkvk"
PEM = b"""-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEwsQDAhwtSA/YJO6UisUb8aJy+zT7pvaA
D0cGkVb8p9/66Qf12LDvxL1gyZY8mUiJrTguVokZdFpaEveVyXZAD1taJ66zb0KK
/lgv4avbuP8o82Oaj6Zj12e7yYVD7lu9
-----END PUBLIC KEY-----
"""


@pytest.mark.parametrize("line", [KEY, f"{KEY} node1", f"  {KEY} a comment\n"])
def test_a_fingerprint_is_that_of_ssh_keygen(line) -> None:
    assert fingerprint(line) == FINGERPRINT


def test_a_key_of_the_database_is_known_in_its_openssh_form() -> None:
    assert openssh_key(PEM) == KEY


@pytest.mark.parametrize("curve", ["SECP256R1", "SECP384R1", "SECP521R1"])
def test_the_openssh_form_is_right_on_every_curve(curve) -> None:
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(getattr(ec, curve)()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert openssh_key(pem) == key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", b"x-----y-----AAAA"])
def test_what_is_no_such_key_is_none(pem) -> None:
    assert openssh_key(pem) is None


def test_node_ids_in_the_database_are_signed_and_here_they_are_not(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(identity, "STATE_USER", pwd.getpwuid(os.geteuid()).pw_name)
    (tmp_path / "state").mkdir()
    with sqlite3.connect(tmp_path / "state" / "state.db") as database:
        database.execute("CREATE TABLE node (node_id BIGINT, public_key BLOB)")
        database.execute("INSERT INTO node VALUES (?, ?), (?, NULL)", (-590358790044823445, PEM, 7))
    assert stored_keys(str(tmp_path)) == {"17856385283664728171": KEY}


def test_a_database_that_cannot_be_read_holds_no_keys(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(identity, "STATE_USER", pwd.getpwuid(os.geteuid()).pw_name)
    assert stored_keys(str(tmp_path)) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account")
def test_a_host_that_an_earlier_version_deployed_is_read_in_check_mode(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(identity, "STATE_USER", "nobody-made-this-account")
    assert stored_keys(str(tmp_path)) == {}
