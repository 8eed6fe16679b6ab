# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._certificates.authority import (
    Authority,
    Host,
    found,
    problem,
    usual_directory,
)

MISSING = Authority("/ca", "/ca/ca.crt", "/ca/ca.key")
THERE = replace(MISSING, checksum="a", has_key=True)
NEW = Host(trusted=None, superlink="sl", superlink_is_known=True)
TRUSTS = replace(NEW, trusted="a")
STRANGER = replace(NEW, superlink_is_known=False)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (MISSING, NEW),  # one is made
        (MISSING, replace(TRUSTS, replace=True)),
        (THERE, NEW),
        (THERE, TRUSTS),
        (replace(THERE, has_key=False), TRUSTS),  # nothing is to be signed, perhaps
        (THERE, replace(TRUSTS, superlink_is_known=False)),  # one SuperNode more
        (THERE, replace(TRUSTS, trusted="b", replace=True)),
        (THERE, replace(NEW, forgets=True)),
        (Authority("", "/mine/ca.crt", "", "a"), TRUSTS),
        (Authority("", "/mine/ca.crt", "/mine/ca.key", "a", True), TRUSTS),
        (Authority("/ca", "/mine/ca.crt", "/mine/ca.key", "a", True), TRUSTS),
    ],
)
def test_an_authority_that_is_neither_lost_nor_another_one_is_used(authority, host) -> None:
    assert problem(authority, host) is None


@pytest.mark.parametrize(
    ("authority", "host", "told"),
    [
        (Authority("", "/ca.crt", "/ca.key"), NEW, "certificates_ca_directory is empty, "),
        (replace(MISSING, has_key=True), NEW, "which does not exist, but its private key /ca/ca.key does. "),
        (replace(MISSING, private_key="/k/ca.key"), NEW, "and certificates_ca_private_key is /k/ca.key, and neither "),
        (MISSING, TRUSTS, "which does not exist on the controller, but this host already trusts a certificate "),
        (
            MISSING,
            replace(NEW, forgets=True),
            "which does not exist, and one that is made in this job of AWX would be ",
        ),
        (
            MISSING,
            replace(TRUSTS, forgets=True, replace=True),
            "which does not exist, and one that is made in this job of AWX would be ",
        ),
        (
            MISSING,
            replace(TRUSTS, forgets=True),
            "which does not exist on the controller, but this host already trusts ",
        ),
        (MISSING, STRANGER, "which does not exist on the controller, and sl is not part of this play, "),
        (replace(MISSING, directory="/d"), STRANGER, "and certificates_ca_private_key is /ca/ca.key, and neither "),
        (THERE, replace(TRUSTS, trusted="b"), "but this host trusts another certificate authority. "),
    ],
)
def test_an_authority_is_never_lost_split_or_replaced_unasked(authority, host, told) -> None:
    said = problem(authority, host)
    assert said.startswith(f"certificates_ca_certificate is {authority.certificate}") or not authority.directory
    assert said.removeprefix(f"certificates_ca_certificate is {authority.certificate}").lstrip(", ").startswith(told)
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("certificate", "key", "name"),
    [("pki/ca.crt", "pki/ca.key", "certificate"), ("/pki/ca.crt", "ca.key", "private_key")],
)
def test_a_relative_path_is_refused_where_it_would_lead_into_the_collection(certificate, key, name) -> None:
    said = problem(Authority("pki", certificate, key), NEW)
    assert said.startswith(f"certificates_ca_{name} is {certificate if name == 'certificate' else key} but must be an ")


def test_it_is_kept_beside_the_inventory_and_never_where_ansible_reads_inventories(tmp_path) -> None:
    folder = tmp_path / "inventories"
    (folder / "hub").mkdir(parents=True)
    beside, inside = str(tmp_path / "certificates"), folder / "hub" / "certificates"
    assert usual_directory("") == usual_directory("", [str(folder)]) == ""
    assert usual_directory(str(tmp_path), [str(tmp_path / "hosts.ini")]) == beside
    assert usual_directory(str(folder), [str(folder), "/elsewhere/hosts.ini"]) == beside
    assert usual_directory(str(folder / "hub"), [f"{folder}/"]) == beside
    assert usual_directory(str(folder / "hub"), [str(folder / "hub" / "hosts.ini")]) == str(inside)
    inside.mkdir()
    assert usual_directory(str(folder / "hub"), [str(folder)]) == str(inside)


def test_it_is_looked_for_on_this_machine(tmp_path) -> None:
    certificate, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    asked = (str(tmp_path), str(certificate), str(key))
    assert found(*asked) == Authority(*asked)
    assert found(*asked).is_missing
    certificate.write_bytes(b"certificate")
    assert found(*asked) == Authority(*asked, hashlib.sha256(b"certificate").hexdigest())
    key.touch()
    assert (found(*asked).has_key, found(*asked).is_missing) == (True, False)
