# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the supervisor: what it refuses, and what it hands on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import program as _supervise
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._training import folder as _trainings
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from .world import AGAIN, REFUSED

pytestmark = pytest.mark.usefixtures("own_account")


def test_the_program_refuses_what_it_cannot_supervise(tmp_path, capsys) -> None:
    home = ["--home", str(tmp_path)]
    assert _supervise.main([*home, "../etc"]) == REFUSED
    assert _supervise.main([*home, "default"]) == REFUSED
    (tmp_path / "trainings" / "default").mkdir(parents=True)
    assert _supervise.main([*home, "default"]) == REFUSED
    assert "request.json is missing or damaged" in capsys.readouterr().out.splitlines()[-1]


def test_a_request_that_is_damaged_is_refused_in_an_event_with_all_that_is_documented(world, capsys) -> None:
    world.ask()
    world.desk.remember(Memory(request_id="1", run_id="7", restart_count=2))
    _trainings.write_object(f"{world.folder.path}/request.json", {"name": "default", "app": None})
    assert _supervise.main(["--home", world.home, "default"]) == REFUSED
    event = json.loads(capsys.readouterr().out.splitlines()[0])
    assert {key: event[key] for key in ("event", "reason", "run_id", "restarts")} == {
        "event": "training_refused", "reason": "request", "run_id": "7", "restarts": 2,
    }  # fmt: skip


def test_two_supervisors_of_one_training_are_impossible(tmp_path, capsys) -> None:
    desk = Desk(TrainingFolder(str(tmp_path), "default"))
    with desk.watch() as alone:
        assert alone
        assert _supervise.main(["--home", str(tmp_path), "default"]) == AGAIN
    assert capsys.readouterr().out == "default: another supervisor is already running.\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands capabilities on")
def test_what_the_supervisor_starts_has_none_of_its_capabilities() -> None:
    """It may end processes of another account; Flower's command line may not."""
    plugins = str(Path(_supervise.__file__).parents[2])
    program = (
        "import ctypes, subprocess, sys; sys.path.insert(0, sys.argv[1]); libc = ctypes.CDLL(None);"
        "from module_utils._supervisor.program import keep_capabilities;"
        "assert libc.prctl(8, 1, 0, 0, 0) == 0;"  # keep what is permitted over the change of the account
        "libc.setresuid(4711, 4711, 4711);"
        "import struct; head = struct.pack('Ii', 0x20080522, 0); sets = struct.pack('6I', 32, 32, 32, 0, 0, 0);"
        "assert libc.capset(head, sets) == 0; assert libc.prctl(47, 2, 5, 0, 0) == 0;"
        "kinds = ('CapEff', 'CapAmb');"
        "told = lambda: subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout;"
        "show = lambda text: [line.split()[1] for line in text.splitlines() if line.startswith(kinds)];"
        "before = show(told()); keep_capabilities();"
        "print(before, show(told()), show(open('/proc/self/status').read()))"
    )
    done = subprocess.run([sys.executable, "-c", program, plugins], capture_output=True, text=True, check=False)
    kill, none = "0000000000000020", "0000000000000000"
    assert done.stdout.strip() == f"{[kill, kill]} {[none, none]} {[kill, none]}", done.stderr
