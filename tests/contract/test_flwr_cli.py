# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules rely on in Flower's command line, asked of the real thing: run it before taking a new Flower."""

from __future__ import annotations

import subprocess
import time

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import cli
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import ProcessTable, moment, of_run
from ansible_collections.fedops.flower.plugins.module_utils._supernode.registry import stored_keys

PATIENCE = 120


@pytest.fixture
def public_key(tmp_path) -> str:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def app_of(flwr) -> str:
    return f"{flwr.home}/app/testapp"


def wait_for(flwr, run_id: str, *statuses: str) -> cli.Run:
    deadline = time.monotonic() + PATIENCE
    while True:
        (run,) = [run for run in flwr.runs() if run.run_id == run_id]
        if run.status in statuses or time.monotonic() > deadline:
            return run


def test_a_key_is_registered_once_stored_and_spent_when_unregistered(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    assert {node.node_id: node.status for node in flwr.supernodes()}[node_id] == "registered"
    assert stored_keys(flwr.home)[node_id] == public_key
    with pytest.raises(cli.FlwrError) as caught:
        flwr.register("b", public_key)
    assert caught.value.code == cli.KEY_ALREADY_IN_USE

    assert [flwr.unregister(node_id), flwr.unregister(node_id)] == [True, False]
    assert {node.node_id: node.status for node in flwr.supernodes()}[node_id] == "unregistered"
    with pytest.raises(cli.FlwrError) as caught:
        flwr.register("a", public_key)
    assert caught.value.code == cli.KEY_ALREADY_IN_USE


def test_a_run_is_submitted_logs_and_completes(flwr) -> None:
    submission = flwr.submit(app_of(flwr), "num-rounds = 1\n")
    run = wait_for(flwr, submission.run_id, "completed", "failed")
    assert (run.status, run.details, run.fab_hash.startswith(submission.fab_hash)) == ("completed", None, True)
    assert "round 1" in flwr.log(submission.run_id, 20)


def test_a_run_that_fails_tells_why(flwr) -> None:
    submission = flwr.submit(app_of(flwr), "fail = true\n")
    run = wait_for(flwr, submission.run_id, "completed", "failed")
    assert (run.status, run.details) == ("failed", "ServerApp failed with exception: the data went away")
    assert "RuntimeError: the data went away" in flwr.log(submission.run_id, 20)


def test_a_run_is_stopped_once(flwr) -> None:
    submission = flwr.submit(app_of(flwr), "num-rounds = 600\n")
    assert wait_for(flwr, submission.run_id, "running").alive
    assert [flwr.stop(submission.run_id), flwr.stop(submission.run_id), flwr.stop("42")] == [True, False, False]
    assert wait_for(flwr, submission.run_id, "stopped").status == "stopped"


def test_the_process_of_a_run_began_when_flower_says_and_a_run_without_it_can_be_stopped_at_once(flwr) -> None:
    table = ProcessTable()
    submission = flwr.submit(app_of(flwr), "num-rounds = 600\n")
    run = wait_for(flwr, submission.run_id, "running")
    (process,) = of_run([(each, table.began(each)) for each in table.serverapps()], moment(run.starting_at))
    table.kill(process)
    deadline = time.monotonic() + PATIENCE
    while table.lives(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not table.lives(process)
    # Flower itself believes in it until its heartbeat is missed.
    assert wait_for(flwr, submission.run_id, "running", "failed").status == "running"
    assert flwr.stop(submission.run_id) is True
    assert wait_for(flwr, submission.run_id, "stopped").status == "stopped"


def test_a_key_that_the_app_does_not_declare_is_refused(flwr) -> None:
    with pytest.raises(cli.FlwrError) as caught:
        flwr.submit(app_of(flwr), "nope = 1\n")
    assert caught.value.code == cli.INVALID_RUN_CONFIG


def test_a_superlink_that_does_not_answer_is_told_from_other_errors(flwr) -> None:
    with pytest.raises(cli.FlwrUnreachableError):
        cli.Flwr(flwr.home, "dead").runs()
    with pytest.raises(cli.FlwrError, match="SuperLink connection 'nosuch' not found"):
        cli.Flwr(flwr.home, "nosuch").runs()
