# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base model and adapter of a training's rounds in the server of examples/serving, under load. Skipped without PEFT."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packed import unpacked
from simulated import Federation
from use_cases import LLM, ROOT

pytest.importorskip("peft", reason="PEFT is not installed: make test-examples runs this with it")
pytest.importorskip("fastapi")
safetensors = pytest.importorskip("safetensors.numpy")

SERVING = ROOT / "examples" / "serving"
ROUNDS, CLIENTS = 3, 3
BODY = {"prompt": "the pump", "max_new_tokens": 4}
TOKEN = b"of the host"


@dataclass
class Served:
    """The server, and what its clients have seen."""

    port: int
    answers: list[tuple[str, str]] = field(default_factory=list)  # package, text
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def load(self) -> None:
        while not self.stop.is_set():
            try:
                status, answer = self.ask("/predict", BODY)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                continue
            if status == 200:
                self.answers.append((answer["package"], answer["result"]["text"]))
            else:
                self.failed.append(f"{status} {answer}")

    def reload(self, package: str, path: str = "/reload") -> tuple[int, dict[str, Any]]:
        return self.ask(path, {"package": package, "probe": BODY}, Authorization=f"Bearer {TOKEN.hex()}")

    def more(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        until, wanted = time.monotonic() + 120, len(self.answers) + count
        while len(self.answers) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        assert len(self.answers) >= wanted, self.failed


@pytest.fixture
def served(federation: Federation, tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (tmp_path / "token").write_bytes(TOKEN)
        (tmp_path / "models").mkdir()
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "SERVING_APP": str(SERVING / "apps/adapter.py"),
            "SERVING_BASE": str(federation.root / "base"),
            "SERVING_MODELS": str(tmp_path / "models"),
            "SERVING_TOKEN": str(tmp_path / "token"),
        }
        command = [sys.executable, str(SERVING / "serve.py"), "--fd", str(listening.fileno())]
        server = subprocess.Popen(command, env=environment, pass_fds=[listening.fileno()])
        try:
            yield Served(listening.getsockname()[1])
        finally:
            server.kill()
            server.wait(60)


def test_workers_serve_base_and_adapter_of_each_round_and_no_request_fails(
    federation: Federation, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = LLM.put_in_place(monkeypatch)
    sites = LLM.sites(federation)
    LLM.train(sites, task, num_rounds=ROUNDS)
    shutil.copytree(sites.root / "server/base-model", federation.root / "base")
    packages = [unpacked(sites, number, tmp_path, tmp_path / "models").name for number in range(1, ROUNDS + 1)]
    # One whose numbers are no numbers, which nobody is to be served by.
    broken = tmp_path / "models" / "chat-9-00000000"
    shutil.copytree(tmp_path / "models" / packages[0], broken)
    weights = safetensors.load_file(broken / "adapter_model.safetensors")
    safetensors.save_file(
        {name: np.full_like(one, np.nan) for name, one in weights.items()}, broken / "adapter_model.safetensors"
    )
    assert served.reload(packages[0])[0] == 200
    clients = [threading.Thread(target=served.load) for _client in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for package, path in zip(packages[1:], ("/reload_model", "/reload"), strict=True):
            served.more(20)
            status, answer = served.reload(broken.name)
            assert (status, "not finite" in str(answer)) == (422, True)
            assert served.reload(package, path)[0] == 200
        served.more(20)
    finally:
        served.stop.set()
        for client in clients:
            client.join(120)
    assert served.failed == []
    assert {package for package, _text in served.answers} == {*packages}
    texts = {package: {text for one, text in served.answers if one == package} for package in packages}
    assert all(len(found) == 1 for found in texts.values()), texts  # each answered by its own adapter, all the time
