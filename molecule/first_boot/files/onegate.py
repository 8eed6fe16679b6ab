# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of OneGate for one machine: it keeps what it is told in /run/onegate.json."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

KEPT = Path("/run/onegate.json")


class OneGate(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        self.answer({"VM": {"USER_TEMPLATE": told}})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        told = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        told.update(line.split("=", 1) for line in body.splitlines())
        KEPT.write_text(json.dumps(told), "utf-8")
        self.answer({})

    def answer(self, what: dict[str, object]) -> None:
        allowed = (self.headers["X-ONEGATE-TOKEN"], self.headers["X-ONEGATE-VMID"]) == ("a-token", "7")
        content = json.dumps(what).encode("utf-8")
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 5030), OneGate).serve_forever()
