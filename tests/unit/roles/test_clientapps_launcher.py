# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the ClientApps: nothing is left over from one app to the next, and none gets near the secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.supercore.inflatable import inflatable_utils
from flwr.supernode import cli

# Nobody has it on a machine where tests run, nor tests in another process: all that runs as it is ended.
USER = 61183 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

Run = Callable[..., object]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def place(open_path: Path) -> Path:
    found = open_path / "shared"
    found.mkdir()
    found.chmod(0o1777)
    return found


@pytest.fixture
def run(clientapps: str, place: Path) -> Run:
    """Run a script with the names of a module of the program as a user of its own; return what it prints."""

    def run_script(
        module: str, script: str, before: str = "", arguments: tuple[str, ...] = (), **more: object
    ) -> object:
        # The interpreter may lie where only root gets.
        drop = f"os.setgroups([]); os.setgid({USER}); os.setuid({USER})"
        names = f"import sys; sys.path.append({clientapps!r}); from fedops_clientapps.clientapps.{module} import *"
        code = f"import json, os, subprocess\n{names}\n{before}\n{drop}\n{script}"
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, str(place), *arguments],
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(place)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **more,
        )
        assert done.returncode == 0, done.stderr
        return json.loads((done.stdout + done.stderr).splitlines()[-1])

    return run_script


STRAY = """
import json, os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.fork()
        time.sleep(600)
    os._exit(0)
os.wait()
before = len(others())
end_all()
print(json.dumps([before > 0, others()]))
"""


def test_what_outlives_an_app_is_ended_however_it_hides(run: Run) -> None:
    assert run("tidying", STRAY) == [True, []]


HIDING = """
import ctypes, sys, time
beats = sys.argv[1] + "/beats"
def beat():
    open(beats, "w").write(str(time.monotonic()))

def hidden():
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # nobody may look into it: it is not in /proc
    for _beat in range(2000):
        beat()
        time.sleep(0.01)

def hopping():
    end = time.monotonic() + 20
    while not os.fork() and time.monotonic() < end:
        beat()
    os._exit(0)

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        eval(sys.argv[2])()
    os._exit(0)
os.wait()
time.sleep(0.2)
warm = os.fork()
if not warm:
    time.sleep(600)
told = False
if sys.argv[3] == "spare":
    told = end_others_than(warm)
if not told:
    end_all()
latest = open(beats).read()
time.sleep(0.2)
print(json.dumps([told, others() == ([warm] if told else []), latest == open(beats).read()]))
end_all()
"""
# As systemd does with ProtectProc=invisible.
INVISIBLE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None) or libc.mount(
    b"proc", b"/proc", b"proc", 0, b"hidepid=2"
):
    print(json.dumps("no mounts"))
    sys.exit()
"""


@pytest.mark.parametrize("how", ["all", "spare"])
@pytest.mark.parametrize("kind", ["hidden", "hopping"])
def test_no_app_hides_a_process_or_outruns_its_end(run: Run, kind: str, how: str) -> None:
    told = run("tidying", HIDING, INVISIBLE, arguments=(kind, how))
    if told == "no mounts":
        pytest.skip("nothing can be mounted here")
    spared, alone, silent = told
    assert (alone, silent) == (True, True)
    assert spared == (how == "spare" and kind == "hidden") or kind == "hopping"


BOUNDS = """
import resource, signal
before, others_before = bounds(), []
def app(do):
    parent = os.getpid()
    if not os.fork():
        do(parent)
        os._exit(0)
    os.wait()
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
same = bounds() == before
changed = []
for change in (
    lambda pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    lambda pid: os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid) + 1),
    lambda pid: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)),
):
    app(change)
    changed.append(bounds() != before)
    before = bounds()
print(json.dumps([same, changed]))
"""


def test_what_an_app_can_change_of_the_process_that_starts_the_next_one_is_seen(run: Run) -> None:
    assert run("tidying", BOUNDS) == [True, [True, True, True]]


SHARED = """
libc = ctypes.CDLL(None)
def there():
    return [len(open(f"/proc/sysvipc/{kind}").readlines()) - 1 for kind in ("shm", "sem", "msg")]
none = there()
libc.shmget(0x0badc0de, 1 << 16, 0o1600), libc.semget(0x0badc0de, 1, 0o1600), libc.msgget(0x0badc0de, 0o1600)
some = there()
clear([])
print(json.dumps([none, some, there()]))
"""


def test_memory_that_an_app_shares_does_not_outlive_it(run: Run) -> None:
    own = "import ctypes; ctypes.CDLL(None).unshare(0x08000000)"  # IPC, as PrivateIPC=yes
    assert run("tidying", SHARED, own) == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]


LEFT = """
import json, os, sys
place = sys.argv[1]
os.makedirs(place + "/apps/deep")
open(place + "/apps/deep/app.py", "w").write("evil")
os.chmod(place + "/apps/deep", 0)
os.chmod(place + "/apps", 0o500)
os.symlink("/etc/passwd", place + "/link")
os.mkfifo(place + "/pipe")
os.mkdir(place + "/-rf")
os.chdir(place)
for _ in range(2000):
    os.mkdir("abyss")
    os.chdir("abyss")
os.chdir(place)
clear([place, "/nonexistent"])
print(json.dumps(sorted(os.listdir(place))))
"""


def test_what_an_app_has_written_is_gone_and_what_is_others_stays(run: Run, place: Path) -> None:
    (place / "of-root").write_text("")
    assert run("tidying", LEFT) == ["of-root"]


APP = """
import os, subprocess
show = 'printf "%s\\\\n" "$*" "$FLWR_HOME" "$HOME" "$TMPDIR" "$X" "$PWD" "$(cat $2)"'
read, write = os.pipe()
os.dup2(write, 1), os.close(write)
app = ClientApp(["/bin/sh", "-c", show, "sh"], "0badc0de", {"X": "kept", "PATH": "/usr/bin:/bin"})
app.wait(10)
out = os.read(read, 10000).decode()
os.dup2(2, 1)
print(json.dumps([out.splitlines(), app.has_ended]))
"""


def test_each_app_has_a_home_of_its_own_and_its_token_in_a_file_alone(run: Run, place: Path) -> None:
    lines, ended = run("processes", APP)
    home = lines[2]
    assert home.startswith(f"{place}/flower-app-")
    told = [f"--token-file {home}/token", f"{home}/.flwr", home, home, "kept", home, "0badc0de"]
    assert (lines, ended) == (told, True)


def test_a_clientapp_is_the_program_of_flower_that_asks_often_for_a_piece_that_is_late(
    clientapps, part, monkeypatch
) -> None:
    start = part("start")
    command = start.program("flwr-clientapp")
    assert command == [sys.executable, "-P", clientapps, "flwr-clientapp"]
    assert start.program("flwr-agentapp") == ["flwr-agentapp"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "usage: flwr-clientapp" in done.stdout
    assert done.stderr == ""

    pull = inflatable_utils.pull_and_inflate_object_from_tree
    monkeypatch.setattr(pull, "__kwdefaults__", dict(pull.__kwdefaults__))
    monkeypatch.setattr(cli, "flwr_clientapp", lambda: None)
    monkeypatch.setattr(sys, "argv", [clientapps, "flwr-clientapp", "--insecure"])
    part("program").main()
    assert sys.argv == ["flwr-clientapp", "--insecure"]
    assert pull.__kwdefaults__["initial_backoff"] == 0.05


SECRET = """
import subprocess
close_memory()
secret = take_secret()
look = "cat; cat /proc/$PPID/fd/0 /proc/$PPID/environ /proc/$PPID/mem 2>&1 | head -c 300"
left = subprocess.run(["/bin/sh", "-c", look], capture_output=True, text=True).stdout
print(json.dumps([secret.decode(), "s3cret" in left, left.count("Permission denied")]))
"""


def test_no_process_gets_the_secret_from_where_it_came_or_from_memory(run: Run, place: Path) -> None:
    secret = place.parent / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    with secret.open() as stream:
        assert run("secrecy", SECRET, stdin=stream) == ["s3cret", False, 3]


def test_root_ends_nobody(part) -> None:
    with pytest.raises(PermissionError):
        part("tidying").end_all()
