# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk, recall
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import KEPT_RESTARTS, Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request, same, with_values
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder, write_object

REQUEST = Request("default", "/app", "a = 1\n", "h", 3, request_id="1")


@pytest.fixture
def desk(tmp_path, own_account) -> Desk:
    return Desk(TrainingFolder(str(tmp_path), "default"))


def test_a_request_is_read_as_it_was_written_and_lifts_an_order_to_stop(desk) -> None:
    assert (desk.request, desk.is_stopped) == (None, False)
    assert [desk.stop(), desk.stop(), desk.is_stopped] == [True, False, True]
    desk.ask(REQUEST)
    assert (desk.request, desk.is_stopped) == (REQUEST, False)


@pytest.mark.parametrize(
    "content",
    [
        {"name": "default"},
        [1],
        {"nonsense": True},
        {**vars(REQUEST), "run_config": None},
        {**vars(REQUEST), "num_rounds": "3"},
        {**vars(REQUEST), "stall_floor": True},
    ],
)
def test_a_request_that_is_damaged_is_none(desk, content) -> None:
    desk.ask(REQUEST)
    write_object(os.path.join(desk.folder.path, "request.json"), content)
    assert desk.request is None


def test_a_request_may_leave_out_hash_and_rounds_and_say_seconds_as_whole_numbers(desk) -> None:
    request = replace(REQUEST, configuration_hash=None, num_rounds=None, stall_floor=900)
    desk.ask(request)
    assert desk.request == request


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("request_id", 1),
        ("run_id", None),
        ("runs", "1"),
        ("runs", True),
        ("began", 1),
        ("processes", None),
        ("processes", [[1]]),
        ("processes", [["1", 2]]),
        ("ending", []),
        ("ending", {"kind": "again"}),
        ("ending", {"kind": [], "reason": "", "text": ""}),
        ("ending", {"kind": "what", "reason": "", "text": ""}),
        ("submitting", "soon"),
        ("submitting", "nan"),
        ("fruitless", None),
        ("session_ended", "1"),
        ("online", [1]),
        ("restarts", [{}]),
        ("restarts", {}),
    ],
)
def test_what_is_damaged_in_a_memory_is_forgotten_and_the_rest_is_not(desk, key, value) -> None:
    whole = Memory(
        request_id="1", state="running", run_id="7", ended="6", runs=2, began=True, processes=[[7, 8]], fruitless=1,
        ending={"kind": "again", "reason": "stalled", "text": "It is."}, submitting="1.5", session_ended=4,
        online=["a"], restart_count=1,
        restarts=[{"time": "t", "reason": "stalled", "detail": "", "run_id": "6", "round": None}],
    )  # fmt: skip
    desk.ask(REQUEST)
    desk.remember(whole)
    assert desk.memory == whole
    write_object(os.path.join(desk.folder.path, "supervision.json"), {**vars(whole), key: value})
    assert desk.memory == replace(whole, **{key: getattr(Memory(), key)})


def test_keys_of_another_release_do_no_harm(desk) -> None:
    desk.ask(REQUEST)
    write_object(os.path.join(desk.folder.path, "request.json"), {**vars(REQUEST), "new": 1})
    write_object(os.path.join(desk.folder.path, "supervision.json"), {"state": "running", "new": 1})
    assert (desk.request, desk.memory.state) == (REQUEST, "running")


def test_a_request_is_the_same_whenever_it_was_made() -> None:
    assert same(REQUEST, replace(REQUEST, request_id="2", force=True))
    assert not same(REQUEST, replace(REQUEST, num_rounds=4))
    assert not same(None, REQUEST)


def test_of_an_older_request_only_what_concerns_its_run_is_remembered(desk) -> None:
    desk.ask(REQUEST)
    memory = Memory(request_id="1", state="failed", run_id="7", ended="7", runs=3, fruitless=2, told=4, began=True)
    desk.remember(memory)
    assert recall(desk, REQUEST) == memory
    newer = recall(desk, replace(REQUEST, request_id="2"))
    assert newer == Memory(request_id="2", run_id="7", ended="7", told=4)


def test_restarts_are_counted_without_end_and_listed_up_to_a_number() -> None:
    memory = Memory(run_id="7")
    for number in range(KEPT_RESTARTS + 5):
        memory.restarted("serverapp_gone", "It is gone.", number)
    assert (memory.restart_count, len(memory.restarts)) == (KEPT_RESTARTS + 5, KEPT_RESTARTS)
    assert memory.restarts[-1]["round"] == KEPT_RESTARTS + 4
    assert memory.restarts[-1]["run_id"] == "7"


def test_only_one_watches(desk) -> None:
    other = Desk(desk.folder)
    with desk.watch() as first, other.watch() as second:
        assert (first, second) == (True, False)
    with other.watch() as again:
        assert again


def test_values_are_exchanged_where_the_run_configuration_has_them() -> None:
    text = 'resume = "never"\nnum-rounds = 3\nname = "resume = 1"\n'
    assert with_values(text, {"resume": "auto", "num-rounds": 6, "new": 1}) == (
        'resume = "auto"\nnum-rounds = 6\nname = "resume = 1"\n'
    )
    assert [replace(REQUEST, run_config=config).begins_anew for config in (text, "a = 1\n")] == [True, False]
