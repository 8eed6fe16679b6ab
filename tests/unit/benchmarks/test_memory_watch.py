# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch sees of a process that takes memory and ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import memory_watch
import pytest
from federation import CLIENT_APP, flower_processes
from memory_watch import MemoryWatch, Peaks

MEGABYTE = 10**6
HOG = """
import time
taken = bytearray(100 * 10**6)
del taken
time.sleep(0.5)
"""


class OneHost:
    """This machine, taken for a host."""

    superlink, hosts = "here", ["here"]

    def __init__(self, root: Path) -> None:
        self._root = root

    def root(self, host: str) -> Path:
        return self._root

    def processes(self, host: str) -> dict[int, str]:
        return flower_processes(os.readlink("/proc/self/ns/pid"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneHost:
    monkeypatch.setattr(memory_watch, "PAUSE", 0.02)
    state = tmp_path / "opt/flower/state"
    state.mkdir(parents=True)
    (state / "state.db").write_bytes(b"1" * 300)
    (state / "state.db-wal").write_bytes(b"2" * 700)
    (tmp_path / CLIENT_APP).write_text(HOG)
    return OneHost(tmp_path)


def test_a_peak_is_seen_after_it_is_over(host: OneHost, tmp_path: Path) -> None:
    watch = MemoryWatch(host)
    watch.start()
    subprocess.run([sys.executable, str(tmp_path / CLIENT_APP)], check=True)
    peaks = watch.stop()
    assert 100 * MEGABYTE < peaks.processes[CLIENT_APP] < 150 * MEGABYTE
    assert 0 < peaks.hosts["here"] < peaks.processes[CLIENT_APP]
    assert peaks.state == 1000


def test_a_watch_that_was_never_started_has_seen_nothing(host: OneHost) -> None:
    assert MemoryWatch(host).stop() == Peaks({}, {}, 0)


def test_only_commands_of_flower_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / CLIENT_APP).write_text("import time; time.sleep(60)")
    (tmp_path / "other").write_text("import time; time.sleep(60)")
    started = [subprocess.Popen([sys.executable, str(tmp_path / name)]) for name in (CLIENT_APP, "other")]
    try:
        deadline = time.monotonic() + 10
        while started[0].pid not in (found := flower_processes(os.readlink("/proc/self/ns/pid"))):
            assert time.monotonic() < deadline
        assert found[started[0].pid] == CLIENT_APP
        assert started[1].pid not in found
    finally:
        for process in started:
            process.kill()
            process.wait()
