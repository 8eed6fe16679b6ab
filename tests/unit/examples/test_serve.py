# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is started anew all the time under connections that stay open, behind a socket that is kept."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

SERVING = Path(__file__).resolve().parents[3] / "examples" / "serving"
APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
CLIENTS, RESTARTS = 4, 4


@pytest.fixture
def kept() -> Iterator[socket.socket]:
    """A socket that is open whether or not somebody answers, as that of systemd is."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as found:
        yield found


def start(folder: Path, kept: socket.socket) -> subprocess.Popen[bytes]:
    """Start the program beside the app of the test."""
    shutil.copy(SERVING / "serve.py", folder)
    command = [sys.executable, str(folder / "serve.py"), "--fd", str(kept.fileno())]
    return subprocess.Popen(command, pass_fds=[kept.fileno()])


def test_no_request_fails_while_the_server_is_started_anew(tmp_path: Path, kept: socket.socket) -> None:
    (tmp_path / "server.py").write_text(APP)
    port, stop = kept.getsockname()[1], threading.Event()
    answered, failed = [0] * CLIENTS, []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.is_set():
            try:
                connection.request("GET", "/")  # one that was closed is opened again
                if connection.getresponse().read() == b"ok":
                    answered[number] += 1
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()

    server = start(tmp_path, kept)
    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _restart in range(RESTARTS):
            before = sum(answered)
            deadline = time.monotonic() + 60
            while sum(answered) < before + 100 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert sum(answered) >= before + 100
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            server = start(tmp_path, kept)
        assert failed == []
    finally:
        stop.set()
        # Whoever waits at the socket is answered before the server ends.
        for client in clients:
            client.join(60)
        server.kill()
        server.wait(60)
