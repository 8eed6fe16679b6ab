# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode.registry import WantedSuperNode, check, judge

from .test_public_keys import KEY


@pytest.mark.parametrize(
    ("wanted", "problems"),
    [
        ([WantedSuperNode("a", KEY, "present")], []),
        ([WantedSuperNode("a", None, "absent")], []),
        (
            [WantedSuperNode("a", None, "present"), WantedSuperNode(" ", KEY, "present")],
            [
                "public_key of a is missing or not an OpenSSH public key. Make one with 'ssh-keygen -t ecdsa -b 384'.",
                "name of SuperNode 2 is empty. Give each SuperNode a name, such as its host's.",
            ],
        ),
        (
            [WantedSuperNode("a", "ssh-ed25519 AAAA", "present")],
            [
                "public_key of a is of type ssh-ed25519 but Flower takes ecdsa-sha2-nistp256, ecdsa-sha2-nistp384,"
                " ecdsa-sha2-nistp521. Make one with 'ssh-keygen -t ecdsa -b 384'."
            ],
        ),
        (
            [
                WantedSuperNode("a", "ecdsa-sha2-nistp384 !!!!", "present"),
                WantedSuperNode("b", "ecdsa-sha2-nistp256 AAAA", "present"),
            ],
            [
                f"public_key of {name} is damaged: it is not the base64 text of a key. Copy the .pub file again."
                for name in ("a", "b")
            ],
        ),
        (
            [WantedSuperNode("a", KEY, "present"), WantedSuperNode("a", f"{KEY} again", "present")],
            ["name a is given 2 times. Name each SuperNode once."],
        ),
    ],
)
def test_all_problems_are_found_before_anything_is_done(wanted, problems) -> None:
    assert check(wanted) == problems


MEMBERS = [{"name": name, "site": f"site {name}", "host": "box"} for name in "ab"]
OTHER = KEY.replace("5bvQ==", "5bvA==")


def answered(*rows: object) -> dict:
    return {"supernodes": list(rows), "left": [{"name": "victim", "public_key": KEY}], "changed": False}


def test_an_answer_gives_keys_for_the_names_of_the_inventory() -> None:
    rows = [{"name": "b", "public_key": f"{OTHER} b"}, {"name": "a", "public_key": f"{KEY} a", "site": "of another"}]
    assert judge(answered(*rows), MEMBERS) == (
        [{**MEMBERS[0], "public_key": KEY}, {**MEMBERS[1], "public_key": OTHER}],
        [],
    )
    # In check mode a key is still to be made.
    assert judge(answered({"name": "a", "public_key": ""}), MEMBERS[:1]) == ([{**MEMBERS[0], "public_key": ""}], [])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "it gave no list of keys"),
        ("supernodes", "it gave no list of keys"),
        ({}, "it gave no list of keys"),
        ({"supernodes": {"name": "a"}}, "it gave no list of keys"),
        (
            answered({"name": "victim", "public_key": KEY}),
            "it gave a key for 'victim', which the inventory does not have there",
        ),
        (answered(7), "it gave a key for no name, which the inventory does not have there"),
        (
            answered({"name": ["a"], "public_key": KEY}),
            "it gave a key for no name, which the inventory does not have there",
        ),
        (answered({"name": "a", "public_key": {"x": 1}}), "what it gave for a is no key"),
        (answered({"name": "a", "public_key": "k" * 10**6}), "what it gave for a is no key"),
        (answered(*[{"name": "a", "public_key": KEY}] * 2), "it gave two keys for a"),
        (answered({"name": "a", "public_key": KEY}), "it gave no key for b"),
        (
            answered({"name": "a", "public_key": "ssh-ed25519 AAAA"}, {"name": "b", "public_key": KEY}),
            "public_key of a is of type ssh-ed25519 but Flower takes ecdsa-sha2-nistp256, ecdsa-sha2-nistp384,"
            " ecdsa-sha2-nistp521. Make one with 'ssh-keygen -t ecdsa -b 384'.",
        ),
    ],
)
def test_an_answer_that_is_anything_else_gives_nothing(answer: object, problem: str) -> None:
    assert judge(answer, MEMBERS) == ([], [problem])


def test_an_answer_of_any_length_is_judged_by_its_beginning() -> None:
    rows = [{"name": f"n{number}", "public_key": KEY} for number in range(100_000)]
    assert len(judge(answered(*rows), MEMBERS)[1]) == 3
