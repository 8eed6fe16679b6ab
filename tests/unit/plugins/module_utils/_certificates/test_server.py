# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._certificates.server import days_left, subject_alt_names


def test_addresses_and_names_are_told_apart_and_each_is_told_once() -> None:
    names = subject_alt_names(
        ["SL.example.org", "10.0.0.1", "sl"],
        ["192.0.2.7", "10.0.0.1", "FE80::1", "2001:db8::1"],
        ["flower.example.org", "SL", "2001:DB8::2"],
    )
    assert names == [
        *("IP:10.0.0.1", "IP:127.0.0.1", "IP:::1", "IP:192.0.2.7", "IP:2001:db8::1", "IP:2001:db8::2"),
        *("DNS:sl.example.org", "DNS:sl", "DNS:localhost", "DNS:flower.example.org"),
    ]


NEEDED = (["sl", "10.0.0.1"], ["flower.example.org"])
OF_TODAY = subject_alt_names(NEEDED[0], ["172.17.0.1", "2001:db8::aa"], NEEDED[1])


@pytest.mark.parametrize("found", [[], ["192.0.2.7"], ["172.17.0.1", "2001:db8::bb"]])
def test_addresses_that_come_and_go_make_no_other_certificate(found) -> None:
    assert {*subject_alt_names(NEEDED[0], found, NEEDED[1], OF_TODAY)} == {*OF_TODAY}


def test_another_spelling_is_the_same_entry() -> None:
    told = [entry.replace("IP:::1", "IP:0:0:0:0:0:0:0:1").replace("DNS:sl", "DNS:SL") for entry in OF_TODAY]
    assert {*subject_alt_names(NEEDED[0], [], NEEDED[1], told)} == {*OF_TODAY}


@pytest.mark.parametrize("name", ["new.example.org", "10.0.0.2", "2001:db8::cc"])
def test_a_name_that_others_are_told_makes_a_certificate_of_what_there_is_now(name) -> None:
    made = subject_alt_names(NEEDED[0], ["192.0.2.7"], [*NEEDED[1], name], OF_TODAY)
    assert made == subject_alt_names(NEEDED[0], ["192.0.2.7"], [*NEEDED[1], name])
    assert "IP:172.17.0.1" not in made


@pytest.mark.parametrize("name", ["cafe", "10.example", "a:b.example"])
def test_a_name_that_looks_like_an_address_is_a_name(name) -> None:
    assert f"DNS:{name}" in subject_alt_names([name], [], [])


@pytest.mark.parametrize(("hour", "days"), [("00", 2), ("12", 1), ("23", 1)])
def test_the_days_that_are_left_are_whole_days(hour, days) -> None:
    now = datetime(2026, 1, 1, int(hour), 0, 0, tzinfo=UTC)
    assert days_left("20260103000000Z", now) == days
    assert days_left("20251231000000Z", now) < 0
