# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play that trains is said to have come to: nothing of an older training of the same name."""

from __future__ import annotations

import json
import unicodedata

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outcome import outcome

ASKED = {"configuration_hash": "h", "provable": True, "training": {"resume": "auto"}}
NOTHING = {
    "training": "default",
    "status": "not_started",
    "details": None,
    "finished": False,
    "run_id": None,
    "rounds": None,
    "loss": None,
    "accuracy": None,
    "exact": None,
    "deviation": None,
    "stopped_early": None,
    "privacy": None,
    "privacy_epsilon": None,
    "best_round": None,
    "best_checkpoint": None,
    "restarts": 0,
    "restart_reasons": [],
    "waiting_for": [],
    "checkpoint": None,
    "checkpoint_round": None,
    "checkpoint_sha256": None,
    "history": [],
    "last_sites": {"sites": [], "across_sites": {}},
    "changed_app": None,
}
NAMES = [
    {
        "name": f"site{n}",
        "pseudonym": f"site-{'aaaaaaaaaaa'}{'abc'[n]}",
        "node_id": f"{n}",
        "site": "",
        "host": f"box{n}",
    }
    for n in range(3)
]


def rounds(count, run_id="1", configuration_hash="h", **values):
    return [
        {
            "round": n,
            "run_id": run_id,
            "configuration_hash": configuration_hash,
            "loss": 1 / n,
            "accuracy": n / 10,
            **values,
        }
        for n in range(1, count + 1)
    ]


def run(status="running", run_id="1", lost=(), **values):
    supervision = {"restarts": len(lost), "restart_reasons": [{"run_id": one, "reason": "gone"} for one in lost]}
    return {
        "status": status,
        "run_id": run_id,
        "finished": status == "completed",
        "supervision": supervision,
        "history": [],
        **values,
    }


def saved(number, **values):
    own = {
        "training": "default",
        "configuration_hash": "h",
        "round": number,
        "path": f"/{number}",
        "sha256": f"s{number}",
    }
    return {**own, **values}


def told(run=None, **seen):
    return outcome({"name": "default", "asked": ASKED, "run": run or {}, **seen})


def picked(result, *keys):
    return tuple(result[key] for key in keys)


def test_of_a_play_that_has_seen_nothing_nothing_is_told() -> None:
    assert outcome({"name": "default"}) == NOTHING


@pytest.mark.parametrize("step", ["asked", "refusal", "plan", "supernodes", "room", "check", "run"])
def test_a_step_that_failed_before_anything_was_begun_says_why(step) -> None:
    failed = {"failed": True, "msg": "no"}
    assert outcome({"name": "default", step: failed}) == {**NOTHING, "details": "no"}


def test_a_training_that_is_finished_is_told_by_its_result() -> None:
    done = run("completed", result={"rounds": 3, "loss": 0.1, "accuracy": 0.9, "sha256": "s3"}, history=rounds(3))
    model = {"latest": saved(7), "match": saved(3)}
    assert told(done, model=model) == {
        **NOTHING,
        "status": "completed",
        "finished": True,
        "run_id": "1",
        "rounds": 3,
        "loss": 0.1,
        "accuracy": 0.9,
        "checkpoint": "/3",
        "checkpoint_round": 3,
        "checkpoint_sha256": "s3",
        "history": rounds(3),
    }
    assert told(done, model={"latest": saved(7), "match": None})["checkpoint"] is None


def test_a_training_that_has_stopped_early_says_so_and_where_the_best_model_is() -> None:
    stopping = {"metric": "loss", "best": 0.25, "best_round": 2, "over": True, "ended": True}
    own = {"training": "default", "configuration_hash": "h"}
    result = {**own, "rounds": 3, "loss": 0.5, "sha256": "s3", "early_stopping": stopping}
    done = run("completed", result=result, history=rounds(3))
    kept = [saved(2, training="other"), saved(2, path="/best"), saved(3)]
    seen = told(done, model={"match": saved(3), "checkpoints": kept})
    assert picked(seen, "stopped_early", "best_round", "best_checkpoint", "checkpoint") == (
        "stopped early at round 3, best was round 2 (loss 0.25)", 2, "/best", "/3",
    )  # fmt: skip
    assert told(done, model={"match": saved(3), "checkpoints": [saved(3)]})["best_checkpoint"] is None
    under_way = told(run("running", "2", result=result, history=rounds(3)))
    assert picked(under_way, "stopped_early", "best_round") == (None, None)


def test_a_training_says_what_of_privacy_is_spent() -> None:
    privacy = {"kind": "local", "epsilon": 7.9, "epsilon_budget": 8.0, "delta": 1e-5, "over": True, "ended": True}
    own = {"training": "default", "configuration_hash": "h"}
    done = run("completed", result={**own, "rounds": 3, "privacy": privacy}, history=rounds(3))
    assert picked(told(done), "privacy", "privacy_epsilon", "stopped_early") == (
        "epsilon 7.9 of 8 is spent (local, delta 1e-05)", 7.9,
        "stopped after round 3, as one more would exceed the privacy budget: epsilon 7.9 of 8 is spent"
        " (local, delta 1e-05)",
    )  # fmt: skip
    history = rounds(3)
    history[-1]["privacy"] = {**privacy, "epsilon": None, "ended": False}
    under_way = told(run("running", history=history))
    assert picked(under_way, "privacy", "privacy_epsilon") == ("no epsilon (local): there is no noise", None)


def test_the_result_of_before_is_not_that_of_a_training_that_goes_on() -> None:
    old = {"rounds": 3, "loss": 0.1, "accuracy": 0.9, "sha256": "s3"}
    result = told(run("failed", "2", result=old, history=[*rounds(3), *rounds(5, "2")[3:]]), model={"latest": saved(5)})
    assert picked(result, "rounds", "loss", "accuracy", "checkpoint") == (5, 0.2, 0.5, "/5")


def test_the_rounds_of_another_configuration_are_not_told() -> None:
    old = {"result": {"rounds": 3, "loss": 0.1, "sha256": "s3"}, "history": rounds(3, configuration_hash="other")}
    model = {"latest": saved(3, configuration_hash="other")}
    assert told(run("failed", "2", **old), model=model) == {**NOTHING, "status": "failed", "run_id": "2", "rounds": 0}


def test_of_a_training_that_could_not_go_on_what_it_has_is_told() -> None:
    plan, model = {"run_id": "1", "status": "stopped", "finished": False, "history": rounds(5)}, {"latest": saved(5)}
    result = told(plan=plan, model=model, supernodes={"online": 1, "supernodes": []}, needed_nodes=2)
    expected = ("too_few_nodes", "1", 5, 0.2, "/5", 0)
    assert picked(result, "status", "run_id", "rounds", "loss", "checkpoint", "restarts") == expected


@pytest.mark.parametrize("other", [{"training": "other"}, {"configuration_hash": "other"}])
def test_a_checkpoint_of_another_training_is_not_told(other) -> None:
    assert told(run(history=rounds(2)), model={"latest": saved(2, **other)})["checkpoint"] is None


@pytest.mark.parametrize(
    ("resume", "latest", "kept"),
    [("auto", saved(2), 2), ("auto", None, 0), ("never", saved(2), 0), ("require", saved(3), 3)],
)
def test_until_the_next_run_has_begun_only_what_it_goes_on_from_counts(resume, latest, kept) -> None:
    asked = {**ASKED, "training": {"resume": resume}}
    assert told(run("running", "2", history=rounds(3)), asked=asked, model={"latest": latest})["rounds"] == kept


@pytest.mark.parametrize(
    "seen",
    [
        {"history": rounds(3, "2")},
        {"history": rounds(3), "effective": {"run_id": "2"}},
        {"history": rounds(3), "effective": {"run_id": "0"}, "lost": ["0"]},
        {"history": rounds(3, "0"), "lost": ["0"]},
    ],
)
def test_once_a_run_of_this_order_has_begun_the_history_is_its_own(seen) -> None:
    asked = {**ASKED, "training": {"resume": "never"}}
    assert told(run("running", "2", **seen), asked=asked)["rounds"] == 3


def test_what_is_trained_again_after_a_resume_is_not_told_as_done() -> None:
    effective = {"run_id": "2", "resumed_from": {"round": 5}}
    history = rounds(8)
    assert told(run(run_id="2", effective=effective, history=history))["rounds"] == 5
    again = [*history[:5], *rounds(6, "2")[5:]]
    assert told(run(run_id="2", effective=effective, history=again))["history"] == again


@pytest.mark.parametrize(("latest", "kept"), [(None, (0, None, None)), (saved(2), (2, 0.5, "/2"))])
def test_of_a_rehearsal_only_what_the_next_run_would_go_on_from_is_told(latest, kept) -> None:
    old = {"history": rounds(3), "effective": {"run_id": "1"}, "result": {"rounds": 3, "loss": 0.1, "sha256": "s3"}}
    rehearsed = {**run("submitted", None, **old), "supervision": None, "submitted": True}
    result = told(rehearsed, plan=rehearsed, model={"latest": latest})
    assert picked(result, "status", "run_id", "restarts") == ("not_started", None, 0)
    assert picked(result, "rounds", "loss", "checkpoint") == kept


def test_a_round_that_made_no_model_is_no_progress() -> None:
    history = [*rounds(2), *rounds(3, aggregated=False)[2:]]
    assert picked(told(run(history=history)), "rounds", "loss", "accuracy") == (2, 0.5, 0.2)


def test_an_app_that_does_not_tell_its_rounds_has_no_known_number_of_them() -> None:
    asked = {**ASKED, "provable": False}
    assert picked(told(run("completed"), asked=asked), "status", "rounds", "loss") == ("completed", None, None)


def test_lost_runs_are_counted_with_their_reasons() -> None:
    assert picked(told(run(lost=["0", "3"])), "restarts", "restart_reasons") == (2, ["gone", "gone"])


def test_a_training_that_is_not_what_was_asked_for_is_not_called_completed() -> None:
    done = run("completed", result={"rounds": 3}, details="Flower reports its run as completed.")
    result = told(done, proof={"failed": True, "msg": "The strategy differs."})
    assert picked(result, "status", "finished", "details") == ("not_as_asked", False, "The strategy differs.")


def test_too_few_supernodes_are_told_by_name() -> None:
    rows = [{"name": f"site{n}", "node_id": str(n), "status": "offline" if n > 1 else "online"} for n in range(1, 4)]
    supernodes, check = {"online": 1, "supernodes": rows}, {"failed": True, "msg": "1 online, 2 needed"}
    result = told(supernodes=supernodes, needed_nodes=2, check=check)
    expected = ("too_few_nodes", ["node 2", "node 3"], "1 online, 2 needed")
    assert picked(result, "status", "waiting_for", "details") == expected
    assert told(supernodes=supernodes, needed_nodes=2, names="real")["waiting_for"] == ["site2", "site3"]
    assert picked(told(supernodes=supernodes, needed_nodes=1), "status", "waiting_for") == ("not_started", [])


def test_a_training_that_waits_says_for_whom() -> None:
    waiting = run("waiting", supervision={"waiting_for": ["site2"]}, details="1 of 2 are online.")
    expected = ("waiting", ["site2"], "1 of 2 are online.")
    assert picked(told(waiting), "status", "waiting_for", "details") == expected


def test_a_workflow_is_told_pseudonyms_unless_it_asks_for_names() -> None:
    line = {
        "sites": [{"site": NAMES[2]["pseudonym"], "state": "failed", "reason": "gone"}],
        "across_sites": {"loss": {"mean": 1.0}},
    }
    waiting = run(
        "waiting",
        supervision={"waiting_for": ["site2", "other"]},
        details="site1: it has no data on box1.",
        site_names=NAMES,
        history=[*rounds(1), {**rounds(2)[1], **line}],
    )
    hidden, real = told(waiting), told(waiting, names="real")
    assert hidden["waiting_for"] == [NAMES[2]["pseudonym"], "other"]
    assert hidden["details"] == f"{NAMES[1]['pseudonym']}: it has no data on {NAMES[1]['pseudonym']}."
    assert hidden["last_sites"]["sites"] == line["sites"]
    assert real["waiting_for"] == ["site2", "other"]
    assert real["details"] == "site1: it has no data on box1."
    assert real["last_sites"] == {**line, "sites": [{"site": "site2", "state": "failed", "reason": "gone"}]}


def test_of_a_host_that_was_lost_at_the_start_what_was_found_before_is_told() -> None:
    lost = {"failed": True, "status": "unknown", "msg": "lost"}
    plan = {"run_id": "1", "status": "stopped", "finished": False, "history": rounds(5)}
    result = told(lost, plan=plan)
    assert picked(result, "status", "details", "rounds") == ("unknown", "lost", 5)
    assert picked(told(lost), "status", "rounds", "run_id") == ("unknown", None, None)


def test_a_quiesced_federation_is_told_where_nothing_could_begin() -> None:
    assert told(quiesced=True)["status"] == "quiesced"


EVIL = "a\x1b]0;owned\x07\u202e\nb{{ 7*7 }}" + "A" * 27_000_000


def test_a_workflow_is_handed_nothing_endless_and_nothing_that_does_more_than_be_read() -> None:
    history = rounds(3, checkpoint_problem="\x1b\n{{ 7*7 }}")
    seen = {
        "name": "default",
        "asked": ASKED,
        "run": run(EVIL, EVIL, [EVIL] * 3, details=EVIL, result={"loss": EVIL, "rounds": EVIL}, history=history),
        "model": {
            "latest": {"training": "default", "configuration_hash": "h", "path": EVIL, "round": 3, "sha256": EVIL}
        },
    }
    found = outcome({**seen, "run": {**seen["run"], "finished": True}})
    assert found["details"].startswith("a\\x1b]0;owned\\x07\\u202e b{{ 7*7 }}AAA")
    assert (found["loss"], found["rounds"]) == (None, 3)
    assert found["history"][0]["checkpoint_problem"] == "\\x1b {{ 7*7 }}"
    text = json.dumps(found, ensure_ascii=False)
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf")]
    assert len(text) < 20_000


@pytest.mark.parametrize(
    ("run_", "deployed", "changed"),
    [
        ({"changed": False, "fab_hash": "a" * 64}, "b" * 64, {"before": "a" * 8, "now": "b" * 8}),
        ({"changed": False, "fab_hash": "a" * 8}, "a" * 64, None),  # as a submission tells it
        ({"changed": True, "fab_hash": "a" * 64}, "b" * 64, None),
        ({"changed": False, "fab_hash": None}, "b" * 64, None),
        ({"changed": False, "fab_hash": "a" * 64}, None, None),
        ({}, "b" * 64, None),
    ],
)
def test_an_app_that_is_another_than_that_of_a_finished_training_is_told(run_, deployed, changed) -> None:
    assert told(run_, deployed={"fab_hash": deployed} if deployed else {})["changed_app"] == changed


WHY = "it was trained without site-aaaaaaaaaaab, which took part before"


@pytest.mark.parametrize(("names", "site"), [("pseudonyms", "site-aaaaaaaaaaab"), ("real", "site1")])
def test_a_training_that_is_not_exact_says_since_when_and_why(names: str, site: str) -> None:
    history = rounds(3, exact=True)
    history[1:] = [{**event, "exact": False} for event in history[1:]]
    history[1]["deviation"] = {"why": WHY}
    result = {"rounds": 3, "exact": False, "deviation": {"round": 2, "why": WHY}}
    seen = {"name": "default", "asked": ASKED, "names": names}
    for look in (run(history=history), run("completed", history=history, result=result)):
        found = outcome({**seen, "run": {**look, "site_names": NAMES}})
        told = f"round 2: it was trained without {site}, which took part before"
        assert (found["exact"], found["deviation"]) == (False, told)


def test_a_training_that_is_exact_says_so() -> None:
    result = {"rounds": 3, "exact": True}
    for look in (run(history=rounds(3, exact=True)), run("completed", history=rounds(3), result=result)):
        found = outcome({"name": "default", "asked": ASKED, "run": look})
        assert (found["exact"], found["deviation"]) == (True, None)
