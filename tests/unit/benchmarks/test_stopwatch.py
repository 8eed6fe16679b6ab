# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stopwatch wraps what it waits for, and tells moments in their order."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import watched

SOURCE = Path(__file__).parents[3] / "benchmarks" / "round" / "stopwatch.py"


@pytest.fixture
def stopwatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("stopwatch", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    assert f"--socket-property=ListenDatagram={module.LISTENER}" in watched.LISTEN
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "listener"))
        listener.setblocking(False)
        monkeypatch.setattr(module, "LISTENER", str(tmp_path / "listener"))
        module.listener = listener
        yield module


def told(stopwatch: ModuleType) -> list[dict]:
    lines = []
    with contextlib.suppress(BlockingIOError):
        while True:
            lines.append(stopwatch.listener.recv(4096).decode())
    assert all(line.endswith("\n") for line in lines)  # or the journal would take two for one
    return [json.loads(line) for line in lines]


def test_a_process_knows_when_the_kernel_started_it() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); import stopwatch; print(stopwatch.process_started())"
    )
    before = time.time()
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert before - 0.05 < float(answer) < time.time()


def test_a_hook_sees_a_module_after_it_has_run(
    stopwatch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "looked_at_by_the_stopwatch.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def double(module: ModuleType) -> None:
        module.value *= 2

    sys.meta_path.insert(0, stopwatch.HookFinder({"looked_at_by_the_stopwatch": double}))
    try:
        assert importlib.import_module("looked_at_by_the_stopwatch").value == 2
    finally:
        del sys.modules["looked_at_by_the_stopwatch"]


def test_a_client_tells_its_moments_once_in_their_order(stopwatch: ModuleType) -> None:
    moments = {"started": time.time(), "python": time.time()}
    hooks = stopwatch.watch_client(moments)
    app = SimpleNamespace(ClientApp=type("ClientApp", (), {"__call__": lambda self, message: message + 1}))
    hooks["flwr.clientapp.client_app"](app)
    process = SimpleNamespace(pull_task_input=lambda: 1, push_message=lambda message: None)
    process.run_clientapp = lambda: process.push_message(app.ClientApp()(process.pull_task_input()))
    hooks["flwr.supernode.runtime.run_clientapp"](process)

    process.run_clientapp()

    (line,) = told(stopwatch)
    assert line.pop("process") == "clientapp"
    assert list(line) == ["started", "python", "main", "pulling", "pulled", "called", "answered", "pushing", "pushed"]
    assert list(line.values()) == sorted(line.values())


def test_a_fork_tells_its_own_moments_and_none_of_the_process_that_it_is_a_fork_of() -> None:
    code = f"""
import os, sys, time
sys.path.insert(0, {str(SOURCE.parent)!r})
import stopwatch
found = {{}}
stopwatch.watch_client = lambda moments: found.update(moments=moments) or {{}}
sys.argv = ["/opt/flower/bin/flower-clientapps", stopwatch.WARM, "7"]
stopwatch.install()
found["moments"]["main"] = 1.0
time.sleep(0.5)
forked = time.time()
if os.fork():
    os.wait()
else:
    moments = found["moments"]
    print(sorted(moments), forked - 0.05 < moments["started"] <= moments["python"] <= time.time())
"""
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert answer == "['python', 'started'] True\n"


def test_a_server_tells_exchanges_that_carried_something_and_saves(stopwatch: ModuleType) -> None:
    class HttpGrid:
        def push_messages(self, messages: list) -> list:
            return messages

        pull_messages = push_messages

    class Fetching:
        def fetch(self, waited_for: set) -> list:
            return [*waited_for]

    class CheckpointDirectory:
        def save(self) -> None:
            return None

    hooks = stopwatch.watch_server()
    hooks["flwr.superlink.grid.http_grid"](SimpleNamespace(HttpGrid=HttpGrid))
    hooks["fedops_kit.pulling"](SimpleNamespace(Fetching=Fetching))
    hooks["fedops_kit.checkpoints"](SimpleNamespace(CheckpointDirectory=CheckpointDirectory))
    HttpGrid().push_messages(["a", "b"])
    HttpGrid().pull_messages([])
    HttpGrid().pull_messages(["a"])
    Fetching().fetch(set())
    Fetching().fetch({"a", "b"})
    CheckpointDirectory().save()
    seen = [(line["what"], line["number"]) for line in told(stopwatch)]
    assert seen == [("push", 2), ("pull", 1), ("pull", 2), ("save", 1)]


@pytest.mark.parametrize(
    ("command", "watches"),
    [
        ("flwr-clientapp", True),
        ("flwr-serverapp", True),
        ("flwr", False),
        ("flower-clientapps flwr-clientapp", True),
        ("flower-clientapps warm 7 numpy", True),
        ("flower-clientapps --insecure", False),
    ],
)
def test_only_apps_are_watched(
    stopwatch: ModuleType, monkeypatch: pytest.MonkeyPatch, command: str, watches: bool
) -> None:
    monkeypatch.setattr(sys, "argv", f"/opt/flower/venv/bin/{command}".split())
    stopwatch.install()
    assert isinstance(sys.meta_path[0], stopwatch.HookFinder) is watches


def test_what_it_waits_for_is_in_flower() -> None:
    """A new release of Flower may have moved it."""
    from flwr.clientapp.client_app import ClientApp
    from flwr.superlink.grid.http_grid import HttpGrid
    from flwr.supernode.runtime import run_clientapp

    assert all(callable(getattr(run_clientapp, name)) for name in ("run_clientapp", "pull_task_input", "push_message"))
    assert "__call__" in vars(ClientApp)
    assert {"push_messages", "pull_messages"} <= set(vars(HttpGrid))
