# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter import tracker_names, tracker_problems
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import TRACKERS
from ansible_collections.fedops.flower.plugins.module_utils._tracking import rules

NOTHING = dict.fromkeys(
    (
        *("sites", "ca_file", "mlflow_uri", "mlflow_experiment", "mlflow_username", "mlflow_password", "mlflow_token"),
        *("wandb_mode", "wandb_project", "wandb_entity", "wandb_base_url", "wandb_api_key"),
    ),
    "",
)
LOGIN = {"mlflow_username": "me", "mlflow_password": "p-of-ours"}
names = tracker_names.FilterModule().filters()["tracker_names"]
problems = tracker_problems.FilterModule().filters()["tracker_problems"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("mlflow, csv", ["mlflow", "csv"]),
        ("mlflow\ncsv\n", ["mlflow", "csv"]),
        (["csv", "csv", ""], ["csv"]),
    ],
)
def test_trackers_are_a_list_however_they_are_given(given, found) -> None:
    assert names(given) == found


def test_a_number_is_no_list_of_trackers() -> None:
    with pytest.raises(AnsibleFilterError):
        names(5)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ([], {"sites": "whatever", "mlflow_uri": "nonsense"}),  # nobody asks for them
        ([*TRACKERS], {}),
        ("mlflow", {"mlflow_uri": "https://mlflow.example.org/base", **LOGIN, "ca_file": "/etc/ssl/ours.crt"}),
        ("mlflow", {"mlflow_uri": "http://127.0.0.1:5000", "mlflow_token": "t", "mlflow_experiment": "wards 2026"}),
        ("mlflow", {"mlflow_uri": "http://mlflow.internal:5000"}),
        ("wandb", {"wandb_mode": "online", "wandb_api_key": "k", "wandb_project": "wards", "wandb_entity": "team-a"}),
        ("csv", {"sites": "real"}),
    ],
)
def test_what_fits_is_taken(wanted, given) -> None:
    assert problems(wanted, {**NOTHING, **given}) == []


@pytest.mark.parametrize(
    ("wanted", "given", "told"),
    [
        ({"a": 1}, {}, "training_trackers is {'a': 1} but must be a list of mlflow, wandb, tensorboard, csv"),
        ("mlflo", {}, "training_trackers has 'mlflo' but may hold only mlflow, wandb, tensorboard, csv"),
        ("csv", {"sites": "all"}, "trackers_sites is 'all' but must be one of none, pseudonyms, real"),
        ("csv", {"ca_file": "ours.crt"}, "trackers_ca_file is 'ours.crt' but must be the absolute path of a file"),
        (
            "mlflow",
            {"mlflow_uri": "mlflow.example.org"},
            "trackers_mlflow_uri is 'mlflow.example.org' but must be a URL",
        ),
        ("mlflow", {"mlflow_uri": "file:///tmp"}, "trackers_mlflow_uri is 'file:///tmp' but must be a URL such as"),
        ("mlflow", {"mlflow_uri": "https://a:b@c"}, "trackers_mlflow_uri must not hold a user or a password"),
        ("mlflow", {"mlflow_uri": "http://mlflow.internal", **LOGIN}, "must begin with https"),
        ("mlflow", {"mlflow_uri": "https://a", "mlflow_username": "me"}, "need each other. Set both, or neither"),
        ("mlflow", {"mlflow_uri": "https://a", **LOGIN, "mlflow_token": "t"}, "are both set. MLflow takes one"),
        ("mlflow", {"mlflow_token": "t"}, "trackers_mlflow_token is set but trackers_mlflow_uri is empty"),
        ("mlflow", {"mlflow_experiment": "a'b"}, 'trackers_mlflow_experiment is "a\'b" but must be a name'),
        ("mlflow", {"mlflow_uri": "https://a", "mlflow_token": "of ours\n"}, "trackers_mlflow_token must be one word"),
        ("wandb", {"wandb_mode": "shared"}, "trackers_wandb_mode is 'shared' but must be one of online, offline"),
        ("wandb", {"wandb_mode": "online"}, "trackers_wandb_mode is online, which needs trackers_wandb_api_key"),
        ("wandb", {"wandb_project": "a/b"}, "trackers_wandb_project is 'a/b' but must be one word of letters"),
        ("wandb", {"wandb_base_url": "http://wandb.internal"}, "trackers_wandb_base_url is 'http://wandb.internal'"),
        ("wandb", {"wandb_base_url": "http://[x"}, "trackers_wandb_base_url is 'http://[x' but must be a URL"),
    ],
)
def test_what_does_not_fit_is_told_with_its_variable(wanted, given, told) -> None:
    (found,) = problems(wanted, {**NOTHING, **given})
    assert told in found


def test_all_of_it_is_told_at_once_and_no_secret() -> None:
    given = {**NOTHING, "sites": "all", "mlflow_uri": "nowhere", "mlflow_token": "of ours", "wandb_mode": "online"}
    found = rules.tracker_problems("mlflow wandb other", given)
    assert len(found) == 5
    assert "of ours" not in " ".join(found)
