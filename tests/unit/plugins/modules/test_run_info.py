# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order

RUNS = {"completed": "4054059867765540810", "failed": "17304172647888193640", "stopped": "10117593754731237286"}
FAB = "043e4ac48e9656d160726ac53e918671aa2d7f43e920078f247f4573546af68e"
ABSENT = {
    "name": "default",
    "run_id": None,
    "status": "absent",
    "details": None,
    "alive": False,
    "finished": False,
    "configuration_hash": None,
    "num_rounds": None,
    "fab_hash": None,
    "code": None,
    "history": [],
    "effective": None,
    "result": None,
    "stopped_early": None,
    "problems": [],
    "site_names": [],
    "supervision": None,
    "log_tail": [],
}
FAILED = {
    **ABSENT,
    "run_id": RUNS["failed"],
    "status": "failed",
    "details": "ServerApp failed with exception: the data went away",
    "configuration_hash": "h",
    "num_rounds": 3,
    "fab_hash": FAB,
    "code": None,
}


def listed(training: dict, name: str) -> dict:
    """A training as one of many, which have the names of sites in common."""
    return {**{key: value for key, value in training.items() if key != "site_names"}, "name": name}


def test_a_training_that_never_was_is_absent(home, run_module) -> None:
    home.answers(list="list_after")
    assert run_module("run_info", name="default") == {"changed": False, **ABSENT}


def test_the_newest_run_of_a_training_is_described_with_what_it_left(home, run_module) -> None:
    home.ledger((RUNS["completed"], "h", 2), (RUNS["failed"], "h", 3))
    history = [{"event": "round_finished", "round": 1, "run_id": RUNS["failed"]}]
    home.training(history=history, effective={"run_id": RUNS["failed"]})
    home.answers(list="list_after", log="log_fail")
    assert run_module("run_info", name="default", log_lines=1) == {
        "changed": False,
        **FAILED,
        "history": history,
        "effective": {"run_id": RUNS["failed"]},
        "log_tail": ["For more information, visit: <https://flower.ai/docs/framework/1.41/en/ref-exit-codes/201.html>"],
    }


@pytest.mark.parametrize("status", RUNS)
def test_a_run_is_found_by_its_id_alone(home, run_module, status) -> None:
    home.ledger(*((run_id, "h", 3) for run_id in RUNS.values()))
    home.answers(list="list_after")
    result = run_module("run_info", run_id=RUNS[status])
    # In none of them has a ClientApp ever replied: without files of its ServerApp, that is no end of a training.
    assert (result["name"], result["status"], result["finished"]) == ("default", status, False)


def test_a_run_of_no_training_of_ours_is_described_as_well(home, run_module) -> None:
    home.answers(list="list_after")
    expected = {**FAILED, "name": None, "configuration_hash": None, "num_rounds": None}
    assert run_module("run_info", run_id=RUNS["failed"]) == {"changed": False, **expected}


def test_without_a_name_every_training_is_described_with_one_listing(home, run_module) -> None:
    home.ledger((RUNS["failed"], "h", 3), name="b")
    home.training("a")
    home.answers(list="list_after")
    assert run_module("run_info") == {
        "changed": False,
        "trainings": [listed(ABSENT, "a"), listed(FAILED, "b")],
        "site_names": [],
        "quiesced": None,
        "superlink_problem": None,
        "trackers": [],
        "memory_problems": [],
    }
    assert home.commands == ["list local"]


AWAY = "Flower says: Connection to the SuperLink is unavailable. Look at the unit flower-superlink on this host."
UNKNOWN_RUN = {"run_id": "7", "status": "unreachable", "details": AWAY, "alive": False, "finished": False}


def test_a_superlink_that_does_not_answer_leaves_every_training_to_its_files(home, supervised, run_module) -> None:
    history = [{"event": "round_finished", "round": 1, "run_id": "7"}]
    home.ledger(("7", "h", 3))
    home.training(history=history)
    home.ledger(("8", "h", 2), name="done")
    home.training("done", result={"run_id": "8", "configuration_hash": "h", "rounds": 2})
    home.training("never")
    home.answers(list="list_unreachable")
    seen = run_module("run_info", log_lines=5)
    told, done, never = seen["trainings"]
    assert seen["superlink_problem"] == AWAY
    assert (told, told["supervision"]["state"], told["supervision"]["round"]) == (
        {**told, **UNKNOWN_RUN, "history": history, "log_tail": []}, "running", 1,
    )  # fmt: skip
    assert (done["status"], done["details"], done["finished"]) == ("completed", None, True)
    assert never == listed(ABSENT, "never")
    assert home.commands == ["list local"]


def test_one_training_is_told_from_its_files_as_well(home, supervised, run_module) -> None:
    home.ledger(("7", "h", 3))
    home.answers(list="list_unreachable")
    for named in ({"name": "default"}, {"run_id": "7"}, {"name": "default", "wait_seconds": 0.1}):
        seen = run_module("run_info", **named)
        assert (seen, seen["supervision"]["state"]) == ({**seen, **UNKNOWN_RUN}, "running")


def test_flower_that_fails_in_any_way_hides_no_training(home, supervised, run_module) -> None:
    (home.path / "bin" / "flwr").unlink()
    seen = run_module("run_info")
    assert [training["supervision"]["state"] for training in seen["trainings"]] == ["running"]
    assert "cannot be run" in seen["superlink_problem"]


def test_a_federation_that_is_quiesced_is_told(home, run_module) -> None:
    home.answers(list="list_after")
    give_order(str(home.path / "trainings"), 10)
    assert run_module("run_info")["quiesced"].startswith("20")


def test_waiting_for_a_training_that_never_was_does_not_wait(home, run_module) -> None:
    home.answers(list="list_empty")
    assert run_module("run_info", name="default", wait_seconds=60)["status"] == "absent"


def test_waiting_ends_with_the_round(home, run_module) -> None:
    home.ledger((RUNS["completed"], "h", 9))
    event = {"event": "round_finished", "round": 4, "num_rounds": 9, "run_id": RUNS["completed"]}
    home.training(history=[event])
    result = run_module("run_info", name="default", run_id=RUNS["completed"], wait_for_round=4, wait_seconds=60)
    assert (result["status"], result["alive"], result["history"], home.calls) == ("running", True, [event], [])


def test_a_host_without_flower_has_no_runs_in_check_mode_and_else_fails(home, run_module) -> None:
    (home.path / "bin" / "flwr").unlink()
    assert run_module("run_info", check_mode=True, name="default") == {"changed": False, **ABSENT}
    assert run_module("run_info", name="default")["failed"] is True


@pytest.fixture
def supervised(home, monkeypatch):
    """A training whose supervisor, as systemd says, is at work."""
    from ansible_collections.fedops.flower.plugins.module_utils._supervisor import desk as _supervised
    from ansible_collections.fedops.flower.plugins.module_utils._supervisor import news, outlook
    from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

    home.ledger(("7", "h", 3))
    units = [Unit("flower-training@default.service", "loaded", "active", "running")]
    for module in (news, outlook):
        monkeypatch.setattr(module, "show_units", lambda name: units)
    monkeypatch.setattr(news, "HISTORY_EVERY", 0.05)
    desk = _supervised.Desk(TrainingFolder(str(home.path), "default"))
    desk.ask(_supervised.Request("default", "/app", num_rounds=3, request_id="1"))
    desk.remember(_supervised.Memory(request_id="1", state="running", run_id="7", runs=1))
    return desk, units


def test_a_supervised_training_is_looked_at_without_a_question_to_flower(home, supervised, run_module) -> None:
    seen = run_module("run_info", name="default", wait_for_change="", wait_seconds=5)["supervision"]
    assert (seen["state"], seen["run_id"], seen["signature"]) == ("running", "7", "1 running  7 0")
    started = time.monotonic()
    again = run_module("run_info", name="default", wait_for_change=seen["signature"], wait_seconds=0.3)
    assert (again["supervision"], time.monotonic() - started >= 0.3) == (seen, True)
    assert home.calls == []


def test_who_has_failed_is_named_and_the_history_keeps_its_word(home, supervised, run_module) -> None:
    member = {"name": "ward", "pseudonym": "site-aaaaaaaaaaaa", "node_id": "1", "fingerprint": "f", "host": "box"}
    (home.path / "records").mkdir(exist_ok=True)
    (home.path / "records" / "supernodes.json").write_text(json.dumps({"supernodes": [member]}))
    failed = [{"site": site, "reason": "gone"} for site in ("site-aaaaaaaaaaaa", "lab")]  # the second by an older app
    event = {"event": "round_finished", "round": 1, "run_id": "7", "failed": failed}
    home.training(
        history=[event],
        failure={"run_id": "7", "reason": "failed", "message": "Round 2 failed: site-aaaaaaaaaaaa: gone."},
    )
    seen = run_module("run_info", name="default", wait_for_change="", wait_seconds=5)
    assert seen["supervision"]["failed_nodes"] == ["lab", "ward"]
    assert seen["history"] == [event]
    assert seen["site_names"] == [
        {"name": "ward", "pseudonym": "site-aaaaaaaaaaaa", "node_id": "1", "site": "", "host": "box"}
    ]
    folder = supervised[0].folder
    assert folder.failure["message"] == "Round 2 failed: ward: gone."
    (home.path / "records" / "supernodes.json").write_text("{")
    assert folder.failure["message"] == "Round 2 failed: site-aaaaaaaaaaaa: gone."


def test_a_run_that_is_still_to_be_stopped_is_told(home, supervised, run_module) -> None:
    desk, dummy = supervised
    memory = desk.memory
    memory.state, memory.detail = "stopped", "An operator has stopped it."
    desk.remember(memory)
    desk.leave("7")
    home.answers(list="list_unreachable")
    details = []
    for change in (lambda: None, desk.stop, lambda: desk.leave("")):
        change()
        details.append(run_module("run_info")["trainings"][0]["supervision"]["detail"])
    stopped = "An operator has stopped it."
    assert details == [stopped, f"{stopped} Run 7 is stopped as soon as the SuperLink answers.", stopped]


def test_a_systemd_that_does_not_answer_is_no_news(home, supervised, run_module) -> None:
    dummy, units = supervised
    units[0] = Unit("flower-training@default.service")
    started = time.monotonic()
    look = run_module("run_info", name="default", wait_for_change="1 running  7 0", wait_seconds=0.3)
    assert (look["supervision"]["state"], time.monotonic() - started >= 0.3) == ("running", True)


@pytest.mark.parametrize("news", ["round", "state", "unit"])
def test_news_of_a_supervised_training_end_the_wait(home, supervised, run_module, news) -> None:
    desk, units = supervised

    def happen() -> None:
        if news == "round":
            home.training(history=[{"event": "round_finished", "round": 1, "run_id": "7"}])
        elif news == "state":
            memory = desk.memory
            memory.state = "waiting"
            desk.remember(memory)
        else:
            units[0] = replace(units[0], active="failed", result="start-limit-hit")

    timer = threading.Timer(0.2, happen)
    timer.start()
    started = time.monotonic()
    look = run_module("run_info", name="default", wait_for_change="1 running  7 0", wait_for_round=1, wait_seconds=30)
    timer.join()
    assert time.monotonic() - started < 15
    expected = {"round": "running", "state": "waiting", "unit": "halted"}[news]
    assert (look["supervision"]["state"], len(look["history"])) == (expected, 1 if news == "round" else 0)
    assert home.calls == []


def planted_pipe(path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def planted_link(target: str):
    def plant(path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return plant


def written(text: str):
    return lambda path: path.write_text(text)


MALFORMED = {
    "a text for a table": (
        "effective.json",
        written('{"run_id": "7", "run_config": "odd"}'),
        "run_config is a text but",
    ),
    "too deep": ("effective.json", written("[" * 200_000), "it is too deep"),
    "a pipe": ("result.json", planted_pipe, "is no regular file"),
    "a link": ("failure.json", planted_link("/etc/shadow"), "is a link, and is not followed"),
    "endless": ("history.jsonl", planted_link("/dev/zero"), "is a link, and is not followed"),
    "a round of text": ("history.jsonl", written('{"event": "round_finished", "round": "1"}\n'), "round is a text but"),
    "not whole": ("result.json", written('{"run'), "it is not whole JSON"),
}


@pytest.mark.parametrize(("name", "plant", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_claim_that_is_malformed_is_told_beside_the_healthy_trainings(home, run_module, name, plant, said) -> None:
    home.ledger((RUNS["failed"], "h", 3), name="b")
    home.ledger(("7", "h", 3), name="odd")
    plant(home.published("odd") / name)
    home.answers(list="list_after")
    healthy, odd = run_module("run_info")["trainings"]
    assert (healthy, odd["run_id"], odd["status"]) == (listed(FAILED, "b"), "7", "lost")
    (problem,) = odd["problems"]
    assert problem.startswith(f"its {name} cannot be read: {said}")
    assert (odd["history"], odd["effective"], odd["result"]) == ([], None, None)


def test_a_claim_about_the_run_of_another_training_counts_nothing(home, run_module) -> None:
    home.ledger((RUNS["failed"], "h", 3), name="b")
    foreign = {"run_id": RUNS["failed"]}
    home.training("b", result=foreign)
    home.ledger((RUNS["completed"], "h", 3), name="liar")
    history = [{"event": "round_finished", "round": 3, **foreign}]
    home.training("liar", history=history, effective=foreign, result=foreign, failure=foreign)
    home.answers(list="list_after")
    honest, liar = run_module("run_info")["trainings"]
    assert (honest["result"], honest["problems"]) == (foreign, [])
    assert (liar["run_id"], liar["history"], liar["effective"], liar["result"]) == (RUNS["completed"], [], None, None)
    said = f"tells of run {RUNS['failed']}, which is no run of it."
    assert liar["problems"] == [f"its {name}.json {said}" for name in ("effective", "result", "failure")]


# What somebody could leave in the place of the folder of what is asked for, or in it.
def _of_somebody_else(folder) -> None:
    folder.mkdir()
    (folder / "ledger.json").write_text('{"runs": [{"run_id": "7"}]}')
    if os.geteuid() == 0:
        os.chown(folder / "ledger.json", 4711, 4711)
    else:
        (folder / "ledger.json").write_text("")


def _link(folder) -> None:
    folder.symlink_to("/etc")
    os.chown(folder.parent, 4711, 4711)


def _deep(folder) -> None:
    folder.mkdir()
    (folder / "supervision.json").write_text('{"a":' * 100_000)


@pytest.mark.parametrize(
    "plant",
    [
        lambda path: path.write_text("a file"),
        pytest.param(_link, marks=pytest.mark.skipif(os.geteuid() != 0, reason="one's own link is trusted")),
        os.mkfifo,
        _of_somebody_else,
        _deep,
    ],
)
@pytest.mark.parametrize("name", ["run_info", "quiesce"])
def test_a_folder_that_is_none_hides_no_other_training(home, run_module, plant, name) -> None:
    home.ledger((RUNS["failed"], "h", 3), name="b")
    plant(home.path / "trainings" / "odd")
    home.answers(list="list_after")
    result = run_module(name)
    if name == "quiesce":
        assert result["done"] is True
        return
    healthy, odd = result["trainings"]
    assert (healthy, odd["run_id"], odd["status"]) == (listed(FAILED, "b"), None, "absent")
    assert odd["problems"]
    assert all(" cannot be read: " in problem for problem in odd["problems"])
