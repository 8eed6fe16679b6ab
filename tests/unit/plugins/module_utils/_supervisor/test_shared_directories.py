# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.shared_directories import (
    DirectorySharedError,
    checkpoint_directory,
    refuse_shared,
    taken_by,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

pytestmark = pytest.mark.usefixtures("own_account")


def config(path: object, name: str = "default") -> str:
    return Training.from_variables(
        {"fl_checkpoint_enabled": True, "fl_checkpoint_path": str(path), "fl_training_name": name}
    ).toml


@pytest.fixture
def asked(tmp_path):
    def ask(name: str, path: object = tmp_path / "a", state: str = "", **memory: object) -> TrainingFolder:
        desk = Desk(TrainingFolder(str(tmp_path), name))
        desk.ask(Request(name, "/app", config(path), request_id="1"))
        if state:
            desk.remember(Memory(**{"request_id": "1", "state": state, **memory}))
        return desk.folder

    return ask


def test_the_directory_is_found_in_the_run_configuration_whatever_stands_in_its_name(tmp_path) -> None:
    for name in ("a", 'quoted "a" = b', "back\\slash", "ü"):
        # As an older release, which took any name, has written it down.
        text = config("/in/the/way").replace('"/in/the/way"', json.dumps(str(tmp_path / name), ensure_ascii=False))
        assert checkpoint_directory(text) == str(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert checkpoint_directory(config(f"{tmp_path}/./link/")) == str(tmp_path / "a")
    assert (
        checkpoint_directory(Training.from_variables({"fl_checkpoint_enabled": True}).toml) == "/opt/flower/checkpoints"
    )


def test_a_training_without_checkpoints_and_an_app_of_ones_own_have_none(tmp_path) -> None:
    none = Training.from_variables({"fl_checkpoint_enabled": False}).toml
    assert [checkpoint_directory(text) for text in (none, "", 'lr = 0.1\nwhere = "/a"\n', "checkpoint-path = [\n")] == [
        None
    ] * 4


def test_an_app_with_the_kit_says_it_in_the_table_of_the_kit() -> None:
    text = 'fedops.checkpoint-enabled = true\nfedops.checkpoint-path = "/srv/c"\nfedops.training-name = "{}"\nlr = 1\n'
    assert checkpoint_directory(text.format("default")) == "/srv/c"
    assert checkpoint_directory(text.format("second")) == "/srv/c/second"


@pytest.mark.parametrize("state", ["", "starting", "running", "waiting", "idle", "restarting", "quiesced"])
def test_a_directory_of_a_training_that_goes_on_is_refused_with_its_name_and_what_to_do(tmp_path, asked, state) -> None:
    asked("first", state=state)
    second = TrainingFolder(str(tmp_path), "second")
    with pytest.raises(DirectorySharedError) as error:
        refuse_shared(second, config(tmp_path / "a"))
    assert str(error.value) == (
        f"fl_checkpoint_path is {tmp_path}/a, where the training first saves, which is not finished. Two that share a"
        " directory put each other's checkpoints aside. Give each training a fl_checkpoint_path of its own, or wait for"
        " the end of first, or stop it (playbook fedops.flower.stop)."
    )
    refuse_shared(second, config(tmp_path / "b"))
    refuse_shared(TrainingFolder(str(tmp_path), "first"), config(tmp_path / "a"))


@pytest.mark.parametrize("state", ["completed", "failed", "given_up", "refused", "stopped"])
def test_a_training_that_does_not_go_on_by_itself_is_in_nobodys_way(tmp_path, asked, state) -> None:
    folder = asked("first", state=state)
    refuse_shared(TrainingFolder(str(tmp_path), "second"), config(tmp_path / "a"))
    # A newer request that its supervisor has not begun with.
    Desk(folder).remember(Memory(request_id="0", state=state))
    with pytest.raises(DirectorySharedError):
        refuse_shared(TrainingFolder(str(tmp_path), "second"), config(tmp_path / "a"))
    Desk(folder).stop()
    refuse_shared(TrainingFolder(str(tmp_path), "second"), config(tmp_path / "a"))


def test_the_directory_is_whose_training_has_begun_there_or_was_asked_for_first(asked) -> None:
    one, two = asked("one"), asked("two")
    os.utime(f"{two.path}/request.json", (1, 1))

    def losers() -> list[str]:
        return [folder.name for folder in (one, two) if taken_by(folder, Desk(folder).request.run_config)]

    assert losers() == ["one"]
    Desk(one).remember(Memory(request_id="1", state="running", run_id="7", runs=1, began=True))
    assert losers() == ["two"]
    Desk(two).remember(Memory(request_id="1", state="running", run_id="8", runs=1, began=True))
    assert losers() == ["one"]
    os.utime(f"{one.path}/request.json", (1, 1))
    assert losers() == ["two"]


def test_two_trainings_of_one_path_are_in_each_others_way_only_where_both_save_in_it_itself(tmp_path, save) -> None:
    """Which they do when one of them was begun by a release in which all did."""
    path = tmp_path
    Desk(TrainingFolder(str(tmp_path), "second")).ask(Request("second", "/app", config(path, "second"), request_id="1"))
    refuse_shared(TrainingFolder(str(tmp_path), "default"), config(path))
    refuse_shared(TrainingFolder(str(tmp_path), "third"), config(path, "third"))
    save(1, "second")
    with pytest.raises(DirectorySharedError, match=f"fl_checkpoint_path is {path}, where the training second saves"):
        refuse_shared(TrainingFolder(str(tmp_path), "default"), config(path))
    refuse_shared(TrainingFolder(str(tmp_path), "third"), config(path, "third"))
