# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the gateway as a host on the network can that has no key: HOST PORT AUTHORITY, each attack for some seconds.

Prints how far each came: how many bytes of one body were taken, how many connections were open at the same time, and
which ciphers of yesterday were agreed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import ssl
import sys
import time

MEGABYTE = 1 << 20
BODY = 1500 * MEGABYTE
SLOW_BODIES, SLOW_HEADERS, HANDSHAKES = 3900, 500, 200
SECONDS = 10
AT_A_TIME = 100  # connections that are being opened
YESTERDAY = ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM8")
TODAY = "ECDHE-ECDSA-AES128-GCM-SHA256"
HEAD = (
    "POST /v1/fleet/push-object HTTP/1.1\r\nHost: {host}\r\n"
    "Content-Type: application/protobuf\r\nContent-Length: {size}\r\n\r\n"
)


class Gateway:
    """The door that is knocked at."""

    def __init__(self, host: str, port: int, authority: str) -> None:
        self.host, self.port = host, port
        self.trust = ssl.create_default_context(cafile=authority)

    def post(self, size: int) -> dict[str, object]:
        """Send one body; tell how much of it was taken, and what was answered."""
        taken = 0
        plain = socket.create_connection((self.host, self.port), timeout=10)
        with self.trust.wrap_socket(plain, server_hostname=self.host) as stream:
            stream.sendall(HEAD.format(host=self.host, size=size).encode())
            with contextlib.suppress(OSError):
                while taken < size:
                    stream.sendall(bytes(MEGABYTE))
                    taken += MEGABYTE
            answer = b""
            with contextlib.suppress(OSError):
                answer = stream.recv(100)
        return {"megabytes": taken // MEGABYTE, "answer": answer.split(b"\r\n")[0].decode(errors="replace")}

    async def held(self, number: int, head: str) -> int:
        """Open connections that say something and then next to nothing; tell how many were open in the end."""
        gate = asyncio.Semaphore(AT_A_TIME)
        streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def open_one() -> None:
            async with gate:
                with contextlib.suppress(OSError, asyncio.TimeoutError, ssl.SSLError):
                    opening = asyncio.open_connection(self.host, self.port, ssl=self.trust, server_hostname=self.host)
                    reader, writer = await asyncio.wait_for(opening, 20)
                    writer.write(head.encode())
                    streams.append((reader, writer))

        await asyncio.gather(*(open_one() for _ in range(number)))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for _reader, writer in streams:
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write(b"x")
            await asyncio.sleep(2)
        alive = sum(not reader.at_eof() and reader.exception() is None for reader, _writer in streams)
        for _reader, writer in streams:
            writer.transport.abort()
        return alive

    async def handshakes(self, number: int) -> int:
        """Shake hands again and again, so many at a time; tell how often it came to its end."""
        done = 0
        end = time.monotonic() + SECONDS

        async def shake() -> None:
            nonlocal done
            while time.monotonic() < end:
                with contextlib.suppress(OSError, asyncio.TimeoutError, ssl.SSLError):
                    opening = asyncio.open_connection(self.host, self.port, ssl=self.trust, server_hostname=self.host)
                    _reader, writer = await asyncio.wait_for(opening, 10)
                    writer.transport.abort()
                    done += 1
                await asyncio.sleep(0.2)  # this machine carries all the hosts

        await asyncio.gather(*(shake() for _ in range(number)))
        return done

    def agrees_on(self, cipher: str) -> bool:
        """Tell whether the gateway takes a cipher."""
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        trust.set_ciphers(f"{cipher}:@SECLEVEL=0")
        with socket.create_connection((self.host, self.port), timeout=10) as plain:
            try:
                trust.wrap_socket(plain).close()
            except OSError:
                return False
        return True


def main() -> None:
    """Attack in turn."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    gateway = Gateway(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    body = HEAD.format(host=gateway.host, size=MEGABYTE)
    print(
        json.dumps(
            {
                "one body": gateway.post(BODY),
                "slow bodies": asyncio.run(gateway.held(SLOW_BODIES, body)),
                "slow headers": asyncio.run(
                    gateway.held(SLOW_HEADERS, "POST /v1/fleet/push-object HTTP/1.1\r\nX-Slow: ")
                ),
                "handshakes": asyncio.run(gateway.handshakes(HANDSHAKES)),
                "ciphers": [cipher for cipher in (TODAY, *YESTERDAY) if gateway.agrees_on(cipher)],
            }
        )
    )


main()
