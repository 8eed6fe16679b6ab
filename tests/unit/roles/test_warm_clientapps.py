# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ClientApps that are forked from a process which has imported: only where nothing speaks against it, and no other."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import (
    CLIENTAPP,
    LAUNCHER_NAMES,
    TASK_HASH,
)

from .test_clientapps_launcher import Run, place, run

__all__ = ["place", "run"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
Part = Callable[[str], ModuleType]


def fab(files: dict[str, str], project: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pyproject.toml", project)
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


APP = {
    "an_app/__init__.py": "raise SystemExit('it was run')",
    "an_app/task.py": "import os, numpy as np\nfrom yaml.nodes import Node\nfrom . import other\nimport an_app.other",
    "an_app/other.py": "def late():\n    import httpx\n    import nowhere_to_be_found\n    import helper",
    "helper.py": "",
    "an_app/data.txt": "import json",
}


def test_what_a_fab_imports_of_others_is_read_and_not_run(part: Part) -> None:
    assert part("imports").imports_of(fab(APP)) == ["httpx", "numpy", "yaml.nodes"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("[]", []), ('["torch", "torch.nn"]', ["torch", "torch.nn"]), ('["a b", "-c", "../x", "", 3, "os"]', ["os"])],
)
def test_a_fab_may_say_itself_what_is_imported(part: Part, wanted: str, found: list[str]) -> None:
    assert part("imports").imports_of(fab(APP, f"[tool.fedops]\nwarm-imports = {wanted}")) == found


BROKEN = {
    "BadZipFile": b"no archive",
    "SyntaxError": fab({"app.py": "import ("}),
    "TypeError": fab({}, '[tool.fedops]\nwarm-imports = "torch"'),
    "TOMLDecodeError": fab({}, "]"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_fab_that_cannot_be_read_is_told_and_left_to_flower(part: Part, kind: str) -> None:
    given: list[bytes] = []
    flower = SimpleNamespace(install=lambda content, **more: given.append(content))
    reading, writing = os.pipe()
    part("imports").tell_imports(flower, "install", writing)
    flower.install(BROKEN[kind], skip_prompt=True)
    assert json.loads(os.read(reading, 1000)) == {"doubt": f"its imports cannot be read: {kind}"}
    assert os.read(reading, 1) == b""  # closed, before anything of the app could write there
    assert given == [BROKEN[kind]]
    os.close(reading)


def test_another_release_of_flower_is_left_alone(part: Part, capsys) -> None:
    reading, writing = os.pipe()
    imports = part("imports")
    imports.tell_imports(SimpleNamespace(), "install", writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    assert "installs a FAB in another way. ClientApps start from nothing." in capsys.readouterr().err
    assert imports.INSTALL[1] in LAUNCHER_NAMES[imports.INSTALL[0]]
    assert part("superexec").HASH == TASK_HASH


DOUBTS = {
    "": "",
    "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()": "2 threads run",
    "import mmap; kept = mmap.mmap(-1, 4096)": "memory is shared after the imports: ",
    "kept = open('/etc/hostname')": "/etc/hostname is open after the imports",
    "import socket; kept = socket.socket()": "socket:",
}


@pytest.mark.parametrize("code", DOUBTS)
def test_what_a_fork_would_share_is_seen(clientapps: str, code: str) -> None:
    look = f"import os, sys; sys.path.append({clientapps!r}); from fedops_clientapps.clientapps import warm\n{code}\n"
    look += "print(warm.doubt_about_forking(99), flush=True); os._exit(0)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(DOUBTS[code])
    assert bool(done.stdout.strip()) == bool(DOUBTS[code])


def test_an_import_that_fails_is_named(part: Part) -> None:
    failing_import = part("warm").failing_import
    assert failing_import(["json", "os.path"]) == ""
    told = "nowhere cannot be imported ahead: ModuleNotFoundError: No module named 'nowhere'"
    assert failing_import(["json", "nowhere", "elsewhere"]) == told


def test_a_forked_clientapp_is_flowers_program_with_a_home_of_its_own(part: Part, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    warm = part("processes").Warm("0badc0de", ["yaml"], {**os.environ, "TMPDIR": str(tmp_path)})
    assert warm.told(120) == {"ready": True}
    for _message in range(2):
        app = warm.start([CLIENTAPP, "--help"], "t0ken")
        app.wait(60)
        assert app.has_ended
        assert (Path(warm._home) / "token").read_text() == "t0ken"
        assert "usage: flwr-clientapp" in capfd.readouterr().out
    assert warm.is_there
    os.setpriority(os.PRIO_PROCESS, pid := warm.process.pid, os.getpriority(os.PRIO_PROCESS, pid) + 1)
    assert not warm.is_there  # as an app has found it
    warm._channel.close()
    assert warm.process.wait(10) == 0


FORKED = """
import ctypes, socket
ours, theirs = socket.socketpair()
names = be_warm.__globals__
names["ALWAYS"] = ()

def app(arguments, home):
    parent, refused = os.getppid(), []
    for name in ("mem", "environ", "maps", "fd/%d" % theirs.fileno()):
        try:
            os.close(os.open("/proc/%d/%s" % (parent, name), os.O_RDONLY))
        except OSError as error:
            refused.append(error.strerror)
    libc = ctypes.CDLL(None, use_errno=True)
    refused.append(os.strerror(ctypes.get_errno()) if libc.ptrace(16, parent, None, None) else "attached")
    kept = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
    open(sys.argv[1] + "/told", "w").write(json.dumps([refused, len(kept)]))
    os._exit(0)

import os, sys
names["become_clientapp"] = app
if not os.fork():
    ours.close()
    be_warm(theirs.detach(), [])
theirs.close()
lines = ours.makefile()
ready = json.loads(lines.readline())
ours.sendall(b'{"arguments": [], "home": "/"}\\n')
told = [sorted(json.loads(lines.readline())) for _line in range(2)]
print(json.dumps([ready, told, *json.load(open(sys.argv[1] + "/told"))]))
"""


@as_root
def test_no_app_looks_into_the_process_that_it_is_forked_from(run: Run) -> None:
    ready, told, refused, kept = run("warm", FORKED)
    assert (ready, told) == ({"ready": True}, [["pid"], ["ended"]])
    assert set(refused) <= {"Permission denied", "Operation not permitted"}
    assert kept == 1  # the one of the list itself


SPARED = """
import os, time
def sleeper():
    if child := os.fork():
        return child
    os.setsid()
    time.sleep(600)
warm, *apps = [sleeper() for _ in range(4)]
time.sleep(0.1)
before = len(others())
print(json.dumps([before, end_others_than(warm), others() == [warm]]))
end_all()
"""


@as_root
def test_only_the_warm_process_outlives_an_app(run: Run) -> None:
    assert run("tidying", SPARED) == [4, True, True]


class Double:
    """In the place of processes: what was started, in order."""

    def __init__(
        self, nursery: ModuleType, patch: pytest.MonkeyPatch, told: dict[str, Any], ready: dict[str, Any]
    ) -> None:
        self.log: list[str] = []
        double = self

        class Cold:
            def __init__(self, command: list[str], token: str, environment: dict, tells: tuple[int, ...] = ()) -> None:
                double.log.append("cold")
                for stream in tells:
                    assert environment[nursery.IMPORTS] == str(stream)
                    os.write(stream, json.dumps(told).encode())

        class Warm:
            process = SimpleNamespace(pid=1)
            is_there, is_ready = True, False
            doubt = nursery.Warm.doubt

            def __init__(self, fab_hash: str, imports: list[str], environment: dict) -> None:
                double.log.append(f"warm {fab_hash} {' '.join(imports)}".strip())
                self.fab_hash, self.used, self.answers = fab_hash, time.monotonic(), True
                double.warm = self

            def told(self, seconds: float) -> dict[str, Any]:
                return ready

            def start(self, command: list[str], token: str) -> object:
                double.log.append(f"forked {command[0]}")
                return self if self.answers else None

        patch.setattr(nursery, "ClientApp", Cold)
        patch.setattr(nursery, "Warm", Warm)
        patch.setattr(nursery, "end_all", lambda: double.log.append("ended"))
        patch.setattr(nursery, "clear", lambda: None)
        patch.setattr(nursery, "end_others_than", lambda pid: True)
        self.nursery = nursery.Nursery({})

    def messages(self, *hashes: str | None, name: str = CLIENTAPP) -> list[str]:
        self.log.clear()
        for fab_hash in hashes:
            self.nursery.start(name, ["--there", "x"], "token", fab_hash)
            self.nursery.tidy()
        return self.log


Make = Callable[..., Double]


@pytest.fixture
def double(part: Part, monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(told: dict[str, Any] | None = None, ready: dict[str, Any] | None = None) -> Double:
        said = {"imports": ["torch"]} if told is None else told
        return Double(part("nursery"), monkeypatch, said, ready or {"ready": True})

    return made


def test_the_second_message_of_a_fab_is_warm_and_another_fab_begins_anew(double: Make) -> None:
    assert double().messages("a", "a", "a", "b", "b", "a") == [
        "cold", "ended", "warm a torch",
        f"forked {CLIENTAPP}",
        f"forked {CLIENTAPP}",
        "ended", "cold", "ended", "warm b torch",
        f"forked {CLIENTAPP}",
        "ended", "cold", "ended", "warm a torch",
    ]  # fmt: skip


def test_what_it_imports_with_is_left_alone_until_it_is_ready(double: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = double()
    begun.messages("a")
    nursery = vars(type(begun.nursery))["tidy"].__globals__
    monkeypatch.setitem(nursery, "end_others_than", lambda pid: begun.log.append(f"others than {pid} ended"))
    begun.nursery.tidy()
    assert begun.log == ["cold", "ended", "warm a torch"]


def test_no_other_app_of_a_fab_runs_beside_what_its_clientapps_are_forked_from(double: Make) -> None:
    begun = double()
    begun.messages("a")
    assert begun.messages("a", name="flwr-agentapp") == ["ended", "cold", "ended"]


def test_what_has_no_hash_or_is_no_clientapp_is_started_as_flower_does(double: Make) -> None:
    assert double().messages(None, None) == ["cold", "ended"] * 2
    assert double().messages("a", "a", name="flwr-agentapp") == ["cold", "ended"] * 2


@pytest.mark.parametrize(
    ("told", "ready", "why"),
    [
        ({"imports": ["x"]}, {"doubt": "3 threads run after the imports"}, "3 threads run after the imports"),
        ({"imports": []}, {"ended": True}, "its imports do not come to an end"),
        ({"doubt": "its imports cannot be read: SyntaxError"}, None, "its imports cannot be read: SyntaxError"),
    ],
)
def test_a_doubt_is_told_once_and_ends_in_a_cold_start(double: Make, capsys, told, ready, why: str) -> None:
    log = double(told, ready).messages("a", "a", "a", "a")
    assert log.count("cold") == 4
    assert not any(line.startswith("forked") for line in log)
    assert capsys.readouterr().err == f"ClientApps of FAB a start from nothing: {why}.\n"


def test_what_an_app_tells_is_not_believed(double: Make) -> None:
    liar = double({"imports": ["torch", "-c", "a b", 3, "../x"]})
    assert "warm a torch" in liar.messages("a", "a")
    assert double({"imports": "torch"}).messages("a", "a") == ["cold", "ended"] * 2
    assert double([]).messages("a", "a") == ["cold", "ended"] * 2


def test_a_warm_process_that_does_not_answer_is_ended(double: Make, capsys) -> None:
    silent = double()
    silent.messages("a", "a")
    silent.warm.answers = False
    assert silent.messages("a") == [f"forked {CLIENTAPP}", "ended", "cold", "ended", "warm a torch"]
    assert "The warm process does not answer. This ClientApp starts from nothing." in capsys.readouterr().err


def test_memory_is_given_back_when_no_app_comes(double: Make) -> None:
    resting = double()
    resting.messages("a", "a")
    resting.nursery.rest()
    assert resting.log[-1] == f"forked {CLIENTAPP}"
    resting.warm.used -= 601
    resting.nursery.rest()
    assert resting.log[-1] == "ended"
