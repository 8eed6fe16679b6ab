# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.filter.publish_problems import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._publish import (
    card,
    destinations,
    directory,
    gate,
    problems,
)

PROBLEMS = FilterModule().filters()["publish_problems"]
GOOD: dict[str, Any] = {"to": "directory", "dest": "/srv/models"}


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        {"to": "s3", "dest": "models/digits", "s3_endpoint": "https://s3.example.org"},
        {"to": "s3", "dest": "s3://models", "s3_endpoint": "http://127.0.0.1:9000"},
        {**GOOD, "rules": "accuracy >= 0.9, loss<1", "round": 7, "name": None},
        {"to": "huggingface", "dest": "hospitals/digits-7.b", "token_file": "/etc/token"},
        {"to": "mlflow", "dest": "digits of all", "endpoint": "https://mlflow.example.org/under", "token_file": None},
        {"to": "mlflow", "dest": "digits", "endpoint": "http://127.0.0.1:5000", "username": "me", "token_file": "/x"},
        {**GOOD, "rules": ["train_acc > -1e-3"], "round": "best", "name": "digits"},
    ],
)
def test_what_can_be_published_is_no_problem(given) -> None:
    assert PROBLEMS(given) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"to": "ftp"}, "publish_to is 'ftp' but must be one of directory, s3, huggingface, mlflow."),
        ({"dest": ""}, "publish_dest is not set."),
        ({"to": "s3", "dest": "Models/../x y"}, "publish_dest is 'Models/../x y' but must be a bucket"),
        ({"rules": ["accuracy = 1"]}, "publish_rules cannot be kept. A rule is 'accuracy = 1' but must be"),
        *(
            ({"to": "huggingface", "dest": name, "token_file": "/t"}, "must be a repository of the Hugging Face Hub")
            for name in ("digits", "a/b/c", "../b", "a/..", "a/b c", "a/b--c", "a/b.git", "a/b\n", "a/-b", "a/{{ b }}")
        ),
        *(
            (
                {"to": "mlflow", "dest": name, "endpoint": "https://m"},
                "must be the name of a registered model of MLflow",
            )
            for name in ("a/b", "a:b", "a'b", "a\nb", "../a", "a" * 129)
        ),
        ({"to": "huggingface", "dest": "a/b"}, "publish_token_file is not set."),
        ({"to": "mlflow", "dest": "a"}, "publish_endpoint is not set."),
        (
            {"to": "mlflow", "dest": "a", "endpoint": "http://example.org"},
            "publish_endpoint is 'http://example.org' but",
        ),
        ({"to": "mlflow", "dest": "a", "endpoint": "https://u:p@example.org"}, "hold no user"),
        ({"to": "mlflow", "dest": "a", "endpoint": "https://m", "username": "me"}, "publish_username is set but"),
        ({"round": "last"}, "publish_round is 'last' but must be the number of a round, or best."),
        ({"name": "Digits"}, "publish_name is 'Digits' but must be 1 to 40 small letters"),
        ({"s3_endpoint": "http://s3.example.org"}, "publish_s3_endpoint is 'http://s3.example.org' but must begin"),
    ],
)
def test_bad_input_is_told_with_its_variable_and_the_rule(given, words) -> None:
    (problem,) = PROBLEMS({**GOOD, **given})
    assert words in problem


def test_every_place_is_known_to_the_module() -> None:
    from ansible_collections.fedops.flower.plugins.module_utils._base.options import PUBLISH_OPTIONS

    assert tuple(PUBLISH_OPTIONS["to"]["choices"]) == problems.PLACES_TO_PUBLISH


def test_an_empty_report_has_a_card_without_curves_and_is_withheld() -> None:
    empty: dict[str, Any] = {
        "rounds": [], "by_site": {"rounds": [], "sites": {}}, "effective": None, "result": None, "runs": [],
        "asked": {}, "outcome": {"state": "completed", "stopped_early": "", "num_rounds": None},
    }  # fmt: skip
    manifest = {
        "kind": "model", "base_model": None, "name": "x", "round": 1, "num_rounds": 1, "strategy": "FedAvg",
        "training": "x", "app": None, "saved": "now", "run_id": "1", "checkpoint_sha256": "a", "code": "",
        "configuration_hash": "b", "num_arrays": 1,
    }  # fmt: skip
    assert card.curves(empty, 1) is None
    assert "The sites have told nothing of their data." in card.model_card(manifest, empty, False).decode()
    assert gate.withheld(empty, 0) == ["it has no result"]


def test_what_lists_other_files_is_not_the_same_package(tmp_path) -> None:
    wanted = {"identity": "a", "package": "x-1-a"}
    assert not destinations.is_same_package([], wanted)
    assert not destinations.is_same_package({"identity": "a", "files": [1]}, wanted)
    assert not destinations.is_same_package({"identity": "b", "files": [{"name": "n", "bytes": 1}]}, wanted)
    assert destinations.is_same_package({"identity": "a", "files": [{"name": "n", "bytes": 1}]}, wanted)
    assert not directory.PublishedDirectory(str(tmp_path)).holds(wanted)
