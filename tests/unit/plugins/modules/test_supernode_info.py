# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import FlwrUnreachableError
from ansible_collections.fedops.flower.plugins.modules import supernode_info

OFFLINE, UNREGISTERED = "17856385283664728171", "16029726880598031332"  # in the recording supernode_list_end


@pytest.mark.parametrize(("unregistered", "shown"), [(False, 1), (True, 2)])
def test_nodes_are_listed_with_the_names_of_the_ledger(home, run_module, unregistered, shown) -> None:
    member = {
        "name": "a",
        "fingerprint": "SHA256:x",
        "node_id": OFFLINE,
        "site": "Ward A",
        "host": "box",
        "pseudonym": "site-a",
    }
    members = {"supernodes": [member]}
    (home.path / "records").mkdir()
    (home.path / "records" / "supernodes.json").write_text(json.dumps(members))
    home.answers(supernode_list="supernode_list_end")
    rows = [
        {
            "name": "a",
            "fingerprint": "SHA256:x",
            "site": "Ward A",
            "host": "box",
            "pseudonym": "site-a",
            "registered": True,
            "node_id": OFFLINE,
            "status": "offline",
            "registered_at": "2026-11-23 06:22:12Z",
            "online_at": "2026-11-23 06:23:21Z",
            "offline_at": "2026-11-23 06:23:57Z",
        },
        {
            "name": None,
            "fingerprint": None,
            "site": None,
            "host": None,
            "pseudonym": None,
            "registered": False,
            "node_id": UNREGISTERED,
            "status": "unregistered",
            "registered_at": "2026-11-23 06:24:00Z",
            "online_at": None,
            "offline_at": None,
        },
    ]
    result = run_module("supernode_info", unregistered=unregistered)
    assert result == {"changed": False, "online": 0, "supernodes": rows[:shown]}


def test_nodes_that_are_online_are_counted_if_somebody_of_the_inventory_registered_them(home, run_module) -> None:
    home.answers(supernode_list="supernode_list_online")
    found = run_module("supernode_info")
    assert (found["online"], [row["status"] for row in found["supernodes"]]) == (0, ["online"])
    member = {"name": "a", "fingerprint": "SHA256:x", "node_id": found["supernodes"][0]["node_id"]}
    (home.path / "records").mkdir()
    (home.path / "records" / "supernodes.json").write_text(json.dumps({"supernodes": [member]}))
    assert run_module("supernode_info")["online"] == 1


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_host_without_flower_has_none_in_check_mode_and_else_fails(home, run_module, check_mode) -> None:
    (home.path / "bin" / "flwr").unlink()
    result = run_module("supernode_info", check_mode=check_mode)
    assert (result.get("supernodes"), result.get("failed", False)) == (([], False) if check_mode else (None, True))


def test_a_superlink_that_does_not_answer_fails_the_task(home, run_module) -> None:
    home.answers(supernode_list="list_unreachable")
    assert run_module("supernode_info") == {
        "failed": True,
        "msg": "Flower says: Connection to the SuperLink is unavailable."
        " Look at the unit flower-superlink on this host.",
    }


AWAY = FlwrUnreachableError("away")


@pytest.fixture
def wait(monkeypatch):
    """Wait for two SuperNodes with these numbers of them online; return the last number and the seconds that passed."""

    def run(*answers, seconds=60.0, names=()):
        clock, left = [0.0], list(answers)

        def answer(*_arguments):
            online = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(online, Exception):
                raise online
            known = [{"name": f"site{number}", "status": "online"} for number in range(1, online + 1)]
            strangers = [{"name": None, "node_id": str(number), "status": "online"} for number in range(5)]
            return [*known, *strangers, {"name": "siteX", "status": "offline"}]

        monkeypatch.setattr(supernode_info, "list_supernodes", answer)
        monkeypatch.setattr(supernode_info.time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(supernode_info.time, "sleep", lambda pause: clock.__setitem__(0, clock[0] + pause))
        rows = supernode_info.wait(None, False, 2, names, seconds)
        return len(supernode_info.named(rows, online=True)), clock[0]

    return run


@pytest.mark.parametrize(
    ("answers", "seconds", "result"),
    [((2,), 60, (2, 0)), ((0, 1, 3), 60, (3, 4)), ((AWAY, 2), 60, (2, 2)), ((1,), 5, (1, 5)), ((1,), 0, (1, 0))],
)
def test_supernodes_are_waited_for_and_too_few_at_the_end_are_no_failure(wait, answers, seconds, result) -> None:
    assert wait(*answers, seconds=seconds) == result


def test_those_of_the_names_are_waited_for(wait) -> None:
    assert wait(2, 3, names=["site3"]) == (3, 2)
    assert wait(2, 3, names=["site1", "site2"]) == (2, 0)
    assert wait(3, names=["siteX"], seconds=5) == (3, 5)


def test_a_superlink_that_stays_away_is_a_failure(wait) -> None:
    with pytest.raises(FlwrUnreachableError):
        wait(1, AWAY, seconds=5)
