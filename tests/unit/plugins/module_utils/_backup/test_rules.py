# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup.rules import opened_problems, problems

AGE = {"directory": "/backups/today", "method": "age", "age_recipients": ["age1"], "age_identity": "/key"}
VAULT = {"directory": "/backups/today", "method": "vault", "vault_password": "secret"}
PLACE = "but must be the absolute path of a directory on the controller, one for each backup."
METHOD = "but must be age, or vault to open an older backup."
NO_PROGRAM = "The controller has no program age, which backup_method=age needs. Install the package age."


@pytest.mark.parametrize(("given", "step"), [(AGE, "make"), (AGE, "open"), (VAULT, "open")])
def test_what_is_complete_is_accepted(given, step) -> None:
    assert problems(given, step, has_age=True) == []


def test_each_step_asks_for_what_it_needs() -> None:
    assert problems({**AGE, "age_identity": ""}, "make", True) == []
    assert problems({**AGE, "age_recipients": []}, "open", True) == []
    for step, name, empty in (("make", "age_recipients", []), ("open", "age_identity", " ")):
        told = [f"backup_{name} is not set, which backup_method=age needs."]
        assert problems({**AGE, name: empty}, step, True) == problems({**AGE, name: None}, step, True) == told


def test_a_backup_that_is_to_be_sealed_with_a_password_is_refused_with_what_to_set() -> None:
    told = (
        "backup_method is vault, which only opens backups of earlier releases. Set backup_method to age and"
        " backup_age_recipients to public keys of age (age-keygen makes a pair of keys)."
    )
    assert problems(VAULT, "make", True) == [told]


def test_only_what_age_seals_or_opens_needs_the_program() -> None:
    assert problems(AGE, "make", False) == problems(AGE, "open", False) == [NO_PROGRAM]
    assert problems(VAULT, "open", False) == []


@pytest.mark.parametrize(("step", "name"), [("make", "age_recipients"), ("open", "age_identity")])
def test_all_problems_are_told_at_once(step, name) -> None:
    assert problems({}, step, True) == [f"backup_directory is not set {PLACE}", f"backup_method is not set {METHOD}"]
    assert problems({"directory": "here", "method": "zip"}, step, True) == [
        f"backup_directory is here {PLACE}",
        f"backup_method is zip {METHOD}",
    ]
    assert problems({"directory": "/", "method": "age"}, step, False) == [
        f"backup_directory is / {PLACE}",
        f"backup_{name} is not set, which backup_method=age needs.",
        NO_PROGRAM,
    ]


@pytest.mark.parametrize("names", [[], ["ca.crt"], ["ca.crt", "ca.key", "more"]])
def test_a_backup_has_an_authority_with_its_key(names) -> None:
    assert opened_problems(names, ["round 3 is damaged", "checkpoint_latest.npz is missing"]) == [
        "The backup lacks the certificate authority or its key.",
        "round 3 is damaged",
    ]
    assert opened_problems(["ca.crt", "ca.key"], []) == []
