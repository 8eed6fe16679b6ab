# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from a registry: conditional requests, and downloads that go on where they were cut off.

Nothing of what arrives is trusted for having arrived; sizes are bounded, and no redirect is followed, which could lead
a token elsewhere.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import http.client
import os
import ssl
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.jsonable import harmless

_TIMEOUT = 30  # seconds without a byte
_PIECE = 1 << 20  # bytes
_PARTIAL, _UNCHANGED, _NOT_SATISFIABLE = 206, 304, 416


class RegistryAwayError(FedopsError):
    """The registry cannot be read from now; it is asked again later."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *dummy_args: t.Any, **dummy_more: t.Any) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    """A small file, or that it has not changed."""

    content: bytes | None
    etag: str


class RegistryReader:
    """What a registry, or a bucket in its place, offers below an address."""

    def __init__(self, address: str, context: ssl.SSLContext | None, token: str = "") -> None:
        self._address, self._token = address.rstrip("/"), token
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        handlers += [urllib.request.HTTPSHandler(context=context)] if context else []
        self._opener = urllib.request.build_opener(*handlers)

    def read(self, path: str, most: int, etag: str = "") -> Answer:
        """Return a small file, unless it still is the one with this ETag."""
        with self._open(path, {"If-None-Match": etag} if etag else {}) as answer:
            if answer.status == _UNCHANGED:
                return Answer(None, etag)
            try:
                content = answer.read(most + 1)
            except (OSError, http.client.HTTPException) as error:
                raise RegistryAwayError(f"{self._address}/{path} cannot be read: {_why(error)}.") from error
            if len(content) > most:
                raise RegistryAwayError(f"{self._address}/{path} has more than {most} bytes.")
            return Answer(content, answer.headers.get("ETag") or "")

    def download(self, path: str, target: str, size: int) -> int:
        """Bring a file of so many bytes to a place, where a part of it may be; return how many bytes have come."""
        there = os.path.getsize(target) if os.path.exists(target) else 0
        if there > size:
            os.truncate(target, 0)
            there = 0
        came = 0
        if there < size:
            with self._open(path, {"Range": f"bytes={there}-"} if there else {}) as answer:
                if answer.status != _PARTIAL:
                    there = 0  # all of it comes
                with open(target, "ab" if there else "wb") as stream:
                    came = self._take(answer, path, stream, size - there)
        return came

    def _take(self, answer: t.Any, path: str, stream: t.IO[bytes], left: int) -> int:
        came = 0
        try:
            while piece := answer.read(min(_PIECE, left - came + 1)):
                came += len(piece)
                if came > left:
                    raise RegistryAwayError(f"{self._address}/{path} is larger than its channel says.")
                stream.write(piece)
        except (OSError, http.client.HTTPException) as error:
            raise RegistryAwayError(f"{self._address}/{path} was cut off: {_why(error)}.") from error
        finally:
            stream.flush()
            os.fsync(stream.fileno())
        if came < left:
            raise RegistryAwayError(f"{self._address}/{path} was cut off: {left - came} bytes are missing.")
        return came

    def _open(self, path: str, headers: t.Mapping[str, str]) -> t.Any:
        # No compression on the way: a range would be one of what is compressed.
        asked = urllib.request.Request(f"{self._address}/{path}", headers={"Accept-Encoding": "identity", **headers})
        if self._token:
            asked.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            return self._opener.open(asked, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == _UNCHANGED:
                return _Unchanged()
            error.close()
            why = "it does not know this host" if error.code in (400, 401, 403) else error.reason
            raise RegistryAwayError(
                f"{self._address}/{path} is answered {error.code}: {harmless(str(why), 200)}."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise RegistryAwayError(f"{self._address} is away: {_why(error)}.") from error


class _Unchanged:
    """The answer that nothing has changed."""

    status = _UNCHANGED

    def __enter__(self) -> _Unchanged:
        return self

    def __exit__(self, *dummy: object) -> None:
        return None


def context_of(authority: str, certificate: str, key: str) -> ssl.SSLContext:
    """Return how TLS is spoken: with whom, by the host's own authorities without one, and as whom, if as anybody."""
    context = ssl.create_default_context(cafile=authority or None)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return harmless(str(reason), 200).rstrip(".")
