# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the gateway as a host on the network can that has no key: HOST PORT AUTHORITY ADDRESS, each attack for seconds.

ADDRESS is its own. Prints how far each came and when it was: how many bytes of one body were taken, how many
connections were open at the same time, and which ciphers of yesterday were agreed on.
"""

from __future__ import annotations

import collections
import contextlib
import json
import resource
import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MEGABYTE = 1 << 20
BODY = 1500 * MEGABYTE
STRANGERS = 60_000  # bytes of a body that the gateway takes from whoever has no key
SLOW_BODIES, SLOW_HEADERS, HANDSHAKES = 3900, 500, 200
OPENING, HOLDING = 30, 10  # seconds
LONG = 60  # seconds in which a training has time to be slowed down
HELLOS = 600  # a second
AT_A_TIME = 100  # connections that are being opened
YESTERDAY = ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM8")
TODAY = "ECDHE-ECDSA-AES128-GCM-SHA256"
HEAD = (
    "POST /v1/fleet/push-object HTTP/1.1\r\nHost: {host}\r\n"
    "Content-Type: application/protobuf\r\nContent-Length: {size}\r\n\r\n"
)
SLOW = "POST /v1/fleet/push-object HTTP/1.1\r\nX-Slow: "


class Gateway:
    """The door that is knocked at."""

    def __init__(self, host: str, port: int, authority: str, address: str) -> None:
        self.host, self.port, self.address = host, port, address
        self.trust = ssl.create_default_context(cafile=authority)

    def opened(self, trust: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Return a connection."""
        plain = socket.create_connection((self.host, self.port), timeout=10, source_address=(self.address, 0))
        return (trust or self.trust).wrap_socket(plain, server_hostname=self.host)

    def post(self, size: int) -> dict[str, object]:
        """Send one body; tell how much of it was taken, and what was answered."""
        taken, answer = 0, b""
        with self.opened() as stream:
            stream.sendall(HEAD.format(host=self.host, size=size).encode())
            with contextlib.suppress(OSError):
                while taken < size:
                    stream.sendall(bytes(MEGABYTE))
                    taken += MEGABYTE
            with contextlib.suppress(OSError):
                answer = stream.recv(100)
        return {"megabytes": taken // MEGABYTE, "answer": answer.split(b"\r\n")[0].decode(errors="replace")}

    def held(self, number: int, head: str, holding: float = HOLDING) -> dict[str, object]:
        """Open connections that say something and then next to nothing; tell how many stayed open."""
        streams: list[ssl.SSLSocket] = []
        end = time.monotonic() + OPENING

        def open_one() -> None:
            with contextlib.suppress(OSError):
                if time.monotonic() < end:
                    stream = self.opened()
                    stream.sendall(head.encode())
                    streams.append(stream)

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for _number in range(number):
                pool.submit(open_one)
        end = time.monotonic() + holding
        while time.monotonic() < end:
            for stream in streams:
                with contextlib.suppress(OSError):
                    stream.sendall(b"x")
            time.sleep(2)
        alive = sum(_is_open(stream) for stream in streams)
        for stream in streams:
            stream.close()
        return {"opened": len(streams), "open in the end": alive}

    def handshakes(self, number: int, holding: float = HOLDING) -> dict[str, object]:
        """Shake hands again and again, so many at a time; tell how often it came to its end."""
        done = []
        end = time.monotonic() + holding

        def shake() -> None:
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    self.opened().close()
                    done.append(1)
                time.sleep(0.2)  # this machine carries all the hosts

        with ThreadPoolExecutor(number) as pool:
            for _number in range(number):
                pool.submit(shake)
        return {"done": len(done)}

    def hellos(self, rate: int) -> int:
        """Begin so many handshakes a second and go on with none, which costs the gateway a signature each."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.trust.wrap_bio(incoming, outgoing, server_hostname=self.host).do_handshake()
        hello, begun = outgoing.read(), 0
        streams: collections.deque[socket.socket] = collections.deque()
        begin = time.monotonic()
        while (since := time.monotonic() - begin) < HOLDING:
            with contextlib.suppress(OSError):
                address = (self.host, self.port)
                stream = socket.create_connection(address, timeout=1, source_address=(self.address, 0))
                stream.sendall(hello)
                streams.append(stream)
                begun += 1
            if len(streams) > AT_A_TIME * 20:
                streams.popleft().close()
            time.sleep(max(0.0, begun / rate - since))
        for stream in streams:
            stream.close()
        return begun

    def agrees_on(self, cipher: str) -> bool:
        """Tell whether the gateway takes a cipher."""
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        trust.set_ciphers(f"{cipher}:@SECLEVEL=0")
        try:
            self.opened(trust).close()
        except OSError:
            return False
        return True


def timed(attack: Callable[..., dict[str, object]], *arguments: object) -> dict[str, object]:
    """Attack; tell how far it came, and when it was, in seconds since 1970."""
    begin = time.time()
    return {**attack(*arguments), "begin": begin, "end": time.time()}


def _is_open(stream: ssl.SSLSocket) -> bool:
    """Tell whether the other end has not closed a connection."""
    stream.settimeout(0)
    try:
        return bool(stream.recv(1))
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False


def main() -> None:
    """Attack in turn."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    gateway = Gateway(sys.argv[1], int(sys.argv[2]), *sys.argv[3:5])
    body = HEAD.format(host=gateway.host, size=STRANGERS)
    print(
        json.dumps(
            {
                "slow headers": timed(gateway.held, SLOW_HEADERS, SLOW, LONG),
                "handshakes": timed(gateway.handshakes, HANDSHAKES, LONG),
                "one body": gateway.post(BODY),
                "slow bodies": gateway.held(SLOW_BODIES, body),
                "hellos": gateway.hellos(HELLOS),
                "ciphers": [cipher for cipher in (TODAY, *YESTERDAY) if gateway.agrees_on(cipher)],
            }
        )
    )


main()
