# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knock at the gateway as a host on the network can: HOST PORT CA, and a JSON list of paths on standard input."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys


def ask(connection: http.client.HTTPConnection, method: str, path: str) -> int:
    """Return the status of the answer; the path travels as it is written."""
    try:
        connection.request(method, path, headers={"Content-Type": "application/protobuf"})
        return connection.getresponse().status
    finally:
        connection.close()


def disguises(path: str) -> list[str]:
    """Return other spellings of a path by which a careless gateway is fooled."""
    rest = path.lstrip("/")
    return [
        path,
        f"/v1/fleet/../../{rest}",
        f"/v1/fleet/..%2f..%2f{rest}",
        f"/v1/fleet/%2e%2e/%2e%2e/{rest}",
        f"//{rest}",
        f"/health/../{rest}",
        f"/{rest.upper()}",
    ]


def is_open(host: str, port: int) -> bool:
    """Tell whether a port answers."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Print what each door answered."""
    host, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    trust = ssl.create_default_context(cafile=authority)

    def secure() -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(host, port, timeout=10, context=trust)

    answers = {
        path: [ask(secure(), method, spelling) for method in ("GET", "POST") for spelling in disguises(path)]
        for path in json.load(sys.stdin)
    }
    print(
        json.dumps(
            {
                "paths": answers,
                "health": ask(secure(), "GET", "/health"),
                "plain": ask(http.client.HTTPConnection(host, port, timeout=10), "GET", "/health"),
                "ports": [number for number in (80, 443, 8000, port, 9091, 9093, 9094) if is_open(host, number)],
            }
        )
    )


main()
