# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup.rules import opened_problems, problems

AGE = {"directory": "/backups/today", "method": "age", "age_recipients": ["age1"], "age_identity": "/key"}
VAULT = {"directory": "/backups/today", "method": "vault", "vault_password": "secret"}
PLACE = "but must be the absolute path of a directory on the controller, one for each backup."
METHOD = "but must be age or vault: keys are kept in no other way."


@pytest.mark.parametrize("step", ["make", "open"])
@pytest.mark.parametrize("given", [AGE, VAULT])
def test_what_is_complete_is_accepted(given, step) -> None:
    assert problems(given, step) == []


def test_each_step_asks_for_what_it_needs() -> None:
    assert problems({**AGE, "age_identity": ""}, "make") == problems({**AGE, "age_recipients": []}, "open") == []
    for step, name, empty in (("make", "age_recipients", []), ("open", "age_identity", " ")):
        told = [f"backup_{name} is not set, which backup_method=age needs."]
        assert problems({**AGE, name: empty}, step) == problems({**AGE, name: None}, step) == told


@pytest.mark.parametrize("step", ["make", "open"])
def test_all_problems_are_told_at_once(step) -> None:
    assert problems({}, step) == [f"backup_directory is not set {PLACE}", f"backup_method is not set {METHOD}"]
    assert problems({"directory": "here", "method": "zip"}, step) == [
        f"backup_directory is here {PLACE}",
        f"backup_method is zip {METHOD}",
    ]
    assert problems({"directory": "/", "method": "vault", "vault_password": ""}, step) == [
        f"backup_directory is / {PLACE}",
        "backup_vault_password is not set, which backup_method=vault needs.",
    ]


@pytest.mark.parametrize("names", [[], ["ca.crt"], ["ca.crt", "ca.key", "more"]])
def test_a_backup_has_an_authority_with_its_key(names) -> None:
    assert opened_problems(names, ["round 3 is damaged", "checkpoint_latest.npz is missing"]) == [
        "The backup lacks the certificate authority or its key.",
        "round 3 is damaged",
    ]
    assert opened_problems(["ca.crt", "ca.key"], []) == []
