# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import (
    LedgerEntry,
    TrainingFolder,
    TrainingNameError,
    read_object,
    replay,
    write_object,
)


def event(number, configuration_hash="h", run_id="1"):
    return {"event": "round_finished", "round": number, "run_id": run_id, "configuration_hash": configuration_hash}


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "../a", "a/b", "a" * 64, "a\n", ".", "ä"])
def test_a_name_that_is_no_safe_folder_is_refused(name, tmp_path) -> None:
    with pytest.raises(TrainingNameError, match=r"^name is "):
        TrainingFolder(str(tmp_path), name)


@pytest.mark.parametrize("name", ["a", "0", "default", "a-b-1", "a" * 63])
def test_a_safe_name_is_a_folder_below_trainings(name, tmp_path) -> None:
    assert TrainingFolder(str(tmp_path), name).path == f"{tmp_path}/trainings/{name}"


@pytest.mark.parametrize(
    ("events", "rounds"),
    [
        ([], []),
        ([event(1), event(2)], [(1, "1"), (2, "1")]),
        # resumed after round 1: round 2 is trained again
        ([event(1), event(2), event(3), event(2, run_id="2")], [(1, "1"), (2, "2")]),
        # begun anew
        ([event(1), event(2), event(1, run_id="2")], [(1, "2")]),
        # another configuration
        ([event(1), event(2), event(3, "other", "2")], [(3, "2")]),
    ],
)
def test_the_history_holds_the_rounds_that_lead_to_the_newest_model(events, rounds) -> None:
    assert [(line["round"], line["run_id"]) for line in replay(events)] == rounds


def test_a_round_counts_when_a_run_of_the_training_has_finished_it_or_tells_of_it(home) -> None:
    folder = TrainingFolder(str(home.path), "default")
    folder.record(LedgerEntry("2", "h", "f", 8, "t"))
    lost = [event(6, run_id="1"), {**event(7, run_id="1"), "told_by": "3"}]
    kept = [{**event(7, run_id="1"), "told_by": "2"}, event(8, run_id="2")]
    history = home.published() / "history.jsonl"
    history.write_text("".join(json.dumps(line) + "\n" for line in lost + kept))
    assert folder.history == kept


def test_what_is_read_and_written_is_what_every_reader_of_json_takes(home, tmp_path) -> None:
    path, wrong = tmp_path / "result.json", '{"loss": NaN, "top": [Infinity, 1e999, 1.5], "by": "\\udcff", "n": 7}'
    right = {"loss": None, "top": [None, None, 1.5], "by": "?", "n": 7}
    path.write_text(wrong)
    assert read_object(str(path)) == right
    write_object(str(path), json.loads(wrong))
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == right


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "\x00"])
def test_a_file_without_a_whole_object_is_none(tmp_path, text) -> None:
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text)
    assert read_object(str(path)) is None


def test_the_ledger_grows_at_its_end(home) -> None:
    folder = TrainingFolder(str(home.path), "default")
    entries = [LedgerEntry("1", "h", "f", 3, "t1"), LedgerEntry("2", None, "f", None, "t2", "r")]
    for entry in entries:
        folder.record(entry)
    assert TrainingFolder(str(home.path), "default").ledger == entries
    assert os.listdir(folder.path) == ["ledger.json"]


@pytest.mark.parametrize(
    "content", ['{"runs": null}', '{"runs": {"run_id": "1"}}', '{"runs": [1, {"id": "1"}]}', "[]", ""]
)
def test_a_ledger_that_is_damaged_has_no_runs(home, content) -> None:
    home.training()
    (home.path / "trainings" / "default" / "ledger.json").write_text(content)
    assert TrainingFolder(str(home.path), "default").ledger == []


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(home, tmp_path) -> None:
    path = tmp_path / "ledger.json"
    write_object(str(path), {"runs": []})
    with pytest.raises(TypeError):
        write_object(str(path), {"runs": object()})
    assert json.loads(path.read_text()) == {"runs": []}
    assert sorted(os.listdir(tmp_path)) == ["home", "ledger.json"]


def test_a_locked_training_makes_the_next_submission_wait(home) -> None:
    folder = TrainingFolder(str(home.path), "default")
    with folder.lock():
        child = os.fork()
        if child == 0:
            import fcntl

            descriptor = os.open(f"{folder.path}/.lock", os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
