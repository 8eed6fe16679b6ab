# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the server so that its end fails no request, on connections that stay open neither.

uvicorn answers the requests that it has read, and then closes every connection. A client that uses one again at that
moment has sent a request that nobody reads. Here each answer says first that the connection is to be closed, and
whoever needs another one waits at the socket, which systemd keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import time
from typing import Any

import uvicorn

DRAIN = 3.0  # seconds in which a connection may still bring a request


class ToldToClose:
    """An app of ASGI whose answers say, once C(draining) is set, that the connection is to be closed."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def tell(message: Any) -> None:
            if self.draining and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self.app(scope, receive, tell)


class DrainedServer(uvicorn.Server):
    """uvicorn's server, which lets its connections end before it does."""

    def __init__(self, app: ToldToClose, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # nobody else comes in
        self.told.draining = True
        end = time.monotonic() + DRAIN
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def main() -> None:
    """Serve the app of C(server.py)."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fd", type=int, help="a socket that systemd has opened, instead of a port")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    from server import app  # it reads the environment

    told = ToldToClose(app)
    config = uvicorn.Config(told, fd=options.fd, port=options.port, access_log=False, timeout_graceful_shutdown=30)
    DrainedServer(told, config).run()


if __name__ == "__main__":
    main()
