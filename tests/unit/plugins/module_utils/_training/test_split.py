# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import accounts, identity
from ansible_collections.fedops.flower.plugins.module_utils._base.ownership import hand_over
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training import split as _split
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order, standing_order
from ansible_collections.fedops.flower.plugins.module_utils._training.split import split

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

APPS, CONTROL = 64001, 64002
ACCOUNTS = {
    "apps": SimpleNamespace(pw_uid=APPS, pw_gid=APPS),
    "control": SimpleNamespace(pw_uid=CONTROL, pw_gid=CONTROL),
}
EVENT = {"event": "round_finished", "round": 1, "run_id": "1"}
OLD = {
    "ledger.json": {"runs": [{"run_id": "1", "configuration_hash": "h", "fab_hash": "f", "num_rounds": 3}]},
    "request.json": vars(Request("default", "/app", request_id="r")),
    "supervision.json": vars(Memory(request_id="r", state="quiesced", run_id="1")),
    "effective.json": {"run_id": "1", "run_config": {"num-rounds": 3}},
    "result.json": {"run_id": "1", "rounds": 3},
    "previous/20260101T000000.000000Z/history.jsonl": EVENT,
    "history.jsonl": EVENT,
    ".lock": None,
}


@pytest.fixture
def home(monkeypatch):
    """The home of a host with one account, of which a training stands still."""
    monkeypatch.setattr(identity, "APPS_USER", "apps")
    monkeypatch.setattr(identity, "CONTROL_USER", "control")
    for module in (_split, accounts, identity):
        monkeypatch.setattr(module.pwd, "getpwnam", ACCOUNTS.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, APPS])
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))  # outside pytest's own, which is closed to others
    path.chmod(0o755)
    for name, content in OLD.items():
        file = path / "trainings" / "default" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("" if content is None else json.dumps(content) + "\n")
    for place in (path / "trainings", *(path / "trainings").rglob("*")):
        os.chown(place, APPS, APPS)
        place.chmod(0o700 if place.is_dir() else 0o600)
    yield path
    shutil.rmtree(path)


def owners(place: Path) -> dict[str, int]:
    return {str(file.relative_to(place)): file.lstat().st_uid for file in sorted(place.rglob("*"))}


def seen(home) -> tuple:
    folder = TrainingFolder(str(home), "default")
    desk = Desk(folder)
    return folder.ledger, folder.effective, folder.result, folder.history, desk.request, desk.memory, folder.problems


SPLIT = {
    "published": {
        "default": APPS,
        "default/effective.json": APPS,
        "default/history.jsonl": APPS,
        "default/previous": APPS,
        "default/previous/20260101T000000.000000Z": APPS,
        "default/previous/20260101T000000.000000Z/history.jsonl": APPS,
        "default/result.json": APPS,
    },
    "trainings": {
        "default": CONTROL,
        "default/.lock": CONTROL,
        "default/ledger.json": CONTROL,
        "default/request.json": CONTROL,
        "default/supervision.json": CONTROL,
    },
}


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_training_is_what_it_was_and_belongs_to_two(home, handed_over) -> None:
    before = seen(home)
    assert (len(before[0]), before[3], before[5].state, before[6]) == (1, [EVENT], "quiesced", [])
    if handed_over:  # with the folder around it, as root hands a folder over
        hand_over(str(home / "trainings"), [APPS], (CONTROL, APPS))
    assert split(str(home)) == ["default"]
    assert {name: owners(home / name) for name in SPLIT} == SPLIT
    assert seen(home) == before
    assert [(home / name).stat().st_uid for name in ("trainings", "published")] == [CONTROL, APPS]
    assert split(str(home)) == []
    with identity.as_account("control"):  # which supervises it
        assert seen(home) == before


@pytest.mark.parametrize("step", range(1, 8))
def test_one_that_is_cut_short_is_done_again(home, monkeypatch, step) -> None:
    before, real, steps = seen(home), _split.guarded.rename, []

    def rename(source: str, target: str) -> None:
        steps.append(source)
        if len(steps) == step:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(_split.guarded, "rename", rename)
    try:
        split(str(home))
    except KeyboardInterrupt:
        monkeypatch.setattr(_split.guarded, "rename", real)
        split(str(home))
    assert {name: owners(home / name) for name in SPLIT} == SPLIT
    assert seen(home) == before


def test_what_is_there_already_is_kept_as_something_of_before(home) -> None:
    split(str(home))
    again = home / "trainings" / "default" / "result.json"  # as an older backup would bring it
    again.write_text("{}")
    os.chown(again, APPS, APPS)
    assert split(str(home)) == ["default"]
    assert json.loads((home / "published" / "default" / "result.json").read_text()) == OLD["result.json"]
    assert len(list((home / "published" / "default" / "previous").glob("*/result.json"))) == 1


def test_what_was_planted_is_neither_followed_nor_given_away(home) -> None:
    victim = home / "shadow"
    victim.write_text("secret")
    place = home / "trainings" / "default"
    (place / "result.json").unlink()
    (place / "result.json").symlink_to(victim)
    (place / "stopped").symlink_to(victim)
    os.link(victim, place / "stopping")
    (home / "trainings" / "evil").symlink_to("/etc")
    os.mkfifo(home / "trainings" / "pipe")
    split(str(home))
    assert (victim.stat().st_uid, victim.stat().st_mode & 0o777, victim.read_text()) == (0, 0o644, "secret")
    assert os.stat("/etc").st_uid == 0
    assert TrainingFolder(str(home), "default").result is None


def test_before_they_are_split_orders_reach_the_trainings_of_old(home) -> None:
    """An upgrade has them stand still first: their supervisors and ServerApps look where they always have."""
    assert give_order(str(home / "trainings"), 10, "upgrade")
    order = home / "trainings" / "quiesced.json"
    assert order.stat().st_uid == APPS
    desk = Desk(TrainingFolder(str(home), "default"))
    desk.remember(Memory(request_id="r", state="quiesced", run_id="1", ended="1"))
    assert (home / "trainings" / "default" / "supervision.json").stat().st_uid == APPS
    split(str(home))
    assert (order.stat().st_uid, standing_order(str(home / "trainings")).purpose) == (CONTROL, "upgrade")
    assert (desk.memory.ended, desk.is_stopped, desk.stop()) == ("1", False, True)
    assert owners(home / "trainings")["default/stopped"] == CONTROL


def test_a_host_without_trainings_has_nothing_to_split(home) -> None:
    shutil.rmtree(home / "trainings")
    assert split(str(home)) == []
