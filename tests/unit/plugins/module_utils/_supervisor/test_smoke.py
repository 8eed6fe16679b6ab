# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a smoke run fixes, what it says of sites, and what it expects of the real training."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.smoke import (
    SmokeError,
    absent_sites,
    in_words,
    smoke_name,
    smoke_sites,
    smoke_variables,
    verdict,
)

SITES = ["hospital-a", "hospital-b", "hospital-c"]
NODES = [
    {"name": name, "pseudonym": f"site-{letter * 12}", "node_id": str(number), "host": name, "site": ""}
    for number, (name, letter) in enumerate(zip(SITES, "abc", strict=True))
]


def asked(**given: Any) -> dict[str, Any]:
    training = Training.from_variables({f"fl_{name}": value for name, value in given.items()})
    return {"training": dict(training.values), "run_config": training.toml}


def smoke_of(real: dict[str, Any], **given: Any) -> dict[str, Any]:
    values = {name: value for name, value in real["training"].items() if value != ""}
    fixed = smoke_variables(real, SITES, **given)
    return asked(**{**values, **{name.removeprefix("fl_"): value for name, value in fixed.items()}})


def site(number: int, **more: Any) -> dict[str, Any]:
    told = {"state": "counted", "seconds": 2.0, "examples": 640, "evaluation": {"examples": 320}}
    return {"site": NODES[number]["pseudonym"], **told, **more}


def seen(real: dict[str, Any], *sites: dict[str, Any], **more: Any) -> dict[str, Any]:
    line = {"run_id": "7", "round": 1, "seconds": 10.0, "phases": {"training": 6.0, "evaluation": 3.0}}
    arrays = [{"name": "w", "shape": [1000, 1000], "dtype": "float32"}]
    return {
        "sites": SITES,
        "real": real,
        "smoke": smoke_of(real),
        "run": {
            "run_id": "7", "finished": True, "result": {"sha256": "abc"}, "site_names": NODES,
            "history": [{**line, "sites": list(sites or map(site, range(3)))}],
        },
        "supernodes": {"supernodes": NODES},
        "model": {"latest": {"sha256": "abc", "arrays": arrays}, "problems": []},
        "check": {"problems": []},
        **more,
    }  # fmt: skip


def test_a_smoke_run_is_one_short_round_of_its_own() -> None:
    real = asked(training_name="digits", strategy="FedProx", num_rounds=500, local_epochs=7, fraction_train=0.1)
    smoke = smoke_of(real, batches="4", timeout="")["training"]
    assert {name: smoke[name] for name in ("training_name", "num_rounds", "local_epochs", "purpose")} == {
        "training_name": "smoke-digits", "num_rounds": 1, "local_epochs": 1, "purpose": "smoke",
    }  # fmt: skip
    assert (smoke["max_batches"], smoke["max_eval_batches"], smoke["round_timeout"]) == (4, 4, 600)
    assert (smoke["min_available_clients"], smoke["fraction_train"]) == (3, 1.0)
    assert (smoke["checkpoint_enabled"], smoke["checkpoint_required"], smoke["resume"]) == (True, True, "never")
    assert (smoke["strategy"], smoke["client_lr"], smoke["seed"]) == ("FedProx", 0.1, 42)


def test_a_smoke_run_that_would_save_where_the_real_training_does_is_refused() -> None:
    with pytest.raises(SmokeError, match="fl_checkpoint_path is /srv/smoke-digits, and the smoke run"):
        smoke_variables(asked(training_name="digits", checkpoint_path="/srv/smoke-digits"), SITES)
    smoke_variables(asked(training_name="digits", checkpoint_path="/srv/smoke-other"), SITES)


def test_what_is_shorter_in_the_real_training_stays_so() -> None:
    real = asked(max_batches=2, max_eval_batches=3, round_timeout=30, fraction_evaluate=0, min_available_clients=9)
    smoke = smoke_of(real)["training"]
    names = ("max_batches", "max_eval_batches", "round_timeout", "fraction_evaluate", "min_available_clients")
    assert [smoke[name] for name in names] == [2, 3, 30, 0.0, 9]


def test_an_app_with_the_kit_is_told_what_the_kit_takes() -> None:
    kit = {
        "training": asked()["training"],
        "run_config": '"fedops.training-name" = "default"\n"fedops.resume" = "auto"\n',
    }
    assert smoke_variables(kit, SITES) == {"fl_training_name": "smoke-default", "fl_resume": "never"}


@pytest.mark.parametrize("name", ["default", "a" * 57, "a" * 58, "a" * 63])
def test_every_name_has_one_of_its_own_for_the_smoke_run(name: str) -> None:
    assert asked(training_name=smoke_name(name))["training"]["training_name"] != name


@pytest.mark.parametrize(
    ("named", "wanted"),
    [(None, SITES), ("", SITES), ([], SITES), ("hospital-b, x", ["hospital-b", "x"]), (["y"], ["y"])],
)
def test_all_registered_sites_are_expected_unless_some_are_named(named: object, wanted: list[str]) -> None:
    assert smoke_sites(named, [*reversed(NODES), {"name": None}]) == wanted


def test_sites_that_are_not_online_are_told_with_their_hosts() -> None:
    rows = [
        {"name": "a", "status": "online", "host": "a"},
        {"name": "b", "status": "offline", "host": "h1", "online_at": "9:00", "offline_at": "10:00"},
        {"name": "c", "status": "registered", "host": "c", "online_at": None},
    ]
    assert absent_sites(["a", "b", "c", "d"], rows) == [
        "b did not train: it is offline since 10:00. Look at the journal of its SuperNode on h1.",
        "c did not train: it has never been online. Look at the journal of its SuperNode.",
        "d did not train: it is no SuperNode of this federation. Correct training_smoke_sites.",
    ]


def test_a_round_of_all_sites_passes_and_says_what_the_training_takes() -> None:
    real = asked(num_rounds=100, local_epochs=3, checkpoint_enabled=True, checkpoint_keep_last=2)
    found = verdict(seen(real))
    assert (found["passed"], found["problems"], found["sites"]) == (True, [], 3)
    # 640 examples are 20 batches: three epochs are six times the ten batches of the smoke run.
    assert found["expected_round_seconds"] == 10.0 + 2.0 * 6 - 2.0
    assert found["expected_seconds"] == 2000
    assert (found["model_bytes"], found["checkpoint_storage"]) == (4_000_000, 4 * 4_000_000)
    assert in_words(found) == (
        "The smoke run of the training default has passed.\n"
        "Sites: 3 trained and reported.\n"
        "Time:  this round took 10 s. A round of the real training takes about 20 s, all of it 33 min.\n"
        "Room:  the model has 4 MB. The SuperLink host needs 575 MB of memory and 16 MB for checkpoints, each SuperNode"
        " host 493 MB of memory beside what its training takes."
    )


def test_the_slowest_site_of_the_real_training_counts() -> None:
    real = asked(num_rounds=1, fraction_evaluate=0)
    found = verdict(seen(real, site(0, examples=64), site(1, examples=6400, seconds=1.0), site(2, seconds=3.0)))
    assert found["expected_round_seconds"] == 10.0 + 20.0 - 3.0 - 3.0


def test_each_site_that_has_failed_is_told_by_its_name_with_the_reason() -> None:
    real = asked()
    broken = site(1, state="failed", reason=f"{NODES[1]['pseudonym']}: train.npz is missing.", evaluation={})
    silent = site(2, evaluation={"problem": f"{NODES[2]['pseudonym']}: out of memory"})
    assert verdict(seen(real, site(0), broken, silent))["problems"] == [
        "hospital-b did not train: train.npz is missing.",
        "hospital-c trained, but did not evaluate: out of memory",
    ]
    assert verdict(seen(real, site(0), site(1)))["problems"] == [
        "hospital-c did not train: it was not asked, or was not online any more"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"run": {"finished": False, "details": f"{NODES[1]['pseudonym']}: no data", "site_names": NODES}},
            ["The run did not come to its end: hospital-b: no data"],
        ),
        ({"model": {"latest": None, "problems": []}}, ["No checkpoint was saved in /opt/flower/checkpoints."]),
        (
            {"model": {"latest": None, "problems": ["round 1 does not match its hash"]}},
            [
                "No checkpoint was saved in /opt/flower/checkpoints.",
                "The checkpoint in /opt/flower/checkpoints is not good: round 1 does not match its hash",
            ],
        ),
        (
            {
                "check": {
                    "problems": [{"severity": "error", "message": "too large"}, {"severity": "info", "message": "x"}]
                }
            },
            ["The real training would be refused: too large"],
        ),
    ],
)
def test_what_else_is_wrong_is_told(more: dict[str, Any], said: list[str]) -> None:
    found = verdict(seen(asked(), **more))
    assert (found["passed"], found["problems"]) == (False, said)
    assert said[0] in in_words(found)


def test_a_place_that_the_model_could_not_be_published_in_is_a_problem() -> None:
    obstacle = "s3://models cannot be reached: the bucket models does not exist."
    real = asked(num_rounds=2)
    found = verdict(seen(real, publication={"dest": "models", "obstacle": obstacle}))
    assert (found["passed"], found["problems"]) == (False, [f"The model could not be published: {obstacle}"])
    found = verdict(seen(real, publication={"dest": "models", "obstacle": ""}))
    assert (found["passed"], found["publication"]) == (True, "models")
    assert "Model: it could be published in models." in in_words(found)
    assert "published" not in in_words(verdict(seen(real, publication={})))
