# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts by the state of their SuperNodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.inventory.federation import sorted_by_state

COLLECTIONS = Path(__file__).resolve().parents[4] / ".ansible" / "collections"
HOSTS = {"superlink": {"hosts": {"hub": None}}, "supernodes": {"hosts": {"a": None, "b": None, "c": None, "d": None}}}


def supernode(name: str, host: str | None, status: str, registered: bool = True) -> dict:
    return {"name": name, "host": host, "status": status, "registered": registered, "node_id": "17"}


KNOWN = [
    supernode("a", "a", "online"),
    supernode("b-1", "b", "online"),
    supernode("b-2", "b", "offline"),
    supernode("c", "c", "registered"),
    supernode("gone", "removed.example.org", "online"),
    supernode(None, None, "online", registered=False),
]


def listed(folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """The inventory as ansible-inventory lists it, with a stand-in for the program that asks the SuperLink host."""
    programs = folder / "bin"
    programs.mkdir()
    (folder / "answer").write_text(answer)
    stand_in = 'echo "$@" > asked\nwhile [ "$1" != --tree ]; do shift; done\ncp answer "$2/hub"\n'
    (programs / "ansible").write_text(f"#!/bin/sh\n{stand_in}")
    (programs / "ansible").chmod(0o755)
    (folder / "hosts.yml").write_text(json.dumps(HOSTS))
    (folder / "federation.flower.yml").write_text(
        "plugin: fedops.flower.federation\nhosts: hosts.yml\nhome: /srv/flower\n"
    )
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_INVENTORY_ENABLED": "yaml,fedops.flower.federation,auto",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
    }  # fmt: skip
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", "hosts.yml", "-i", "federation.flower.yml"]
    return subprocess.run(
        [*command, "--list"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_hosts_are_grouped_by_what_their_supernodes_do(tmp_path: Path) -> None:
    done = listed(tmp_path, json.dumps({"supernodes": KNOWN, "changed": False}))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    groups = {name: found[name]["hosts"] for name in found if name.startswith("flower_")}
    assert groups == {
        "flower_online": ["a", "b"],
        "flower_offline": ["b"],
        "flower_registered": ["c"],
        "flower_missing": ["d"],
    }
    hub = found["_meta"]["hostvars"]["hub"]
    told = {name: [each["__ansible_unsafe"] for each in hub[name]] for name in hub}  # no template, whatever it says
    assert told == {"flower_missing_hosts": ["d"], "flower_strangers": ["17", "gone"]}
    assert sorted({*found["superlink"]["hosts"], *found["supernodes"]["hosts"]}) == ["a", "b", "c", "d", "hub"]
    asked = (tmp_path / "asked").read_text()
    assert "hub -i" in asked
    assert '-m fedops.flower.supernode_info -a {"home": "/srv/flower"}' in asked


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (json.dumps({"failed": True, "msg": "The SuperLink does not answer."}), "The SuperLink does not answer."),
        ("no JSON", "The SuperLink host hub cannot be asked"),
    ],
)
def test_a_superlink_that_does_not_answer_is_told(tmp_path: Path, answer: str, told: str) -> None:
    done = listed(tmp_path, answer)
    assert (done.returncode != 0, told in done.stderr) == (True, True), done.stderr


def test_no_host_enters_that_the_inventory_does_not_have() -> None:
    groups, drift = sorted_by_state([supernode("x", "localhost", "online"), supernode("a", "a", "unregistered")], ["a"])
    assert groups == {"flower_registered": [], "flower_online": [], "flower_offline": [], "flower_missing": []}
    assert drift == {"flower_missing_hosts": [], "flower_strangers": ["x"]}
