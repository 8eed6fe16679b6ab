# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher of the ServerApps' SuperExec: a SuperLink that answers 500 is asked again, and ends nobody."""

from __future__ import annotations

import importlib
import runpy
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import ASKED_AGAIN

http_retry = pytest.importorskip("flwr.supercore.retry.http_retry")

LAUNCHER = Path(__file__).parents[3] / "roles" / "superlink" / "files" / "flower-superexec.py"
Launcher = dict[str, Callable]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setattr(http_retry, "_RETRYABLE_STATUS_CODES", http_retry._RETRYABLE_STATUS_CODES)  # to be put back
    return runpy.run_path(str(LAUNCHER))


@pytest.fixture
def answers() -> Iterator[tuple[str, list[int]]]:
    """A SuperLink, by its address, and what it answers: 200 says that there is no task."""
    codes: list[int] = []

    class SuperLink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(codes.pop(0))
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *said: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), SuperLink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", codes
    server.shutdown()
    server.server_close()


def look_for_a_task(address: str) -> bool:
    """Ask as the SuperExec does; tell whether there is one."""
    from flwr.proto.runtime_pb2 import AcquireTaskRequest
    from flwr.supercore.runtime import RuntimeHttpClient

    client = RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=True,
        root_certificates=None,
        interceptors=[],
        retry_invoker=http_retry.make_simple_http_retry_invoker(),
    )
    return client.AcquireTask(AcquireTaskRequest()).HasField("task")


def test_it_knows_of_flower_what_the_contract_tests_look_at(launcher: Launcher) -> None:
    assert {http_retry.__name__: (launcher["RETRYABLE"], 503)} == ASKED_AGAIN


def test_flower_alone_gives_up(answers: tuple[str, list[int]]) -> None:
    address, codes = answers
    codes += [500, 200]
    with pytest.raises(httpx.HTTPStatusError):
        look_for_a_task(address)


def test_a_superlink_that_is_busy_is_asked_again(launcher: Launcher, answers: tuple[str, list[int]]) -> None:
    address, codes = answers
    codes += [500, 503, 500, 200]
    launcher["ask_again"](http_retry)
    assert not look_for_a_task(address)
    assert codes == []


def test_what_is_refused_is_refused(launcher: Launcher, answers: tuple[str, list[int]]) -> None:
    address, codes = answers
    codes += [400, 200]
    launcher["ask_again"](http_retry)
    with pytest.raises(httpx.HTTPStatusError):
        look_for_a_task(address)


@pytest.mark.parametrize("retry", [{}, {"_RETRYABLE_STATUS_CODES": [503]}, {"_RETRYABLE_STATUS_CODES": frozenset()}])
def test_another_release_of_flower_is_left_alone(launcher: Launcher, capsys, retry: dict) -> None:
    module = SimpleNamespace(__name__="flwr.elsewhere", **retry)
    launcher["ask_again"](module)
    assert vars(module) == {"__name__": "flwr.elsewhere", **retry}
    assert capsys.readouterr().err == (
        "This release of Flower asks again in another way (flwr.elsewhere). That is left to it.\n"
    )


def test_it_reaches_the_superlink_beside_a_proxy_that_systemd_sets(
    launcher: Launcher, answers: tuple[str, list[int]], monkeypatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "hub.example.org")
    asked: list[bool] = []
    address, codes = answers
    codes.append(200)
    module = importlib.import_module("flwr.supercore.cli.flower_superexec")
    monkeypatch.setattr(module, "flower_superexec", lambda: asked.append(look_for_a_task(address)))
    launcher["main"]()
    assert (asked, codes) == ([False], [])


def test_it_runs_flowers_superexec(launcher: Launcher, monkeypatch) -> None:
    ran: list[bool] = []
    module = importlib.import_module("flwr.supercore.cli.flower_superexec")
    monkeypatch.setattr(module, "flower_superexec", lambda: ran.append(True))
    launcher["main"]()
    assert ran == [True]
    assert 500 in http_retry._RETRYABLE_STATUS_CODES
