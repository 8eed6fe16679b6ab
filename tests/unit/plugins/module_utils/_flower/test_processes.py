# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import processes
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import (
    Process,
    ProcessTable,
    memory_counts,
    memory_kills,
    moment,
    of_run,
)

UID = 49999
ROOT_GROUP = "/libpod_parent/libpod-1d"  # a host that is a container
GROUP = f"{ROOT_GROUP}/system.slice/flower-superexec.service"
LAYOUTS = {
    # Version 1, beside it the tree of version 2, and memory in a group of its own.
    "v1": "13:net_cls,net_prio:/\n9:name=systemd:{0}\n4:memory:/drill\n0::{0}\n",
    "v2": "0::{0}\n",
}


def put(
    proc, number: int, *words: str, state: str = "S", ticks: int = 100, name: str = "python",
    uids: tuple = (UID,) * 4, group: str = GROUP, layout: str = LAYOUTS["v2"],
) -> None:  # fmt: skip
    folder = proc / str(number)
    folder.mkdir()
    (folder / "status").write_text("Name:\tx\nUid:\t" + "\t".join(map(str, uids)) + "\nGid:\t7\t7\t7\t7\n")
    (folder / "cgroup").write_text(layout.format(group))
    (folder / "cmdline").write_bytes("\0".join([*words, ""]).encode())
    fields = [state, *["0"] * 18, str(ticks), *["0"] * 10]
    (folder / "stat").write_text(f"{number} ({name}) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "self").mkdir()
    put(tmp_path, 1, "/sbin/init", uids=(0,) * 4, group=f"{ROOT_GROUP}/init.scope")
    return tmp_path


@pytest.fixture(autouse=True)
def account(monkeypatch) -> None:
    monkeypatch.setattr(processes.identity, "APPS_USER", "us")
    monkeypatch.setattr(processes, "uid_of", {"us": UID}.__getitem__)


def test_serverapps_are_found_by_their_program_whatever_else_runs(proc) -> None:
    put(proc, 2, "/opt/flower/venv/bin/python", "/opt/flower/venv/bin/flwr-serverapp", "--token", "x", ticks=7)
    put(proc, 3, "flwr-serverapp", name="a ) S 1 (b", ticks=8)
    put(proc, 4, "python", "/bin/flwr-serverapp", state="Z")
    put(proc, 5, "grep", "--", "flwr-serverapp")
    (proc / "6").mkdir()  # it ends while we look
    put(proc, 7, "flwr-serverapp", uids=(UID, 0, UID, UID))
    put(proc, 8, "flwr-serverapp", uids=(UID + 1,) * 4)
    put(proc, 9, "flwr-serverapp", group=f"{ROOT_GROUP}/system.slice/ssh.service")
    assert sorted(ProcessTable(str(proc)).serverapps(), key=lambda process: process.pid) == [
        Process(2, 7),
        Process(3, 8),
    ]


def test_a_number_that_is_given_again_is_another_process(proc) -> None:
    put(proc, 2, "flwr-serverapp", ticks=7)
    table = ProcessTable(str(proc))
    assert [table.lives(Process(2, 7)), table.lives(Process(2, 8)), table.lives(Process(3, 7))] == [True, False, False]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("facts", "is_ours"),
    [
        ({}, True),
        ({"group": "/system.slice/flower-superexec.service"}, False),  # of the host around the container
        ({"group": f"{ROOT_GROUP}/user.slice/user-7.slice/system.slice/flower-superexec.service"}, False),
        ({"group": f"{GROUP}/below"}, False),
        ({"group": f"{ROOT_GROUP}/system.slice/flower-superlink.service"}, False),
        ({"uids": (0, 0, 0, 0)}, False),
        ({"uids": (UID, UID, 0, UID)}, False),
        ({"words": ("/usr/sbin/sshd",)}, False),
        ({"words": ("python", "-c", "flwr-serverapp")}, False),
        ({"state": "Z"}, False),
    ],
)
def test_only_a_serverapp_of_ours_is_taken_for_one(proc, layout, facts, is_ours) -> None:
    facts = dict(facts)
    put(proc, 2, *facts.pop("words", ("python", "/opt/flower/venv/bin/flwr-serverapp")), layout=layout, **facts)
    table = ProcessTable(str(proc))
    assert (table.lives(Process(2, 100)), table.serverapps()) == (is_ours, [Process(2, 100)] if is_ours else [])


def test_on_a_host_of_its_own_systemd_is_at_the_root(tmp_path) -> None:
    put(tmp_path, 1, "/sbin/init", uids=(0,) * 4, group="/init.scope")
    put(tmp_path, 2, "flwr-serverapp", group="/system.slice/flower-superexec.service")
    assert ProcessTable(str(tmp_path)).lives(Process(2, 100))
    assert ProcessTable(str(tmp_path)).shows_others()


def test_where_foreign_processes_are_hidden_that_is_seen(tmp_path) -> None:
    put(tmp_path, 2, "flwr-serverapp", group="/system.slice/flower-superexec.service")
    assert not ProcessTable(str(tmp_path)).shows_others()


@pytest.fixture
def child(proc):
    """A real process, and what C(/proc) would say of it if it were a ServerApp."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        with open(f"/proc/{child.pid}/stat") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        put(proc, child.pid, "flwr-serverapp", ticks=ticks)
        yield child, Process(child.pid, ticks)
        child.kill()


def test_a_real_process_is_killed_only_when_it_is_the_one_that_is_meant(proc, child) -> None:
    running, process = child
    table = ProcessTable(str(proc))
    assert abs(table.began(process) - time.time()) < 10
    table.kill(Process(process.pid, process.ticks + 1))
    assert running.poll() is None
    table.kill(process)
    assert running.wait(10) == -signal.SIGKILL
    (proc / str(process.pid) / "stat").unlink()
    table.kill(process)


def test_whatever_a_claim_says_no_foreign_process_is_killed(child, monkeypatch) -> None:
    """The account may be right and the moment too: it is not in the group of the SuperExec, and no ServerApp."""
    monkeypatch.setattr(processes, "uid_of", lambda name: os.geteuid())
    running, process = child
    table = ProcessTable()
    assert not table.lives(process)
    table.kill(process)
    table.kill(Process(1, 0))
    assert running.poll() is None


def test_a_number_that_is_given_again_in_between_is_not_killed(proc, child, monkeypatch) -> None:
    running, process = child
    opened = os.pidfd_open

    def another(pid: int) -> int:
        (proc / str(pid) / "cmdline").write_bytes(b"/usr/sbin/sshd\0")
        return opened(pid)

    monkeypatch.setattr(os, "pidfd_open", another)
    ProcessTable(str(proc)).kill(process)
    assert running.poll() is None


@pytest.mark.parametrize("error", [PermissionError, ProcessLookupError, OSError])
def test_a_process_that_may_not_be_killed_is_no_traceback(proc, child, monkeypatch, error) -> None:
    def refused(descriptor: int, number: int) -> None:
        raise error

    monkeypatch.setattr(signal, "pidfd_send_signal", refused)
    ProcessTable(str(proc)).kill(child[1])
    assert child[0].poll() is None


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
