# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a channel says is followed only when the authority has said it of this channel."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._delivery.channels import (
    Channel,
    ChannelError,
    open_channel,
    read_channel,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...packages import certified

SAID = Channel("tiny", "stable", "tiny-3-01234567", "a" * 64, 1000, 7, "2026-12-01T00:00:00Z")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("ca"), "ca")


def test_a_channel_says_what_was_signed(authority) -> None:
    content = SAID.sealed(authority.signer())
    assert open_channel(content, authority.pem, "tiny", "stable") == read_channel(content) == SAID


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda given: {**given, "signed": given["signed"].replace('"serial": 7', '"serial": 8')},
            "signature is not of",
        ),
        (lambda given: {**given, "signature": "AAAA"}, "signature is not of these bytes"),
        (lambda given: {**given, "signature": "?"}, "is refused"),
        (lambda given: {**given, "certificate": ""}, "certificate cannot be read"),
        (lambda given: {**given, "more": ""}, "in place of a channel is not one"),
        (lambda given: {"signed": given["signed"]}, "in place of a channel is not one"),
        (lambda given: [given], "in place of a channel is not one"),
    ],
)
def test_what_nobody_has_signed_is_refused(authority, change, message) -> None:
    given = json.loads(SAID.sealed(authority.signer()))
    with pytest.raises(ChannelError, match=message):
        open_channel(json.dumps(change(given)).encode(), authority.pem, "tiny", "stable")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 100000, b"{}" + b" " * (1 << 17)])
def test_what_is_no_channel_is_refused(authority, content) -> None:
    with pytest.raises(ChannelError, match="in place of a channel is not one"):
        open_channel(content, authority.pem, "tiny", "stable")


def test_the_channel_of_another_model_or_authority_is_refused(authority, tmp_path) -> None:
    content = SAID.sealed(authority.signer())
    for model, channel in (("tiny", "canary"), ("other", "stable")):
        with pytest.raises(ChannelError, match="it is the channel stable of tiny"):
            open_channel(content, authority.pem, model, channel)
    with pytest.raises(ChannelError, match="not of the authority that is trusted"):
        open_channel(content, certified(tmp_path, "ca").pem, "tiny", "stable")


def test_the_certificate_of_a_worker_cannot_sign_a_channel(authority, tmp_path) -> None:
    """It is of the same authority, but for another use."""
    worker = certified(tmp_path, "worker", authority, usage=[ExtendedKeyUsageOID.CLIENT_AUTH])
    given = json.loads(SAID.sealed(authority.signer()))
    content = json.dumps({**given, "certificate": worker.pem.decode()}).encode()
    with pytest.raises(ChannelError, match="not one for packages"):
        open_channel(content, authority.pem, "tiny", "stable")


@pytest.mark.parametrize(
    "change",
    [
        {"package": "other-3-01234567"},
        {"package": "../../etc"},
        {"sha256": "A" * 64},
        {"serial": -1},
        {"serial": 1 << 60},
        {"size": True},
        {"channel": "../x"},
        {"model": "x/y"},
        {"since": 4},
    ],
)
def test_what_is_signed_is_still_read_with_distrust(authority, change) -> None:
    content = replace(SAID, **change).sealed(authority.signer())
    with pytest.raises(ChannelError, match="in place of a channel names no package"):
        open_channel(content, authority.pem, "tiny", "stable")
