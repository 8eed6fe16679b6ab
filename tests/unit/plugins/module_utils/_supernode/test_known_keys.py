# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode.known_keys import COMPLETE, LENGTH, admit, header

from .test_public_keys import KEY, PEM

OTHER = (
    "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBA48wRVzsK4JdEqC4QlZoCxym7whS9RuY3GTLX2n"
    "lAugVDcJLIoLE88RIYJ0KiYCjYK6C0HQI/SfgOHBt17c1Gm+/o3dHCFGEmsIn6vzIklzgWIF1NidXxEdvVO00kTHNw=="
)
GATEWAY = Path(__file__).parents[5] / "roles" / "superlink" / "templates" / "gateway.conf.j2"


@pytest.fixture
def keys(tmp_path):
    """Where the gateway looks for keys."""
    path = tmp_path / "records" / "keys"
    path.mkdir(parents=True)
    return path


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_header_of_a_key_is_what_flower_sends() -> None:
    assert header(f"{KEY} a comment") == base64.b64encode(PEM).decode()


@pytest.mark.parametrize("curve", ["SECP256R1", "SECP384R1", "SECP521R1"])
def test_the_gateway_finds_the_file_of_a_key_by_its_header_on_every_curve(curve) -> None:
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(getattr(ec, curve)()).public_key()
    sent = base64.b64encode(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert header(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()) == sent
    pattern = re.search(r'"~(.*)" \$point;', GATEWAY.read_text()).group(1).replace("(?<", "(?P<")
    assert re.search(pattern, sent).group("point") == sent[-LENGTH:]
    for foreign in ("", "../complete", COMPLETE, f"{sent[:-LENGTH]}/../{COMPLETE}", sent[-LENGTH:], f"{sent}/"):
        assert re.search(pattern, foreign) is None


def test_the_gateway_knows_exactly_the_keys_that_are_registered(tmp_path, keys) -> None:
    files = [header(key)[-LENGTH:] for key in (KEY, OTHER)]
    assert (admit(str(tmp_path), [KEY, OTHER]), names(keys)) == (True, {*files, COMPLETE})
    assert (admit(str(tmp_path), [KEY, OTHER]), names(keys)) == (False, {*files, COMPLETE})
    assert (admit(str(tmp_path), [OTHER], check_mode=True), names(keys)) == (True, {*files, COMPLETE})
    assert (admit(str(tmp_path), [OTHER]), names(keys)) == (True, {files[1], COMPLETE})
    assert (admit(str(tmp_path), []), names(keys)) == (True, {COMPLETE})


@pytest.mark.parametrize("unknown", ["", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp384 AAAA", "ecdsa-sha2-nistp384 ?", "x"])
def test_nobody_is_a_stranger_while_the_key_of_one_is_not_known(tmp_path, keys, unknown) -> None:
    admit(str(tmp_path), [KEY])
    assert (admit(str(tmp_path), [KEY, unknown]), names(keys)) == (True, {header(KEY)[-LENGTH:]})


def test_a_host_of_before_is_left_as_it_is(tmp_path) -> None:
    assert (admit(str(tmp_path), [KEY]), list(tmp_path.iterdir())) == (False, [])
