# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Its memory is lost, or the disk is full: no run is."""

from __future__ import annotations

import itertools
import os
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import guarded
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import program as _supervise
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk

from .world import AGAIN

pytestmark = pytest.mark.usefixtures("own_account")


@pytest.mark.parametrize("content", ["", '{"request_id": "1", "run_id": null, "processes": null, "restarts": [1]}'])
@pytest.mark.parametrize("begins", [3, 30])
def test_a_memory_that_is_lost_costs_no_run_also_when_the_training_is_forced(world, content, begins) -> None:
    world.ask(force=True, run_config='resume = "never"\n')
    world.takes_up = False

    world.later(begins, lambda: world.start("1"))
    world.killed_after(12)
    with open(f"{world.folder.path}/supervision.json", "w") as stream:
        stream.write(content)
    world.later(60, lambda: world.finish("1"))
    assert world.live() == 0
    assert [call for call in world.calls if call not in ("list", "nodes")] == ["run"]
    assert world.named("run_adopted")[0]["run_id"] == "1"


def test_a_forced_training_that_has_begun_goes_on_where_it_was_after_its_memory_was_lost(world) -> None:
    world.ask(force=True, run_config='resume = "never"\n')

    world.killed_after(12)
    os.unlink(f"{world.folder.path}/supervision.json")
    world.die("1")
    world.set("1", status="failed", details="No heartbeat received")
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert world.configs == ['resume = "never"\n', 'resume = "auto"\n']


@pytest.mark.parametrize("outage", [20, 3600])
def test_a_disk_that_is_full_for_a_while_is_waited_for_and_ends_nothing(world, monkeypatch, capsys, outage) -> None:
    world.patience += outage
    world.ask()
    real, signs = guarded.replacing, []

    def replacing(path: str, mode: int, owners: object = None):
        if 10 <= world.at < 10 + outage:
            raise OSError(28, "No space left on device", path)
        return real(path, mode, owners)

    monkeypatch.setattr(guarded, "replacing", replacing)
    for name in ("monotonic", "sleep"):
        monkeypatch.setattr(_supervise.time, name, getattr(world, name))
    monkeypatch.setattr(_supervise, "notify", lambda **facts: signs.append((world.at, facts)))
    monkeypatch.setattr(_supervise, "Supervisor", lambda *dummy: SimpleNamespace(run=world.live))
    world.later(12, lambda: world.round(1))
    assert _supervise.main(["--home", world.home, "default"]) == AGAIN
    assert max(outage, 120) <= world.at <= max(outage, 130) + 25
    said = capsys.readouterr().out
    assert said.startswith(f"default: No space left on device ({world.folder.path}/supervision.json).")
    # The manager is told that all is well, so that it does not kill what waits.
    times = [at for at, facts in signs if "WATCHDOG" in facts]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 10
    world.later(5, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("run") == 1
    assert not [name for name in os.listdir(world.folder.path) if name.endswith((".probe", ".tmp"))]


def test_a_disk_that_is_full_at_the_start_is_waited_for(world, monkeypatch, capsys) -> None:
    world.ask()
    for name in ("monotonic", "sleep"):
        monkeypatch.setattr(_supervise.time, name, getattr(world, name))
    monkeypatch.setattr(Desk, "watch", lambda desk: (dummy for dummy in ()).throw(OSError(30, "Read-only file system")))
    assert _supervise.main(["--home", world.home, "default"]) == AGAIN
    assert capsys.readouterr().out.startswith(f"default: Read-only file system ({world.folder.path}).")
    started = world.at
    world.later(7, world.desk.stop)  # and by an order to stop no longer
    assert (_supervise.main(["--home", world.home, "default"]), world.at - started) == (AGAIN, 10)
