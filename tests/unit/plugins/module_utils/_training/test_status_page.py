# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that the status playbook shows."""

from __future__ import annotations

import json
import unicodedata

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._training import picture as _picture
from ansible_collections.fedops.flower.plugins.module_utils._training import status_page


def test_what_the_modules_find_makes_one_picture() -> None:
    found = {
        "host": "superlink",
        "health": 200,
        "certificate_days": 12,
        "expected": ["a", "b"],
        "supernodes": [{"name": "b", "node_id": "7", "status": "online"}],
        "trainings": [
            {
                "name": "default",
                "status": "failed",
                "details": "no data",
                "run_id": "9",
                "num_rounds": 8,
                "history": [
                    {"round": 1, "loss": 1.0},
                    {"round": 2, "loss": 0.5, "accuracy": 0.75, "checkpoint_problem": "full"},
                ],
                "supervision": None,
            },
            {"name": "new", "status": "pending", "details": "", "run_id": "10", "num_rounds": 3, "history": []},
            {
                "name": "seen",
                "status": "running",
                "details": None,
                "run_id": "11",
                "num_rounds": 3,
                "history": [{"round": 1, "loss": 1.0}],
                "supervision": {**LOOKED_AFTER, "num_rounds": 9},
            },
        ],
        "latest": None,
    }
    nothing = {
        "checkpoint": None, "checkpoint_directory": None, "restarts": 0, "restart_reasons": [], "waiting_for": [],
        "failed_nodes": [], "purpose": "training",
        "seconds_per_round": None, "eta_seconds": None, "problems": [], "promises": None,
        "exact": None, "deviation": None, "sites": [], "across_sites": {}, "stopped_early": None, "privacy": None,
    }  # fmt: skip
    assert _picture.federation(found) == {
        "superlink": {
            "host": "superlink",
            "healthy": True,
            "certificate_days": 12,
            "quiesced": None,
            "problem": None,
            "memory_problems": [],
        },
        "supernodes": [
            {"name": "b", "node_id": "7", "status": "online"},
            {"name": "a", "node_id": None, "status": "not registered"},
        ],
        "supernode_problems": [],
        "trainings": [
            {
                "name": "default",
                "status": "failed",
                "state": "failed",
                "details": "no data",
                "detail": "no data",
                "run_id": "9",
                "num_rounds": 8,
                "round": 2,
                "loss": 0.5,
                "accuracy": 0.75,
                "checkpoint_problem": "full",
                **nothing,
            },
            {
                "name": "new",
                "status": "pending",
                "state": "pending",
                "details": "",
                "detail": "",
                "run_id": "10",
                "num_rounds": 3,
                "round": None,
                "loss": None,
                "accuracy": None,
                "checkpoint_problem": None,
                **nothing,
            },
            {
                "name": "seen",
                "status": "running",
                "details": None,
                "run_id": "11",
                "loss": 1.0,
                "accuracy": None,
                **LOOKED_AFTER,
                "num_rounds": 9,
                "round": 1,
                "checkpoint_problem": None,
                "problems": [],
                "sites": [],
                "across_sites": {},
                "promises": None,
                "exact": None,
                "deviation": None,
                "stopped_early": None,
                "privacy": None,
                "purpose": "training",
            },
        ],
        "checkpoint": None,
        **{key: [] for key in ("checkpoints", "checkpoint_problems", "gpus", "trackers")},
        "trainings_problem": None,
        "mirror": None,
    }


LOOKED_AFTER = {
    "state": "waiting",
    "detail": "SuperNodes online: 1 of 2 needed. Not online: supernode2.",
    "waiting_for": ["supernode2"],
    "restarts": 4,
    "restart_reasons": [
        {"run_id": str(number), "time": f"10:0{number}", "round": number, "detail": "It is gone."}
        for number in range(4)
    ],
    "seconds_per_round": 12.34,
    "eta_seconds": 61.7,
    "checkpoint": {"file": "checkpoint_round_3.npz", "round": 3, "age": 12.0},
    "checkpoint_directory": "/srv/kept/second",
    "failed_nodes": ["supernode2", "supernode3"],
}


def test_a_federation_that_is_quiesced_says_what_to_do() -> None:
    superlink = {"host": "h", "healthy": True, "certificate_days": 364, "quiesced": "10:00"}
    assert status_page.render({"superlink": superlink, "supernodes": [], "trainings": []}).splitlines()[:2] == [
        "SuperLink    h: healthy, certificate valid for 364 days",
        "  QUIESCED since 10:00: nothing is trained until fedops.flower.resume",
    ]


def test_a_superlink_that_does_not_answer_is_no_empty_federation() -> None:
    found = {
        "host": "h", "health": 0, "certificate_days": 9, "expected": ["a", "b"], "supernodes": None, "latest": None,
        "problem": "Flower says: nothing.",
        "trainings": [
            {
                "name": "default", "status": "unreachable", "details": "Flower says: nothing.", "run_id": "9",
                "num_rounds": 8, "history": [{"round": 2, "loss": 0.5}], "supervision": LOOKED_AFTER,
            }
        ],
    }  # fmt: skip
    picture = _picture.federation(found)
    assert [node["status"] for node in picture["supernodes"]] == ["unknown", "unknown"]
    assert picture["superlink"]["problem"] == "Flower says: nothing."
    page = status_page.render(picture)
    assert page.startswith(
        "SuperLink    h: NOT HEALTHY, certificate valid for 9 days\n"
        "  DOES NOT ANSWER. Flower says: nothing.\n"
        "  What follows is what the files on its host tell.\n"
        "\n"
        "SuperNodes   unknown\n"
        "  NAME   NODE ID   STATUS\n"
        "  a      -         unknown\n"
        "  b      -         unknown\n"
        "\n"
        "Trainings\n"
    )
    assert "  default   waiting   2/8     0.5000" in page
    assert status_page.render({**picture, "supernodes": []}).split("\n\n")[1] == "SuperNodes   unknown"


def test_a_federation_at_work() -> None:
    status = {
        "superlink": {"host": "superlink", "healthy": True, "certificate_days": 364},
        "supernodes": [
            {"name": "supernode2", "node_id": "77", "status": "offline", "offline_at": "2026-11-23 06:23:57Z"},
            {"name": "supernode3", "node_id": "78", "status": "online", "offline_at": "2026-11-23 06:23:57Z"},
            {"name": "supernode4", "node_id": "79", "status": "offline", "offline_at": None},
            {"name": "supernode1", "node_id": "123456", "status": "online"},
        ],
        "trainings": [
            {
                "name": "default",
                "state": "completed",
                "round": 8,
                "num_rounds": 8,
                "loss": 0.51,
                "accuracy": 0.9,
                "run_id": "9",
                "eta_seconds": 0.0,
                "checkpoint": {"round": 8, "age": None},
            },
            {
                "name": "second",
                "run_id": "12",
                "round": 3,
                "num_rounds": 8,
                "checkpoint_problem": "The checkpoint of round 3 cannot be saved in /mnt: No space left on device.",
                **LOOKED_AFTER,
            },
        ],
        "checkpoint": {
            "training": "default",
            "round": 3,
            "age": 190,
            "path": "/opt/flower/checkpoints/checkpoint_round_3.npz",
        },
    }
    assert status_page.render(status) == (
        "SuperLink    superlink: healthy, certificate valid for 364 days\n"
        "\n"
        "SuperNodes   2 of 4 online\n"
        "  NAME         NODE ID   STATUS\n"
        "  supernode1   123456    online\n"
        "  supernode2   77        offline since 2026-11-23 06:23:57Z\n"
        "  supernode3   78        online\n"
        "  supernode4   79        offline\n"
        "\n"
        "Trainings\n"
        "  NAME      STATE       ROUND   LOSS     ACCURACY   S/ROUND   LEFT   CHECKPOINT          LOST RUNS   RUN\n"
        "  default   completed   8/8     0.5100   0.9000     -         -      round 8             0           9\n"
        "  second    waiting     3/8     -        -          12.3      61 s   round 3, 12 s old   4           12\n"
        "  second: waiting. SuperNodes online: 1 of 2 needed. Not online: supernode2.\n"
        "  second: run 1 was lost at 10:01 after round 1. It is gone.\n"
        "  second: run 2 was lost at 10:02 after round 2. It is gone.\n"
        "  second: run 3 was lost at 10:03 after round 3. It is gone.\n"
        "  second: WARNING. The checkpoint of round 3 cannot be saved in /mnt: No space left on device.\n"
        "  second: failed in the last rounds: supernode2, supernode3\n"
        "\n"
        "Checkpoint   round 3 of default, 3 min old, verified\n"
        "  /opt/flower/checkpoints/checkpoint_round_3.npz\n"
        "Checkpoint   round 3 of second, 12 s old, not verified\n"
        "  /srv/kept/second/checkpoint_round_3.npz"
    )


def test_what_is_left_to_a_run_that_nobody_supervises_is_told_while_it_goes_on() -> None:
    run = {"name": "t", "status": "running", "run_id": "9", "history": [{"round": 1, "num_rounds": 3, "seconds": 5.0}]}
    found = {"host": "h", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "latest": None}
    left = [
        _picture.federation({**found, "trainings": [{**run, "alive": alive}]})["trainings"][0]["eta_seconds"]
        for alive in (True, False)
    ]
    assert left == [10.0, None]


@pytest.mark.parametrize(("names", "word"), [("real", "ward"), ("pseudonyms", "site-aaaaaaaaaaaa")])
def test_a_training_that_is_not_exact_says_since_when(names: str, word: str) -> None:
    deviates = {"exact": False, "deviation": {"why": f"it was trained without {WARD}, which took part before"}}
    history = [{"round": 1, "exact": True}, {"round": 2, **deviates}, {"round": 3, "exact": False}]
    training = {"name": "default", "status": "running", "run_id": "9", "num_rounds": 3, "history": history}
    picture = with_sites(trainings=[training], names=names)
    (seen,) = picture["trainings"]
    why = f"round 2: it was trained without {word}, which took part before"
    assert (seen["exact"], seen["deviation"]) == (False, why)
    assert f"default: NOT EXACT (not the bytes of an undisturbed training) since {why}.\n" in status_page.render(
        picture
    )


def test_a_training_that_has_stopped_early_says_so() -> None:
    stopping = {"metric": "loss", "best": 0.25, "best_round": 2, "over": True, "ended": True}
    history = [{"round": 5, "num_rounds": 9, "early_stopping": stopping}]
    training = {"name": "default", "status": "completed", "run_id": "9", "num_rounds": 9, "history": history}
    page = status_page.render(with_sites(trainings=[training]))
    assert "  default: stopped early at round 5, best was round 2 (loss 0.25).\n" in page


def test_what_of_privacy_is_spent_stands_below_the_training() -> None:
    privacy = {"kind": "central_fixed", "epsilon": 2.5, "epsilon_budget": 0.0, "delta": 1e-5, "seed": 3, "ended": False}
    history = [{"round": 5, "num_rounds": 9, "privacy": privacy}]
    training = {"name": "default", "status": "running", "run_id": "9", "num_rounds": 9, "history": history}
    page = status_page.render(with_sites(trainings=[training]))
    assert "  default: epsilon 2.5 is spent (central_fixed, delta 1e-05; NOT PRIVATE: the noise has a seed" in page


def test_a_clock_that_was_stepped_back_makes_no_age_below_nothing() -> None:
    checkpoint = {"training": "default", "round": 3, "age": -3597.0, "path": "/c"}
    training = {"name": "default", "checkpoint": checkpoint, "eta_seconds": None}
    status = {"superlink": {"host": "h"}, "supernodes": [], "trainings": [training], "checkpoint": checkpoint}
    page = status_page.render(status)
    assert "   round 3      0   " in page
    assert "Checkpoint   round 3 of default, of unknown age, verified" in page


def test_a_federation_with_nothing_in_it() -> None:
    status = {
        "superlink": {"host": "superlink", "healthy": False, "certificate_days": None},
        "supernodes": [],
        "trainings": [],
        "checkpoint": None,
    }
    assert status_page.render(status) == (
        "SuperLink    superlink: NOT HEALTHY, certificate unknown\n"
        "\n"
        "SuperNodes   none registered\n"
        "\n"
        "Trainings    none yet\n"
        "\n"
        "Checkpoint   none"
    )


def test_trainings_that_cannot_be_looked_at_are_unknown_and_it_says_why() -> None:
    found = {
        "host": "h", "health": 200, "certificate_days": 9, "expected": [], "supernodes": [], "trainings": [],
        "trainings_problem": "/opt/flower/trainings cannot\x1b[2J be read.", "latest": None,
    }  # fmt: skip
    page = status_page.render(_picture.federation(found))
    assert "Trainings    unknown\n  WARNING. /opt/flower/trainings cannot\\x1b[2J be read.\n" in page
    assert "none yet" not in page


def test_rounds_without_figures_are_shown_as_such() -> None:
    history = [
        {
            "round": 1,
            "loss": None,
            "accuracy": 0.5,
            "replies": 3,
            "failures": 0,
            "seconds": 12.34,
            "checkpoint": None,
        },
        {
            "round": 10,
            "loss": 1.0,
            "accuracy": 0.75,
            "replies": 2,
            "failures": 1,
            "seconds": 9,
            "checkpoint": "checkpoint_round_10.npz",
        },
        {"round": 11, "seconds": 9, "checkpoint": None, "checkpoint_problem": "The disk is full."},
    ]
    assert status_page.history_table(history) == (
        "  ROUND   LOSS     ACCURACY   REPLIES   FAILURES   SECONDS   CHECKPOINT\n"
        "  1       -        0.5000     3         0          12.3      -\n"
        "  10      1.0000   0.7500     2         1          9.0       checkpoint_round_10.npz\n"
        "  11      -        -          -         -          9.0       NOT SAVED"
    )


MIRROR = {"complete": "2026-11-25T10:00:00+00:00", "tried": "2026-11-25T10:01:00+00:00", "backlog": [], "problem": None}


def test_a_mirror_is_told_with_its_backlog() -> None:
    files = [f"checkpoint_round_{number}.npz" for number in range(1, 8)]
    told = [
        status_page.render({"superlink": {"host": "h"}, "supernodes": [], "trainings": [], "mirror": mirror}).split(
            "\n\n"
        )[4:]
        for mirror in (None, MIRROR, {**MIRROR, "backlog": files, "problem": "no route to host"})
    ]
    assert told == [
        [],
        ["Mirror       complete at 2026-11-25T10:00:00+00:00"],
        [
            "Mirror       7 to be copied, complete at 2026-11-25T10:00:00+00:00\n"
            "  to be copied: checkpoint_round_3.npz, checkpoint_round_4.npz, checkpoint_round_5.npz,"
            " checkpoint_round_6.npz, checkpoint_round_7.npz and 2 more\n"
            "  WARNING. no route to host. It tries again."
        ],
    ]


def test_what_is_wrong_with_the_checkpoints_is_told() -> None:
    found = {
        "host": "h", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "trainings": [],
        "latest": None, "checkpoint_problems": ["/c is a mount point, but nothing is mounted there."],
    }  # fmt: skip
    assert status_page.render(_picture.federation(found)).endswith(
        "Checkpoint   none\n  WARNING. /c is a mount point, but nothing is mounted there."
    )


def test_what_the_mirror_copied_is_not_for_the_page() -> None:
    found = {
        "host": "h", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "trainings": [],
        "latest": None, "mirror": {**MIRROR, "copied": {"a-1": {"1": "x"}}},
    }  # fmt: skip
    assert _picture.federation(found)["mirror"] == MIRROR


NOTHING = {
    "host": "h", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "trainings": [],
    "latest": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", None),
        ('{"complete": "10:00", "backlog": ["a", 1]}', {"complete": "10:00", "backlog": ["a", "1"]}),
        ('{"complete": "10:00", "backlog": 3}', {"complete": "10:00", "backlog": []}),
        ('{"problem": "\\u001b[2J"}', {"problem": "\\x1b[2J", "backlog": []}),
        ("[" * 100_000, {"problem": "What it remembers (state.json) cannot be read", "backlog": None}),
        ("[]", {"problem": "What it remembers (state.json) cannot be read", "backlog": None}),
    ],
)
def test_whatever_the_mirror_remembers_is_told(text, told) -> None:
    picture = _picture.federation({**NOTHING, "mirror_state": text})
    nothing = {"complete": None, "tried": None, "problem": None}
    assert picture["mirror"] == (told and {**nothing, **told})
    status_page.render(picture)


STRANGERS = [
    {"name": "a", "node_id": "1", "status": "online"},
    {"name": None, "node_id": "66", "status": "online"},
    {"name": None, "node_id": "67", "status": "registered"},
]


def test_supernodes_that_nobody_of_us_registered_are_told_loudly_and_count_for_nobody() -> None:
    picture = _picture.federation({**NOTHING, "host": "fl", "expected": ["a", "b"], "supernodes": STRANGERS})
    problem = (
        "2 SuperNodes are registered that nobody of this inventory has registered: node id 66, 67. Whoever did had the"
        " SuperLink's Control API, which only fl itself reaches: look who was there. Unregister each on fl with"
        " 'sudo -u flower-control /opt/flower/bin/flwr supernode unregister NODE_ID local'."
    )
    assert picture["supernode_problems"] == [problem]
    assert status_page.render(picture).split("\n\n")[1] == (
        "SuperNodes   1 of 2 online\n"
        "  NAME                     NODE ID   STATUS\n"
        "  (NOT REGISTERED BY US)   66        online\n"
        "  (NOT REGISTERED BY US)   67        registered\n"
        "  a                        1         online\n"
        "  b                        -         not registered\n"
        f"  WARNING. {problem}"
    )


def test_a_supernode_that_the_inventory_does_not_name_is_told() -> None:
    nodes = [{"name": name, "node_id": "1", "status": "offline"} for name in ("a", "old")]
    assert _picture.federation({**NOTHING, "expected": ["a"], "supernodes": nodes})["supernode_problems"] == [
        "1 SuperNode is registered that the inventory does not name: old. Put their hosts back into it, name those"
        " that others run in superlink_external_supernodes, or unregister them with fedops.flower.admit."
    ]
    assert _picture.federation({**NOTHING, "supernodes": nodes})["supernode_problems"] == []


def test_very_many_strangers_are_not_all_named() -> None:
    nodes = [{"name": None, "node_id": str(number), "status": "online"} for number in range(5000)]
    picture = _picture.federation({**NOTHING, "supernodes": nodes})
    assert "5000 SuperNodes are registered" in picture["supernode_problems"][0]
    assert ", 19 and 4980 more." in picture["supernode_problems"][0]
    assert len(status_page.render(picture)) < 100_000


def test_a_training_that_cannot_be_read_is_told_beside_those_that_can() -> None:
    broken = {"name": "broken", "problems": ["its effective.json cannot be read: it is too deep."]}
    sound = {"name": "sound", "status": "running", "details": None, "run_id": "1", "num_rounds": 3, "history": []}
    page = status_page.render(_picture.federation({**NOTHING, "trainings": [broken, sound]}))
    assert "  broken   -         0/?" in page
    assert "  sound    running   0/3" in page
    assert "  broken: WARNING. its effective.json cannot be read: it is too deep." in page


EVIL = "a\x1b]0;owned\x07\u202e\nSuperLink    h: healthy\x85{{ 7*7 }}" + "A" * 100_000


def test_nothing_in_the_picture_or_the_page_does_more_than_be_read() -> None:
    training = {
        "name": "t", "status": EVIL, "details": EVIL, "run_id": EVIL, "num_rounds": 8, "problems": [EVIL] * 5,
        "history": [{"round": 1, "loss": 1e308, "accuracy": EVIL, "checkpoint_problem": EVIL}],
        "supervision": {
            **LOOKED_AFTER, "state": EVIL, "detail": EVIL, "failed_nodes": [EVIL] * 5,
            "restart_reasons": [{"run_id": EVIL, "time": EVIL, "round": EVIL, "detail": EVIL}],
        },
    }  # fmt: skip
    picture = _picture.federation(
        {
            **NOTHING,
            "supernodes": [{"name": EVIL, "node_id": EVIL, "status": EVIL}],
            "problem": EVIL,
            "trainings": [training],
            "latest": {"round": 1, "training": EVIL, "age": None, "path": EVIL},
            "checkpoint_problems": [EVIL],
            "mirror_state": json.dumps({"problem": EVIL, "backlog": [EVIL] * 9, "complete": EVIL}),
        }
    )
    page = status_page.render(picture)
    for text in (
        json.dumps(picture, ensure_ascii=False),
        page,
        status_page.history_table([{"round": EVIL, "replies": EVIL}]),
    ):
        assert not [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
        assert "{{ 7*7 }}" in text
        assert len(text) < 100_000
    assert page.count("\nSuperLink") == 0


def test_a_service_that_was_killed_for_want_of_memory_is_named() -> None:
    found = {
        "host": "superlink", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "trainings": [],
        "latest": None, "memory_problems": ["The SuperLink was killed.\x1b[2J"],
        "memory_of_hosts": {"ward-b": ["The SuperNode was killed.\x1b[2J" + "a" * 9999, 7] + ["x"] * 99, "ward-a": "x"},
    }  # fmt: skip
    picture = _picture.federation(found)
    lines = status_page.render(picture).splitlines()
    assert lines[0] == "SuperLink    superlink: healthy, certificate valid for 1 day"
    assert lines[1].startswith("  WARNING. The SuperLink was killed.")
    assert "\x1b" not in lines[1]
    told = [line for line in lines if "ward-" in line]
    assert told[0].startswith("  WARNING. ward-b: The SuperNode was killed.")
    assert told[1:] == ["  WARNING. ward-b: x"] * 3
    assert max(map(len, told)) < 500


WARD, LAB = "site-aaaaaaaaaaaa", "site-bbbbbbbbbbbb"
ROWS = [
    {"name": "ward", "pseudonym": WARD, "node_id": "1", "site": "Ward A", "host": "box-1", "status": "online"},
    {"name": "lab", "pseudonym": LAB, "node_id": "2", "site": "", "host": "box-2", "status": "offline"},
]
ROUND = {
    "round": 3,
    "num_rounds": 3,
    "sites": [
        {
            "site": WARD, "state": "counted", "examples": 40, "loss": 0.5, "grad_norm": 1.25, "update_norm": 0.25,
            "seconds": 2.5, "evaluation": {"loss": 0.4, "metrics": {"accuracy": 0.75}},
        },
        {"site": LAB, "state": "rejected", "reason": f"{LAB} sent NaN"},
        {"site": "node 2", "evaluation": {"problem": "no finite number"}},
    ],
    "across_sites": {"examples": {"mean": 40.0, "deviation": 0.0}, "loss": {"mean": 0.5, "deviation": 0.0}},
}  # fmt: skip


def with_sites(**found: object) -> dict:
    training = {"name": "default", "status": "running", "run_id": "9", "num_rounds": 3, "history": [ROUND]}
    return _picture.federation(
        {
            "host": "superlink",
            "health": 200,
            "certificate_days": 12,
            "expected": ["ward", "lab", "new"],
            "supernodes": ROWS,
            "trainings": [{**training, "details": "lab on box-2 is silent"}],
            "latest": None,
            "site_names": ROWS,
            **found,
        }
    )


def test_the_operator_sees_the_sites_of_the_last_round_by_name() -> None:
    assert (
        status_page.render(with_sites()).partition("Sites ")[2]
        == """       of round 3 of default
  SITE   STATE       EXAMPLES   LOSS              EVAL LOSS   ACCURACY   UPDATE   GRADIENT   SECONDS   REMARK
  lab    REJECTED    -          -                 -           -          -        -          -         lab sent NaN
  lab    evaluated   -          -                 -           -          -        -          -         no finite number
  ward   counted     40         0.5000            0.4000      0.7500     0.2500   1.2500     2.5
  mean               40 ± 0     0.5000 ± 0.0000   -           -          -        -          -

Checkpoint   none"""
    )


def test_a_status_by_pseudonyms_names_no_site_and_no_host_of_one() -> None:
    picture = with_sites(names="pseudonyms", memory_problems=["flower-supernode on box-1 was killed"])
    page = status_page.render(picture)
    for told in (page, json.dumps(picture)):
        assert [name for name in ("ward", "lab", "Ward A", "box-1", "box-2", "new") if name in told] == []
        assert (WARD in told, LAB in told, "superlink" in told) == (True, True, True)


def test_names_are_real_or_pseudonyms() -> None:
    with pytest.raises(FedopsError, match="status_names is 'none' but must be real or pseudonyms"):
        with_sites(names="none")


def test_without_a_superlink_the_sites_keep_their_names() -> None:
    assert "  ward " in status_page.render(with_sites(supernodes=None)).partition("Sites ")[2]


def test_what_a_site_tells_does_not_break_the_page() -> None:
    evil = "\x1b[2J{{ 1 }}"
    odd = [
        {"site": evil, "state": evil, "examples": evil, "evaluation": 7, "reason": evil},
        {"site": "a", "loss": None},
    ]
    page = status_page.sites_table({"sites": odd, "across_sites": {"loss": 3, "examples": {"mean": evil}}})
    assert "\x1b" not in page
    assert len(page.splitlines()) == 4
