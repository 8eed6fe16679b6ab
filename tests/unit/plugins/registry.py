# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry and a server of models on the loopback, which can be told to misbehave."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Files(BaseHTTPRequestHandler):
    """Serves a folder with ranges and ETags, as nginx does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        world = self.server.world
        world.asked.append((self.path, dict(self.headers)))
        path = world.folder / self.path.lstrip("/")
        if world.token and self.headers.get("Authorization") != f"Bearer {world.token}":
            return self.answer(401)
        if world.moved:
            return self.answer(302, {"Location": world.moved})
        if not path.is_file():
            return self.answer(404)
        content = path.read_bytes()
        etag = f'"{path.stat().st_mtime_ns:x}-{len(content):x}"'
        if self.headers.get("If-None-Match") == etag:
            return self.answer(304)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        headers = {"ETag": etag}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return self.answer(206 if begin else 200, headers, content[begin:], world.cut_after.pop(path.name, None))

    def answer(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b"", cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


class Model(BaseHTTPRequestHandler):
    """Serves whatever it is told to reload, and says of some packages that it cannot."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        world = self.server.world
        if self.path == "/healthz":
            ill = world.serving in world.ill
            return self.answer(500 if ill else 200, {"detail": "it is ill"} if ill else {})
        return self.answer(200, {"package": world.serving})

    def do_POST(self) -> None:
        world = self.server.world
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/predict":
            return self.answer(200, {"result": body})
        world.reloads.append((body["package"], self.headers.get("Authorization")))
        if body["package"] in world.unloadable:
            return self.answer(422, {"detail": "it cannot be loaded"})
        world.serving = body["package"]
        return self.answer(200, {"package": body["package"]})

    answer_bytes = Files.answer

    def answer(self, status: int, body: Any) -> None:
        self.answer_bytes(status, {}, json.dumps(body).encode())

    def log_message(self, *args: Any) -> None:
        pass


class World:
    """What the two serve, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token, self.moved = folder, "", ""
        self.cut_after: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.serving: str | None = None
        self.ill: set[str] = set()
        self.unloadable: set[str] = set()
        self.reloads: list[tuple[str, str | None]] = []


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], world: World) -> Iterator[str]:
    """Serve on a port of the loopback; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.world = world
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
