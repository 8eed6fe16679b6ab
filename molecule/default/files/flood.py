# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a stranger may do to the gateway of another host: bodies of 1.5 GB and of a piece of a model, bodies that do not
# come, ciphers of before.
# Prints, as JSON, how each went.
#   flood.py HOST PORT CA
import json
import socket
import ssl
import sys
import time

host, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
PATH = "/v1/fleet/push-object"
SLOW = 600


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def connect(settings: ssl.SSLContext) -> ssl.SSLSocket:
    return settings.wrap_socket(socket.create_connection((host, port), timeout=20), server_hostname=host)


def post(length: int) -> ssl.SSLSocket:
    stream = connect(context())
    headers = [
        f"POST {PATH} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/protobuf",
        f"Content-Length: {length}",
    ]
    stream.sendall("\r\n".join([*headers, "", ""]).encode())
    return stream


def status(stream: ssl.SSLSocket) -> int:
    return int(stream.recv(64).split()[1])


def refused(length: int) -> int:
    with post(length) as stream:
        return status(stream)


def healthy() -> tuple[int, float]:
    began = time.monotonic()
    with connect(context()) as stream:
        stream.sendall(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return status(stream), round(time.monotonic() - began, 2)


def has_answer(stream: ssl.SSLSocket) -> bool:
    stream.settimeout(0)
    try:
        stream.recv(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        pass
    return True


def slow() -> tuple[int, float, int]:
    """Ask for health while many bodies are on their way and do not come; tell how many of them are still waited for."""
    streams = []
    for _number in range(SLOW):
        stream = post(60_000)
        stream.sendall(b"x")
        streams.append(stream)
    try:
        return *healthy(), sum(not readable for readable in map(has_answer, streams))
    finally:
        for stream in streams:
            stream.close()


def cipher(name: str) -> bool:
    settings = context()
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    settings.set_ciphers(f"{name}:@SECLEVEL=0")
    try:
        with connect(settings):
            return True
    except (ssl.SSLError, ConnectionError):
        return False


old = ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-CCM8", "ECDHE-ECDSA-AES128-CCM"]
large = [refused(length) for length in (1_500_000_000, 5_000_000)]
json.dump({"large": large, "slow": slow(), "ciphers": [name for name in old if cipher(name)]}, sys.stdout)
