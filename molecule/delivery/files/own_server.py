# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is not ours: it reads the model that a link names, and reads the link again on SIGHUP."""

import json
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CURRENT = Path("/var/lib/flower-worker/models/current")
served = {"package": None}


def read(*_signal: object) -> None:
    if CURRENT.exists():
        package = CURRENT.resolve()
        json.loads((package / "manifest.json").read_text())
        served["package"] = package.name


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def answer(self) -> None:
        body = json.dumps(served, separators=(",", ":")).encode()
        self.send_response(200 if served["package"] or self.path == "/version" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Write nothing for each of many requests."""


read()
signal.signal(signal.SIGHUP, read)
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
