# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels: which package of a model is the one to use, said by the authority of the federation.

A channel is a small signed file. Whoever holds the registry, or a bucket in its place, can neither name another package
nor go back to an earlier one: each switch has a higher number than the one before.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, fields

from .._base.errors import FedopsError
from .._base.jsonable import is_whole, loads
from .contents import NAME_OF_PACKAGE
from .signature import SignatureError, check_signature

if t.TYPE_CHECKING:
    from .signature import Signer

CHANNEL_FORMAT = 1
LATEST_CHANNEL = "latest"  # the package that was published last
NAME_OF_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,19}")
PACKAGE_OF = re.compile(r"([a-z0-9][a-z0-9-]{0,39})-([1-9][0-9]{0,18})-[0-9a-f]{8}")
LONGEST_CHANNEL = 1 << 16  # bytes
HIGHEST_SERIAL = 1 << 53

_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNED = {"signed", "signature", "certificate"}


class ChannelError(FedopsError):
    """What a channel says is not to be followed; the message says why."""


@dataclass(frozen=True)
class Channel:
    """A model's package that is the one to use, as of a switch."""

    model: str
    channel: str
    package: str
    sha256: str  # of the package
    size: int  # bytes
    serial: int  # higher with each switch
    since: str

    def sealed(self, signer: Signer) -> bytes:
        """Return the file of the channel."""
        text = json.dumps({"format": CHANNEL_FORMAT, **asdict(self)}, sort_keys=True)
        signature, certificate = signer.sign(hashlib.sha256(text.encode("ascii")).digest())
        given = {
            "signed": text,
            "signature": b64encode(signature).decode("ascii"),
            "certificate": certificate.decode("ascii"),
        }
        return (json.dumps(given, indent=2) + "\n").encode("ascii")


def read_channel(content: bytes) -> Channel:
    """Return what a file says, whoever has signed it."""
    return _read(_signed(content)["signed"])


def open_channel(content: bytes, authority: bytes, model: str, channel: str) -> Channel:
    """Return what a channel says when the authority has said it of this channel."""
    given = _signed(content)
    try:
        check_signature(
            hashlib.sha256(given["signed"].encode()).digest(),
            b64decode(given["signature"], validate=True),
            given["certificate"].encode(),
            authority,
        )
    except (SignatureError, ValueError) as error:
        raise ChannelError(f"The channel {channel} of {model} is refused: {error}.") from error
    found = _read(given["signed"])
    if (found.model, found.channel) != (model, channel):
        raise ChannelError(
            f"The channel {channel} of {model} is refused: it is the channel {found.channel} of {found.model}."
        )
    return found


def _signed(content: bytes) -> dict[str, str]:
    try:
        given = loads(content) if len(content) <= LONGEST_CHANNEL else None
    except ValueError:
        given = None
    if not isinstance(given, dict) or set(given) != _SIGNED or not all(isinstance(one, str) for one in given.values()):
        raise ChannelError("What the registry has in place of a channel is not one.")
    return given


def _read(text: str) -> Channel:
    try:
        given = loads(text)
    except ValueError:
        given = None
    known = {field.name for field in fields(Channel)}
    if not isinstance(given, dict) or set(given) != {"format", *known} or given.pop("format") != CHANNEL_FORMAT:
        raise ChannelError(f"What the registry has in place of a channel is not one of format {CHANNEL_FORMAT}.")
    whole = all(is_whole(given[name]) and 0 <= given[name] <= HIGHEST_SERIAL for name in ("size", "serial"))
    texts = all(isinstance(given[name], str) for name in known - {"size", "serial"})
    if not whole or not texts or not NAME_OF_PACKAGE.fullmatch(given["model"]) or not _HASH.fullmatch(given["sha256"]):
        raise ChannelError("What the registry has in place of a channel names no package properly.")
    found = PACKAGE_OF.fullmatch(given["package"])
    if not found or found[1] != given["model"] or not NAME_OF_CHANNEL.fullmatch(given["channel"]):
        raise ChannelError("What the registry has in place of a channel names no package of its model.")
    return Channel(**given)
