# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pwd
import sqlite3

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import pseudonym_of
from ansible_collections.fedops.flower.plugins.module_utils._supernode.known_keys import COMPLETE, LENGTH, header

from ..module_utils._supernode.test_public_keys import FINGERPRINT, KEY, PEM

OTHER_KEY = (
    "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBA48wRVzsK4JdEqC4QlZoCxym7whS9RuY3GTLX2n"
    "lAugVDcJLIoLE88RIYJ0KiYCjYK6C0HQI/SfgOHBt17c1Gm+/o3dHCFGEmsIn6vzIklzgWIF1NidXxEdvVO00kTHNw=="
)
OTHER_FINGERPRINT = "SHA256:o/wxDf06KnvXVBhHXQUj//6l/4IvQRBJbMiSLKBSaZI"
OFFLINE, UNREGISTERED = "17856385283664728171", "16029726880598031332"  # in the recording supernode_list_end


@pytest.fixture
def ledger(home):
    """Read the ledger, or write one of (name, fingerprint, node id)."""
    path = home.path / "records" / "supernodes.json"
    path.parent.mkdir()

    def access(*rows) -> list | None:
        if rows:
            members = [dict(zip(("name", "fingerprint", "node_id"), row, strict=True)) for row in rows]
            path.write_text(json.dumps({"supernodes": members}))
            return None
        if not path.exists():
            return []
        rows = json.loads(path.read_text())["supernodes"]
        return [tuple(row[name] for name in ("name", "fingerprint", "node_id")) for row in rows]

    return access


def outcome(name, fingerprint, node_id, status, changed) -> dict:
    return {"name": name, "fingerprint": fingerprint, "node_id": node_id, "status": status, "changed": changed}


def test_a_new_key_is_registered_and_written_down(home, ledger, run_module) -> None:
    home.answers(supernode_list="supernode_list_empty", supernode_register="supernode_register")
    assert run_module("supernode", name="a", public_key=KEY) == {
        "changed": True,
        "node_id": OFFLINE,
        "fingerprint": FINGERPRINT,
        "status": "registered",
        "supernodes": [outcome("a", FINGERPRINT, OFFLINE, "registered", True)],
        "refused": {},
        "diff": {"before": {}, "after": {"a": FINGERPRINT}},
    }
    assert ledger() == [("a", FINGERPRINT, OFFLINE)]
    assert home.commands == ["supernode list local", "supernode register supernode.pub local --name a"]
    assert home.calls[1]["files"] == [KEY + "\n"]


def test_a_known_key_costs_one_listing_and_changes_nothing(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, OFFLINE))
    home.answers(supernode_list="supernode_list_end")
    assert run_module("supernode", supernodes=[{"name": "a", "public_key": KEY}]) == {
        "changed": False,
        "supernodes": [outcome("a", FINGERPRINT, OFFLINE, "offline", False)],
        "refused": {},
        "diff": {"before": {"a": FINGERPRINT}, "after": {"a": FINGERPRINT}},
    }
    assert home.commands == ["supernode list local"]


def test_check_mode_tells_the_same_and_does_nothing(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, OFFLINE))
    home.answers(supernode_list="supernode_list_end")
    nodes = [{"name": "b", "public_key": OTHER_KEY}, {"name": "a", "state": "absent"}]
    assert run_module("supernode", check_mode=True, supernodes=nodes) == {
        "changed": True,
        "supernodes": [
            outcome("b", OTHER_FINGERPRINT, None, "registered", True),
            outcome("a", FINGERPRINT, OFFLINE, "absent", True),
        ],
        "refused": {},
        "diff": {"before": {"a": FINGERPRINT}, "after": {"b": OTHER_FINGERPRINT}},
    }
    assert (home.commands, ledger()) == (["supernode list local"], [("a", FINGERPRINT, OFFLINE)])


def test_check_mode_works_on_a_host_without_flower(home, run_module) -> None:
    (home.path / "bin" / "flwr").unlink()
    result = run_module("supernode", check_mode=True, name="a", public_key=KEY)
    assert (result["changed"], result["status"]) == (True, "registered")


def test_another_key_replaces_the_node_of_its_name(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, OFFLINE))
    home.answers(
        supernode_list="supernode_list_online",
        supernode_register="supernode_register2",
        supernode_unregister="supernode_unreg",
    )
    result = run_module("supernode", name="a", public_key=OTHER_KEY)
    assert result["supernodes"] == [outcome("a", OTHER_FINGERPRINT, UNREGISTERED, "registered", True)]
    assert result["diff"] == {"before": {"a": FINGERPRINT}, "after": {"a": OTHER_FINGERPRINT}}
    assert ledger() == [("a", OTHER_FINGERPRINT, UNREGISTERED)]
    assert home.commands[-1] == f"supernode unregister {OFFLINE} local"


def test_a_key_of_another_is_refused_and_the_others_are_served(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, "1"), ("b", OTHER_FINGERPRINT, "2"))
    rows = [{"node-id": node_id, "status": "online"} for node_id in ("1", "2")]
    listing = {"rc": 0, "stdout": json.dumps({"success": True, "nodes": rows}), "stderr": ""}
    home.answers(supernode_list=[listing])
    nodes = [{"name": "a", "public_key": KEY}, {"name": "b", "public_key": f"{KEY} b"}]
    result = run_module("supernode", supernodes=nodes, inventory=["a", "b"])
    assert result == {
        "changed": False,
        "supernodes": [outcome("a", FINGERPRINT, "1", "online", False)],
        "refused": {"b": f"its key ({FINGERPRINT}) is that of a"},
        "left": [],
        "diff": {
            "before": {"a": FINGERPRINT, "b": OTHER_FINGERPRINT},
            "after": {"a": FINGERPRINT, "b": OTHER_FINGERPRINT},
        },
    }
    assert ledger() == [("a", FINGERPRINT, "1"), ("b", OTHER_FINGERPRINT, "2")]
    assert home.commands == ["supernode list local"]


def test_keys_that_would_change_places_stay_where_they_are(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, "1"), ("b", OTHER_FINGERPRINT, "2"))
    home.answers(supernode_list="supernode_list_empty")
    nodes = [{"name": "a", "public_key": OTHER_KEY}, {"name": "b", "public_key": KEY}]
    result = run_module("supernode", supernodes=nodes, inventory=["a", "b"])
    assert (result["changed"], sorted(result["refused"])) == (False, ["a", "b"])
    assert ledger() == [("a", FINGERPRINT, "1"), ("b", OTHER_FINGERPRINT, "2")]


def test_a_new_key_that_two_give_is_nobodys(home, ledger, run_module) -> None:
    home.answers(supernode_list="supernode_list_empty")
    nodes = [{"name": "a", "public_key": KEY}, {"name": "b", "public_key": KEY}]
    result = run_module("supernode", supernodes=nodes, inventory=["a", "b"])
    assert (result["supernodes"], result["refused"]) == (
        [],
        {
            "a": f"its key ({FINGERPRINT}) is given for b as well",
            "b": f"its key ({FINGERPRINT}) is given for a as well",
        },
    )
    assert (ledger(), home.commands) == ([], ["supernode list local"])


def test_those_that_the_inventory_has_no_more_are_unregistered_on_the_hosts_of_the_play(home, run_module) -> None:
    members = [
        {"name": name, "fingerprint": f"SHA256:{name}", "node_id": node, "site": name, "host": host}
        for name, node, host in (("a", OFFLINE, "box"), ("b", "2", "box"), ("c", "3", "other"), ("d", "4", ""))
    ]
    (home.path / "records").mkdir()
    (home.path / "records" / "supernodes.json").write_text(json.dumps({"supernodes": members}))
    home.answers(supernode_list="supernode_list_end", supernode_unregister="supernode_unreg")
    result = run_module("supernode", supernodes=[], inventory=["b"], hosts=["box", "d"])
    assert [(row["name"], row["status"]) for row in result["supernodes"]] == [("a", "absent")]
    assert home.commands[1:] == [f"supernode unregister {OFFLINE} local"]


def test_the_registry_of_before_moves_to_where_only_root_writes(home, run_module) -> None:
    former = home.path / "state" / "supernodes.json"
    former.write_text(json.dumps({"supernodes": [{"name": "a", "fingerprint": FINGERPRINT, "node_id": OFFLINE}]}))
    home.answers(supernode_list="supernode_list_end")
    nodes = [{"name": "a", "public_key": KEY, "site": "Ward A", "host": "box"}]
    assert run_module("supernode", supernodes=nodes, inventory=["a"])["changed"] is True
    moved = home.path / "records" / "supernodes.json"
    assert json.loads(moved.read_text())["supernodes"] == [
        {
            "name": "a",
            "fingerprint": FINGERPRINT,
            "node_id": OFFLINE,
            "site": "Ward A",
            "host": "box",
            "public_key": KEY,
            "pseudonym": pseudonym_of("a", (home.path / "certificates" / "pseudonyms.secret").read_bytes()),
        }
    ]
    assert oct(moved.stat().st_mode & 0o777) == "0o644"
    assert run_module("supernode", supernodes=nodes, inventory=["a"])["changed"] is False
    assert not former.exists()
    assert [command for command in home.commands if "register" in command] == []


def test_a_registry_that_cannot_be_read_is_said_to_be_so(home, run_module) -> None:
    (home.path / "records").mkdir()
    (home.path / "records" / "supernodes.json").symlink_to("/etc/shadow")
    home.answers(supernode_list="supernode_list_end")
    result = run_module("supernode", name="a", public_key=KEY)
    assert (result["failed"], "is a link, and is not followed" in result["msg"]) == (True, True)


def test_a_key_that_moves_to_another_name_survives_the_end_of_the_old_name(home, ledger, run_module) -> None:
    ledger(("old", FINGERPRINT, OFFLINE))
    home.answers(supernode_list="supernode_list_end")
    run_module("supernode", supernodes=[{"name": "old", "state": "absent"}, {"name": "new", "public_key": KEY}])
    assert (ledger(), home.commands) == ([("new", FINGERPRINT, OFFLINE)], ["supernode list local"])


def test_absent_unregisters_once(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, OFFLINE), ("b", OTHER_FINGERPRINT, UNREGISTERED))
    home.answers(supernode_list="supernode_list_end", supernode_unregister="supernode_unreg")
    nodes = [{"name": name, "state": "absent"} for name in ("a", "b", "c")]
    first, second = (run_module("supernode", supernodes=nodes) for dummy in range(2))
    assert [[item["changed"] for item in result["supernodes"]] for result in (first, second)] == [
        [True, True, False],
        [False, False, False],
    ]
    assert [command for command in home.commands if "unregister" in command] == [
        f"supernode unregister {OFFLINE} local"
    ]
    assert ledger() == []


def test_after_the_database_was_lost_the_key_is_registered_again(home, ledger, run_module) -> None:
    ledger(("a", FINGERPRINT, "1"))
    home.answers(supernode_list="supernode_list_empty", supernode_register="supernode_register")
    assert run_module("supernode", name="a", public_key=KEY)["changed"] is True
    assert ledger() == [("a", FINGERPRINT, OFFLINE)]


def test_after_the_ledger_was_lost_it_is_built_from_the_database(home, ledger, run_module) -> None:
    with sqlite3.connect(home.path / "state" / "state.db") as database:
        database.execute("CREATE TABLE node (node_id BIGINT, public_key BLOB)")
        database.execute("INSERT INTO node VALUES (?, ?)", (int(OFFLINE) - (1 << 64), PEM))
    home.answers(supernode_list="supernode_list_end", supernode_register="supernode_register_again")
    assert run_module("supernode", name="a", public_key=KEY)["status"] == "offline"
    assert ledger() == [("a", FINGERPRINT, OFFLINE)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a", OTHER_FINGERPRINT, UNREGISTERED)],
            f"The key of a ({OTHER_FINGERPRINT}) was unregistered, which is final for a key in Flower."
            " Make a new key for this SuperNode.",
        ),
        (
            [],
            "The key of a is already in use, but {home}/records/supernodes.json does not say by which node."
            " Make a new key for this SuperNode, or restore that file.",
        ),
    ],
)
def test_a_key_that_cannot_be_used_again_is_said_to_be_so(home, ledger, run_module, rows, message) -> None:
    ledger(*rows)
    home.answers(supernode_list="supernode_list_end", supernode_register="supernode_reg_after_unreg")
    result = run_module("supernode", name="a", public_key=OTHER_KEY)
    assert result == {
        "failed": True,
        "changed": False,
        "msg": message.format(home=home.path),
        "supernodes": [],
    }


def test_a_key_that_only_the_database_knows_and_that_was_unregistered_is_not_taken_up(home, ledger, run_module) -> None:
    with sqlite3.connect(home.path / "state" / "state.db") as database:
        database.execute("CREATE TABLE node (node_id BIGINT, public_key BLOB)")
        database.execute("INSERT INTO node VALUES (?, ?)", (int(UNREGISTERED) - (1 << 64), PEM))
    home.answers(supernode_list="supernode_list_end", supernode_register="supernode_reg_after_unreg")
    result = run_module("supernode", name="a", public_key=KEY)
    assert (result["failed"], ledger()) == (True, [])
    assert result["msg"] == (
        f"The key of a ({FINGERPRINT}) was unregistered, which is final for a key in Flower."
        " Make a new key for this SuperNode."
    )


def test_bad_input_is_refused_with_all_problems_before_flower_is_asked(home, run_module) -> None:
    result = run_module("supernode", supernodes=[{"name": "a"}, {"name": "b", "public_key": "ssh-rsa AAAA"}])
    assert (result["failed"], len(result["problems"]), home.calls) == (True, 2, [])


@pytest.fixture
def known(home, ledger):
    """Tell which keys the gateway knows, by the names that tests have for them."""
    keys = home.path / "records" / "keys"
    keys.mkdir()
    files = {header(key)[-LENGTH:]: name for key, name in ((KEY, "key"), (OTHER_KEY, "other"))}
    return lambda: sorted(files.get(path.name, path.name) for path in keys.iterdir())


def test_a_key_that_is_registered_is_known_to_the_gateway_until_it_is_not(home, known, run_module) -> None:
    home.answers(supernode_list="supernode_list_empty", supernode_register="supernode_register")
    assert run_module("supernode", name="a", public_key=KEY)["changed"]
    assert known() == [COMPLETE, "key"]
    home.answers(supernode_list="supernode_list_online", supernode_unregister="supernode_unreg")
    assert not run_module("supernode", name="a", public_key=KEY)["changed"]
    assert run_module("supernode", name="a", state="absent")["changed"]
    assert known() == [COMPLETE]


def test_a_registry_of_before_is_filled_without_being_told_again(home, ledger, known, run_module) -> None:
    ledger(("a", FINGERPRINT, OFFLINE))
    home.answers(supernode_list="supernode_list_end")
    for changed in (True, False):
        assert run_module("supernode", name="a", public_key=f"{KEY} a")["changed"] is changed
        assert known() == [COMPLETE, "key"]
    assert json.loads((home.path / "records" / "supernodes.json").read_text())["supernodes"][0]["public_key"] == KEY


@pytest.mark.parametrize("readable", [True, False])
def test_nobody_that_is_registered_is_locked_out(home, ledger, known, run_module, monkeypatch, readable) -> None:
    # It was registered by hand, or its host is not asked in this play.
    monkeypatch.setattr(identity, "STATE_USER", pwd.getpwuid(os.geteuid()).pw_name)
    listing = {"success": True, "nodes": [{"node-id": each, "status": "online"} for each in (OFFLINE, "7")]}
    home.answers(supernode_list=[{"rc": 0, "stdout": json.dumps(listing), "stderr": ""}])
    ledger(("a", OTHER_FINGERPRINT, "7"))
    if readable:
        (home.path / "state").mkdir(exist_ok=True)
        with sqlite3.connect(home.path / "state" / "state.db") as database:
            database.execute("CREATE TABLE node (node_id BIGINT, public_key BLOB)")
            database.execute("INSERT INTO node VALUES (?, ?)", (-590358790044823445, PEM))
    run_module("supernode", name="a", public_key=OTHER_KEY)
    assert known() == ([COMPLETE, "key", "other"] if readable else ["other"])


@pytest.mark.parametrize("check_mode", [False, True])
def test_who_is_not_in_the_inventory_any_more_is_told_and_stays(
    home, ledger, run_module, monkeypatch, check_mode
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warnings.append(text))
    ledger(("a", FINGERPRINT, OFFLINE), ("gone", OTHER_FINGERPRINT, "17"))
    home.answers(supernode_list="supernode_list_end")
    result = run_module("supernode", check_mode, supernodes=[{"name": "a", "public_key": KEY}], inventory=["a"])
    assert (result["left"], "gone" in {row[0] for row in ledger()}) == (["gone"], True)
    (told,) = warnings
    assert told.startswith("gone is registered, but not in the inventory.")
    assert told.endswith("-e admit_unregister=gone")
    assert run_module("supernode", check_mode, supernodes=[], inventory=["a", "gone"])["left"] == []
