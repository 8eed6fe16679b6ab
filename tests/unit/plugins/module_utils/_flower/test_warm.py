# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several calls of Flower's command line, for each of which the launcher that is deployed forks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.bounded import Done, Head
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._flower.warm import WarmFlwr

LAUNCHER = Path(__file__).parents[5] / "roles" / "superlink" / "files" / "flwr.py"
# The launcher, with what each test has for Flower's command line.
SCRIPT = f"""#!{sys.executable} -I
import json, os, runpy, signal, sys, time, types
def app():
{{app}}
for name in ("flwr", "flwr.cli", "flwr.cli.app"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["flwr.cli.app"].app = app
runpy.run_path({str(LAUNCHER)!r}, run_name="__main__")
"""
ANSWER = '{"success": true, "nodes": []}'
TELL = """
    print(json.dumps([sys.argv[1:], os.getpid(), os.getppid(), sys.stdin.read()]))
    print("it went wrong", file=sys.stderr)
    sys.exit(7)
"""


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Callable[[str], WarmFlwr]]:
    made: list[WarmFlwr] = []

    def make(app: str) -> WarmFlwr:
        executable = tmp_path / "flwr"
        executable.write_text(SCRIPT.format(app=app))
        executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
        made.append(WarmFlwr(str(executable), {}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def parents(home, tmp_path: Path) -> Callable[[], list[int]]:
    """Have a launcher that tells of each call by which process it was begun; return what does."""
    told = tmp_path / "parents"
    tell = f"    open({str(told)!r}, 'a').write(f'{{os.getppid()}} '); print({ANSWER!r})"
    (home.path / "bin" / "flwr").write_text(SCRIPT.format(app=tell))
    return lambda: [int(number) for number in told.read_text().split()]


def test_each_call_is_a_child_of_what_is_loaded(warm) -> None:
    flwr = warm(TELL)
    assert flwr.is_ready
    done = [flwr.run(["supernode", f"{number} ö"], 20, Head()) for number in range(3)]
    assert {(one.returncode, one.stderr) for one in done} == {(7, "it went wrong\n")}
    told = [json.loads(one.stdout) for one in done]
    assert [one[0] for one in told] == [["supernode", f"{number} ö"] for number in range(3)]
    assert len({one[1] for one in told}) == 3
    assert len({one[2] for one in told}) == 1
    assert {one[3] for one in told} == {""}  # what it is asked through is no input of a call
    flwr.close()
    with pytest.raises(ProcessLookupError):
        os.kill(told[0][2], 0)


def test_a_call_that_dies_is_no_end_of_the_others(warm) -> None:
    flwr = warm("    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == 'die' else print(sys.argv[1])")
    assert flwr.run(["die"], 20, Head()) == Done(-9, "", "")
    assert flwr.run(["live"], 20, Head()) == Done(0, "live\n", "")


def test_what_has_ended_between_two_calls_is_done_without(home, parents) -> None:
    with Flwr(str(home.path)).staying() as flwr:
        flwr.supernodes()
        (loaded,) = parents()
        os.kill(loaded, signal.SIGKILL)
        while "\nState:\tZ" not in Path(f"/proc/{loaded}/status").read_text():
            time.sleep(0.01)
        assert flwr.supernodes() == []
    assert parents() == [loaded, os.getpid()]


def test_what_it_says_is_bounded(warm) -> None:
    done = warm("    print('x' * 5_000_000); print('y' * 5_000_000, file=sys.stderr)").run(["supernode"], 20, Head(100))
    assert (done.stdout, len(done.stderr)) == ("x" * 100, 1 << 16)


def test_one_that_does_not_answer_is_ended(warm, tmp_path: Path) -> None:
    flwr = warm(f"    open({str(tmp_path / 'number')!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    begin = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        flwr.run(["supernode"], 2, Head())
    assert time.monotonic() - begin < 20
    assert not flwr.is_ready
    status = Path("/proc") / (tmp_path / "number").read_text() / "status"
    while status.exists() and "\nState:\tZ" not in status.read_text():
        assert time.monotonic() - begin < 20
        time.sleep(0.05)


def test_a_launcher_of_before_is_run_for_each_call(home) -> None:
    home.answers(supernode_list="supernode_list_online")
    with Flwr(str(home.path)).staying() as flwr:
        assert flwr.supernodes() == flwr.supernodes() != []
    assert home.commands == ["supernode list local"] * 2


def test_one_of_today_is_loaded_once_and_only_while_it_is_to_stay(home, parents) -> None:
    flwr = Flwr(str(home.path))
    with flwr.staying():
        flwr.supernodes()
        flwr.supernodes()
    flwr.supernodes()
    first, second, third = parents()
    assert first == second
    assert third == os.getpid() != first
