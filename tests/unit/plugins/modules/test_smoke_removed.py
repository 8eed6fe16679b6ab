# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke run is removed without a trace, however far it came, and by its host if nobody else does."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import systemd as _systemd
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import abandoned, control, kept_checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import program as _program
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.kept_checkpoints import KeptCheckpoints
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from ..saved import save

NAME = "smoke-digits"
RUN = "10117593754731237286"  # stopped in the recording list_after


@pytest.fixture
def systemd(monkeypatch) -> list[tuple[str, ...]]:
    """What systemd is told."""
    orders: list[tuple[str, ...]] = []

    def note(*words: str) -> str:
        orders.append(words)
        return ""

    def units(*names: str) -> list[Unit]:
        return [Unit(name, "loaded", "inactive", "") for name in names]

    monkeypatch.setattr(control, "show_units", units)
    for module in (control, abandoned):
        monkeypatch.setattr(module, "control", note)
    monkeypatch.setattr(_systemd, "_call", lambda words: note(*words))
    return orders


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def desk(home, shared: Path) -> Desk:
    """A smoke run that has failed, beside the real training."""
    save(shared / "digits", 4, training="digits")
    home.answers(list="list_after")
    home.published(NAME)
    desk = Desk(TrainingFolder(str(home.path), NAME))
    config = (
        f'training-name = "{NAME}"\npurpose = "smoke"\ncheckpoint-enabled = true\ncheckpoint-path = "{shared}"\n'
        "round-timeout = 600\nnode-wait-timeout = 120\n"
    )
    desk.ask(Request(NAME, "/app", config, request_id="1"))
    desk.remember(Memory(request_id="1", state="failed"))
    return desk


def traces(place: Path) -> list[str]:
    return sorted(str(found.relative_to(place)) for found in place.rglob("*") if NAME in str(found))


def begun(own: Path) -> None:
    own.mkdir(parents=True)
    (own / ".lock").touch()


def saving(own: Path) -> None:
    begun(own)
    (own / "checkpoint_round_1.npz.partial").touch()


def half_saved(own: Path) -> None:
    """Arrays that a manifest was never written for, and one that nobody can read."""
    begun(own)
    (own / "checkpoint_round_1.npz").touch()
    (own / "checkpoint_round_2.npz").touch()
    (own / "checkpoint_round_2.json").write_text("{")
    (own / "checkpoint_latest.json").write_text("{}")


def again(own: Path) -> None:
    begun(own)
    save(own, 1, training=NAME)
    (own / "checkpoint_latest.npz").symlink_to("checkpoint_round_1.npz")
    (own / "checkpoint_latest.json").write_text("{}")
    save(own / "previous" / f"{NAME}-00000000", 1, training=NAME)
    (own / "previous" / f"{NAME}-00000001").mkdir()


def never_begun(own: Path) -> None:
    assert not own.exists()


@pytest.mark.parametrize("came_to", [never_begun, begun, saving, half_saved, again])
@pytest.mark.parametrize("has_run", [True, False])
def test_it_leaves_no_trace_however_far_it_came(
    home, systemd, desk, shared, run_module, came_to: Callable[[Path], None], has_run: bool
) -> None:
    if has_run:
        home.ledger((RUN, "h", 1), name=NAME)
    came_to(shared / NAME)
    shown = run_module("run_info", name=NAME)
    assert (shown["supervision"]["purpose"], shown["status"]) == ("smoke", "stopped" if has_run else "absent")
    foreseen = run_module("training", check_mode=True, name=NAME, state="absent", remove_checkpoints=True)
    assert traces(home.path) != []
    result = run_module("training", name=NAME, state="absent", remove_checkpoints=True)
    assert (traces(home.path), traces(shared)) == ([], [])
    assert sorted(os.listdir(shared)) == ["digits"]
    assert (result["removed"], result["changed"]) == (foreseen["removed"], True)
    assert ("stop", f"flower-abandoned-{NAME}.timer") in systemd
    assert [each["name"] for each in run_module("run_info")["trainings"]] == []


def test_what_is_of_another_training_stays_with_its_folder(systemd, desk, shared, run_module) -> None:
    """The directory of all trainings may be called as the smoke run of one is."""
    own = shared / NAME
    half_saved(own)
    save(own, 7, training="other")
    save(own / "other", 3, training="other")
    run_module("training", name=NAME, state="absent", remove_checkpoints=True)
    left = {str(found.relative_to(own)) for found in own.rglob("*") if found.is_file()}
    assert left >= {"checkpoint_round_7.npz", "checkpoint_round_7.json", "other/checkpoint_round_3.npz", ".lock"}


@pytest.mark.usefixtures("own_account")
def test_a_real_training_keeps_halves_of_a_save_that_nobody_can_tell_the_training_of(shared) -> None:
    own = shared / "digits"
    half_saved(own)
    save(own, 3, training="digits")
    KeptCheckpoints(str(own), "digits").remove()
    assert sorted(os.listdir(own)) == [
        ".lock", "checkpoint_latest.json",
        "checkpoint_round_1.npz", "checkpoint_round_2.json", "checkpoint_round_2.npz",
    ]  # fmt: skip


@pytest.mark.usefixtures("own_account")
def test_a_serverapp_that_still_saves_is_waited_for(shared, monkeypatch) -> None:
    own = shared / NAME
    begun(own)
    held = (own / ".lock").open()
    fcntl.flock(held, fcntl.LOCK_EX)
    waited: list[float] = []

    def take(lock: int, budget: float) -> bool:
        waited.append(budget)
        save(own, 1, training=NAME)
        return False

    monkeypatch.setattr(kept_checkpoints, "take_lock", take)
    removed = KeptCheckpoints(str(own), NAME).remove()
    held.close()
    assert (waited, own.exists()) == ([kept_checkpoints.LAST_SAVE], False)
    assert removed[-1] == str(own)


def test_the_host_is_told_to_remove_it_when_it_begins(home, systemd, desk) -> None:
    supervising = control.Supervising(Flwr(str(home.path)), desk.folder)
    request = desk.request
    assert request is not None
    abandoned.have_removed_later(supervising, request)
    (stop, (program, *words)) = systemd
    assert (stop, program) == (("stop", f"flower-abandoned-{NAME}.timer"), "systemd-run")
    after = [word.partition("=")[2] for word in words if word.startswith("--on-active=")]
    assert after == ["2520s", "6120s", "88920s"]  # it may last 120 + 2 * 600 seconds
    assert words[-8:] == [
        f"{home.path}/venv/bin/python", "-I", "-B", f"{home.path}/supervisor/fedops-supervisor.pyz",
        "--home", str(home.path), "--remove-abandoned", NAME,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "age", "goes"),
    [
        ("failed", 60, False),  # its playbook may be judging
        ("failed", 700, True),
        ("completed", 700, True),
        ("running", 700, False),
        ("running", 1320 + 3601, True),
    ],
)
def test_a_smoke_run_whose_playbook_is_gone_is_removed(home, systemd, desk, shared, state, age, goes) -> None:
    home.ledger((RUN, "h", 1), name=NAME)
    again(shared / NAME)
    desk.remember(Memory(request_id="1", state=state))
    removed = abandoned.remove_abandoned(str(home.path), NAME, time.time() + age)
    assert (removed != [], traces(home.path) == [], traces(shared) == []) == (goes, goes, goes)


def test_no_real_training_is_ever_removed_so(home, systemd, desk, capsys) -> None:
    desk.ask(Request(NAME, "/app", f'training-name = "{NAME}"\n', request_id="2"))
    desk.remember(Memory(request_id="2", state="failed"))
    assert abandoned.remove_abandoned(str(home.path), NAME, time.time() + 1e6) == []
    assert _program.main(["--home", str(home.path), "--remove-abandoned", NAME]) == 0
    assert (desk.request is not None, capsys.readouterr().out) == (True, "")


def test_the_program_says_why_it_cannot_remove_it_now(home, systemd, desk, monkeypatch, capsys) -> None:
    home.ledger((RUN, "h", 1), name=NAME)
    home.answers(list="list_unreachable")
    monkeypatch.setattr(abandoned, "JUDGING", -1.0)
    assert _program.main(["--home", str(home.path), "--remove-abandoned", NAME]) == 1
    said = capsys.readouterr().out
    assert f"{NAME}: the smoke run cannot be removed now." in said
    assert "SuperLink is unavailable" in said
    home.answers(list="list_after")
    assert _program.main(["--home", str(home.path), "--remove-abandoned", NAME]) == 0
    assert "nobody followed the smoke run any more, and it was removed" in capsys.readouterr().out
