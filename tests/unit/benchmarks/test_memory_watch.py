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
from flower_processes import CLIENT_APP, command_of, flower_processes
from memory_watch import MemoryWatch, Peaks

MEGABYTE = 10**6
HOG = """
import mmap, os, tempfile, time
taken = bytearray(100 * 10**6)
file = tempfile.TemporaryFile(dir="/var/tmp")
file.truncate(200 * 10**6)
seen = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
for begin in range(0, len(seen), 4096):
    seen[begin]
if os.fork():
    time.sleep(0.5)
    os.wait()
else:
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


def test_what_is_seen_is_memory_beyond_the_page_cache_and_what_forks_share_counts_once(
    host: OneHost, tmp_path: Path
) -> None:
    watch = MemoryWatch(host)
    watch.start()
    subprocess.run([sys.executable, str(tmp_path / CLIENT_APP)], check=True)
    peaks = watch.stop()
    assert 100 * MEGABYTE < peaks.processes[CLIENT_APP] < 150 * MEGABYTE
    assert 100 * MEGABYTE < peaks.hosts["here"] < 150 * MEGABYTE
    assert 200 * MEGABYTE < peaks.files[CLIENT_APP] < 250 * MEGABYTE
    assert peaks.state == 1000


def test_a_watch_that_was_never_started_has_seen_nothing(host: OneHost) -> None:
    assert MemoryWatch(host).stop() == Peaks({}, {}, {}, 0)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("-P /opt/flower/bin/flower-clientapps flwr-clientapp --insecure", CLIENT_APP),
        ("-P /opt/flower/bin/flower-clientapps warm 7 numpy", CLIENT_APP),
        ("-I /opt/flower/bin/flower-clientapps --insecure --runtime-api-address", "flower-superexec"),
        ("-I /opt/flower/bin/flower-supernode --insecure", "flower-supernode"),
        ("/opt/flower/venv/bin/flwr-serverapp --insecure", "flwr-serverapp"),
        ("/usr/bin/supervisor", None),
    ],
)
def test_each_process_goes_by_a_command_of_flowers(words: str, command: str | None) -> None:
    line = "\0".join(["/opt/flower/venv/bin/python3.12", *words.split(), ""])
    assert command_of(line.encode()) == command


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
