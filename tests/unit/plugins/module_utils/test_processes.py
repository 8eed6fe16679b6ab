# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._processes import (
    Process,
    ProcessTable,
    memory_counts,
    memory_kills,
    moment,
    of_run,
)


def put(proc, number: int, *words: str, state: str = "S", ticks: int = 100, name: str = "python") -> None:
    folder = proc / str(number)
    folder.mkdir()
    (folder / "cmdline").write_bytes("\0".join([*words, ""]).encode())
    fields = [state, *["0"] * 18, str(ticks), *["0"] * 10]
    (folder / "stat").write_text(f"{number} ({name}) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "self").mkdir()
    return tmp_path


def test_serverapps_are_found_by_their_program_whatever_else_runs(proc) -> None:
    put(proc, 1, "/sbin/init")
    put(proc, 2, "/opt/flower/venv/bin/python", "/opt/flower/venv/bin/flwr-serverapp", "--token", "x", ticks=7)
    put(proc, 3, "flwr-serverapp", name="a ) S 1 (b", ticks=8)
    put(proc, 4, "python", "/bin/flwr-serverapp", state="Z")
    put(proc, 5, "grep", "--", "flwr-serverapp")
    (proc / "6").mkdir()  # it ends while we look
    assert sorted(ProcessTable(str(proc)).serverapps(), key=lambda process: process.pid) == [
        Process(2, 7),
        Process(3, 8),
    ]


def test_a_number_that_is_given_again_is_another_process(proc) -> None:
    put(proc, 2, "flwr-serverapp", ticks=7)
    table = ProcessTable(str(proc))
    assert [table.lives(Process(2, 7)), table.lives(Process(2, 8)), table.lives(Process(3, 7))] == [True, False, False]


def test_a_real_process_is_seen_and_killed_only_when_it_is_the_one_that_is_meant() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "flwr-serverapp"]) as child:
        table = ProcessTable()
        with open(f"/proc/{child.pid}/stat") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        process = Process(child.pid, ticks)
        assert abs(table.began(process) - time.time()) < 10
        table.kill(Process(child.pid, ticks + 1))
        assert table.lives(process)
        table.kill(process)
        assert child.wait(10) == -9
        assert not table.lives(process)
        table.kill(process)


def test_the_process_of_a_run_is_the_one_that_began_when_flower_says(proc) -> None:
    early, mine, late = Process(1, 1), Process(2, 2), Process(3, 3)
    began = [(early, 90.0), (mine, 100.9), (late, 120.0)]
    assert of_run(began, 100.0) == (mine,)
    assert of_run([(mine, 100.0), (late, 101.0)], 100.0) == (mine, late)
    assert of_run(began, None) == of_run(began, 200.0) == ()


def test_flowers_times_are_utc() -> None:
    assert moment("2026-11-23 06:23:17Z") == datetime(2026, 11, 23, 6, 23, 17, tzinfo=UTC).timestamp()
    assert moment("N/A") is moment("") is None


UNIFIED = ("0::{group}\n", "30 29 0:26 {root} {point} rw - cgroup2 cgroup2 rw,nsdelegate\n", "memory.events")
# Version 1, and beside it the tree of version 2 in which systemd keeps its units.
HYBRID = (
    "9:name=systemd:{group}\n4:cpuset,memory:{group}\n0::/elsewhere\n",
    "31 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "32 29 0:28 / /sys/fs/cgroup/cpu rw shared:7 - cgroup cgroup rw,cpu\n"
    "33 29 0:29 {root} {point} rw - cgroup cgroup rw,cpuset,memory\n",
    "memory.oom_control",
)


@pytest.mark.parametrize(("groups", "mounts", "counts"), [UNIFIED, HYBRID])
@pytest.mark.parametrize(
    ("group", "root", "below"),
    [
        ("/system.slice/flower-superexec.service", "/", "system.slice/flower-superexec.service"),
        ("/libpod/a76c", "/libpod/a76c", "."),  # a container that has no group of its own for each unit
        ("/libpod/a76c/drill", "/libpod/a76c", "drill"),
        ("/drill", "/../../libpod/a76c", "drill"),
    ],
)
def test_the_kernel_counts_what_it_kills_for_memory(tmp_path, groups, mounts, counts, group, root, below) -> None:
    for directory in ("proc/7", "proc/self", f"groups/{below}"):
        (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    proc = str(tmp_path / "proc")
    assert memory_counts(7, proc) == ""
    (tmp_path / "proc/7/cgroup").write_text(groups.format(group=group))
    (tmp_path / "proc/self/mountinfo").write_text(mounts.format(root=root, point=tmp_path / "groups"))
    assert memory_kills(memory_counts(7, proc)) is None
    file = tmp_path / "groups" / below / counts
    file.write_text("low 0\noom_kill_disable 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert memory_kills(memory_counts(7, proc)) == 2
    file.write_text("oom_kill_disable 0\nunder_oom 0\n")  # Linux before 4.13
    assert memory_kills(memory_counts(7, proc)) is None


def test_where_nothing_counts_memory_nothing_is_told(tmp_path) -> None:
    for directory in ("7", "self"):
        (tmp_path / directory).mkdir()
    (tmp_path / "7/cgroup").write_text("1:name=systemd:/\n")
    (tmp_path / "self/mountinfo").write_text("32 29 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")
    assert memory_counts(7, str(tmp_path)) == ""
    assert memory_kills("") is None
