# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade needs before it begins, and its gates."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._release.upgrade import (
    Federation,
    gate_problems,
    node_problems,
    plan,
    reason,
    version_of,
    version_problem,
)

OLD, NEW = "flwr-1.41.0-aaaaaaaa", "flwr-1.42.0-bbbbbbbb"
GB = 1_000_000_000


def service(**values: Any) -> dict[str, Any]:
    return {"unit": "s.service", "state": "active", "restarts": 0, "seconds": 60.0, "releases": [OLD], **values}


def look(**values: Any) -> dict[str, Any]:
    rooms = [
        {"what": what, "path": path, "device": 1, "free": 2 * GB}
        for what, path in (("releases", "/opt/flower"), ("points", "/var/backups"), ("temporary files", "/tmp"))
    ]
    info = {
        "release": OLD, "releases": [OLD], "services": [service()], "point": None, "rooms": rooms,
        "sizes": {"release": 200_000_000, "state": 1_000_000},
    }  # fmt: skip
    seen = {
        "unreachable": False, "problem": "", "wanted": NEW, "built": True, "one_account": False, "supernodes": [],
        "info": info,
    }  # fmt: skip
    return {**seen, **{key: value for key, value in values.items() if key in seen}, "info": {**info, **{
        key: value for key, value in values.items() if key in info}}}  # fmt: skip


def node(name: str = "a", **values: Any) -> dict[str, Any]:
    return {"name": name, "node_id": "1", "status": "online", "online_at": "2026-11-26 03:00:00Z", **values}


SUPERLINK = Federation("sl", 200, [node()])


def hosts(**looks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"sl": look(), "sn": look(supernodes=["a"]), **looks}


def test_a_sound_federation_is_upgraded_where_it_is_due() -> None:
    done = look(wanted=NEW, release=NEW, built=False, services=[service(releases=[NEW])])
    found = plan(hosts(sl=done), SUPERLINK, 2, online_timeout=121)
    assert found == {
        "problems": [],
        "due": ["sn"],
        "needed": True,
        "unfinished": False,
        "versions": ["1.42.0"],
        "patience": 61,
        "lines": [f"sn: {OLD} -> {NEW}"],
    }


def test_nothing_is_needed_where_everything_runs_from_its_lock() -> None:
    done = look(wanted=OLD, built=False, supernodes=["a"])
    found = plan({"sl": done, "sn": done}, SUPERLINK, 2)
    assert found["needed"] is False
    assert found["lines"] == ["Every host runs Flower 1.41.0 from its lock already. Nothing is changed."]


def test_a_federation_of_one_account_is_moved_even_where_its_release_stays() -> None:
    done = look(wanted=OLD, built=False)
    for former in ("sl", "sn"):
        found = plan({"sl": done, "sn": done, former: {**done, "one_account": True}}, SUPERLINK, 2)
        assert (found["needed"], found["due"], found["problems"]) == (True, [], [])
        assert found["lines"] == [f"{former}: one account for everything -> the accounts of today"]


@pytest.mark.parametrize(
    "change",
    [{"release": None}, {"services": [service(releases=["venv"])]}, {"services": [service(releases=[OLD, NEW])]}],
)
def test_a_host_is_due_by_what_its_processes_have_loaded_and_by_what_they_would(change: dict[str, Any]) -> None:
    assert plan({"sl": look(wanted=OLD, **change)}, SUPERLINK, 2)["due"] == ["sl"]


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    looks = {
        "far": {**look(), "unreachable": True, "info": {}},
        "old": {**look(), "problem": "runtime_python is x, which is Python 3.9."},
        "bare": look(services=[]),
        "odd": look(wanted="venv-cccccccc"),
        "ill": look(supernodes=["a", "b"], services=[service(state="failed")]),
        "full": look(rooms=[{**room, "free": 100_000_000} for room in look()["info"]["rooms"]]),
    }
    federation = replace(SUPERLINK, nodes=[node(status="offline")], superlink="full")
    assert plan(looks, federation, 1)["problems"] == [
        "far cannot be reached.",
        "old: runtime_python is x, which is Python 3.9.",
        "bare runs nothing of Flower. Deploy it with fedops.flower.site, or leave it out with --limit '!bare'.",
        "odd: the lock does not pin flwr. Add it to what the lock is compiled from.",
        "ill: s.service is failed. Have it run first.",
        "full has 100 MB left in /opt/flower but needs 542 MB there for releases and points and temporary files."
        " Make room.",
        "runtime_releases_kept is 1 but must be at least 2: the release before is what to go back to.",
        "a is offline, so that its gate could not be passed. Bring it back, or leave its host out with --limit '!ill'.",
        "b is not registered, so that its gate could not be passed."
        " Bring it back, or leave its host out with --limit '!ill'.",
    ]


def test_a_superlink_that_does_not_answer_or_is_left_out_is_told() -> None:
    for federation in (replace(SUPERLINK, health=0), replace(SUPERLINK, nodes=None)):
        assert "does not answer" in plan(hosts(), federation, 2)["problems"][0]
    (problem,) = plan({"sn": look()}, SUPERLINK, 2)["problems"]
    assert problem.startswith("sl is not part of this play")


def test_room_is_needed_where_it_is_used() -> None:
    apart = [{**room, "device": number, "free": 260_000_000} for number, room in enumerate(look()["info"]["rooms"])]
    (problem,) = plan({"sl": look(rooms=apart)}, replace(SUPERLINK, nodes=[]), 2)["problems"]
    assert problem == "sl has 260 MB left in /tmp but needs 300 MB there for temporary files. Make room."
    assert plan({"sl": look(rooms=apart, built=False)}, replace(SUPERLINK, nodes=[]), 2)["problems"] == []


@pytest.mark.parametrize(
    ("federation", "point", "unfinished"),
    [
        (replace(SUPERLINK, held_since="t", held_for="upgrade"), None, True),
        # An operator had quiesced it before: the point tells.
        (replace(SUPERLINK, held_since="t"), {"release": OLD, "token": "t"}, True),
        # Left behind long ago, and the trainings have gone on since.
        (replace(SUPERLINK, held_since="u"), {"release": OLD, "token": "t"}, False),
        (SUPERLINK, {"release": OLD, "token": "t"}, False),
    ],
)
def test_an_upgrade_that_was_cut_short_is_brought_to_its_end_however_ill_the_hosts_are(
    federation: Federation, point: dict[str, str] | None, unfinished: bool
) -> None:
    ill = look(supernodes=["a"], wanted=OLD, built=False, point=point, services=[service(state="failed")])
    found = plan({"sl": ill}, replace(federation, health=0), 2)
    assert (found["unfinished"], found["needed"], found["problems"] == []) == (unfinished,) * 3
    assert (len(found["lines"]), found["lines"][0].startswith("An upgrade before")) == (1, unfinished)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("1.41.0", "1.41.0", None),
        ("1.41.0", "1.42.0", None),
        ("1.41.0", "1.43.0.dev20261126", None),
        (None, "1.41.0", None),
        ("1.41.0", "1.40.9", "this collection runs 1.41 and newer"),
        ("1.42.0", "1.41.3", "no older Flower reads the state"),
        ("1.42.0", "2.0.0", "no way from one major version"),
    ],
)
def test_versions_go_forward_within_one_major_version(before: str | None, after: str, told: str | None) -> None:
    problem = version_problem(before, after)
    assert (problem is None) if told is None else told in problem


@pytest.mark.parametrize(
    ("release", "version"),
    [
        (OLD, "1.41.0"),
        ("flwr-1.43.0.dev1-0123abcd-moved", "1.43.0.dev1"),
        ("venv-0123abcd", None),
        ("venv", None),
        (None, None),
    ],
)
def test_a_release_tells_its_version(release: str | None, version: str | None) -> None:
    assert version_of(release) == version


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ([service(releases=[NEW])], []),
        ([], ["none of Flower's services is there"]),
        ([service(state="activating", releases=[])], ["s.service is activating"]),
        ([service()], [f"s.service runs {OLD} in place of {NEW}"]),
        ([service(releases=[OLD, NEW])], [f"s.service runs {OLD} and {NEW} in place of {NEW}"]),
        ([service(releases=[])], [f"s.service runs nothing yet in place of {NEW}"]),
        ([service(releases=[NEW], seconds=1.5)], ["s.service has begun only 1.5 s ago"]),
    ],
)
def test_a_gate_is_passed_by_what_runs_and_stays(services: list[dict[str, Any]], told: list[str]) -> None:
    assert gate_problems(services, NEW) == told


LATER = {"online_at": "2026-11-26 03:05:00Z"}


@pytest.mark.parametrize(
    ("now", "restarted", "told"),
    [
        ([node(**LATER)], True, []),
        ([node()], False, []),
        ([node()], True, ["a has not come back since its restart"]),
        ([node(status="offline")], True, ["a is offline"]),
        ([node(node_id="2", **LATER)], True, ["a has the node id 2 but had 1"]),
        ([], True, ["a is not registered"]),
    ],
)
def test_a_supernode_is_back_as_the_one_that_it_was(now: list, restarted: bool, told: list[str]) -> None:
    assert node_problems(["a"], [node()], now, restarted) == told


def test_a_reason_has_the_end_of_the_journal() -> None:
    assert (
        reason("sn", "Wait", " a is offline.\n", ["\x1b[92mone \x1b[0m", "two"])
        == "sn, 'Wait': a is offline.\n  | one\n  | two"
    )


EVIL = "a\x1b]0;owned\x07\u202e{{ 7*7 }}" + "A" * 100_000


def test_what_a_host_says_can_only_be_read() -> None:
    text = reason("sn", "Wait", EVIL + "\n<0>x\x9b", [EVIL] * 15)
    assert text.startswith("sn, 'Wait': a\\x1b]0;owned\\x07\\u202e{{ 7*7 }}AAA")
    assert len(text) < 15_000
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]
    look = {"unreachable": False, "problem": EVIL, "wanted": "", "info": {}, "supernodes": [], "built": False}
    (problem,) = plan({"sn": look}, Federation("sn", 200, [], "now", "upgrade"), 2)["problems"]
    assert (problem[:20], len(problem) < 5000) == ("sn: a\\x1b]0;owned\\x0", True)
