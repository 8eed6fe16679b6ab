# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that would do nothing at all says so and fails, whatever has left it nothing to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ..plays import play_in

ROOT = Path(__file__).resolve().parents[3]
NEITHER = "and neither exists on the controller"
ROLES_OWN = {"publish", "smoke", "train"}  # playbooks whose results a role tells, or tasks of several
CONSOLES = {"awx", "first_boot", "opennebula", "simulate"}  # what sets up a console works on no host of a federation
PLAYBOOKS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / "playbooks").glob("*.yml")
    if path.stem not in CONSOLES
}
INVENTORY = {
    "superlink": {"hosts": {"sl": None}},
    "supernodes": {"hosts": {"sn": None}},
    "others": {"hosts": {"other": None}},
    "model_registry": {"hosts": {"registry": None}},
    "model_workers": {"hosts": {"worker": None}},
    "all": {"vars": {"ansible_host": "127.0.0.1", "ansible_port": 1}},  # nobody answers, and nothing is touched
}


@pytest.fixture
def play(tmp_path: Path):
    """Play a playbook in check mode; return its exit status, what it says, and what a workflow is handed."""

    def play(book: str, *how: str, hosts: str = json.dumps(INVENTORY)) -> tuple[int, str, dict]:
        (tmp_path / "inventory.yml").write_text(hosts)
        done = play_in(tmp_path, "--check", "-i", tmp_path / "inventory.yml", book, *how)
        told = done.stdout.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2]
        return done.returncode, done.stdout + done.stderr, json.loads(told) if told else {}

    return play


def results(book: str) -> set[str]:
    """Return the names of what a playbook hands to a workflow."""
    told = set()
    paths = [ROOT / "playbooks" / f"{book}.yml"]
    if book in ROLES_OWN:
        return set(yaml.safe_load((ROOT / "roles/training/vars/main.yml").read_text())["__training_statistics"])
    if book == "upgrade":
        paths.append(ROOT / "playbooks/tasks/tell_upgrade.yml")
    for path in paths:
        for play in yaml.safe_load(path.read_text()):
            for task in [*play.get("tasks", []), play]:
                told |= (task.get("ansible.builtin.set_stats") or {}).get("data", {}).keys()
    return told


@pytest.mark.parametrize("book", ["quiesce", "status", "train", "upgrade"])
def test_a_limit_without_the_superlink_is_no_success(play, book: str) -> None:
    status, said, told = play(f"fedops.flower.{book}", "--limit", "sn")
    assert status != 0
    assert "Nothing would be done with --limit sn: this playbook works on sl." in said
    assert told.keys() == results(book)
    assert told == dict.fromkeys(told) if book != "train" else told["flower_status"] == "not_started"


@pytest.mark.parametrize(
    ("book", "why"),
    [
        ("quiesce", "The group superlink has 0 hosts (none) but must have exactly one."),
        ("site", "The group superlink has 0 hosts (none) but must have exactly one."),
        ("teardown", "Nothing would be done: the groups superlink and supernodes have no hosts."),
    ],
)
def test_an_inventory_without_hosts_is_no_success(play, book: str, why: str) -> None:
    status, said, _told = play(f"fedops.flower.{book}", hosts="{}")
    assert (status, why in said) == (2, True)


@pytest.mark.parametrize(
    ("book", "how", "tags"),
    [
        ("train", ["--tags", "nonsense"], "training"),
        ("site", ["--tags", "always"], "certificates, checkpoints, runtime, superlink, supernode"),
        ("teardown", ["--skip-tags", "teardown"], "teardown"),
        ("backup_verify", ["--skip-tags", "all"], "backup"),
        ("restore", ["--tags", "backup,stop"], "certificates, checkpoints, restore, runtime, superlink, supernode"),
    ],
)
def test_tags_that_select_nothing_are_no_success(play, book: str, how: list[str], tags: str) -> None:
    status, said, _told = play(f"fedops.flower.{book}", *how)
    written = " ".join([how[0], ",".join(sorted(how[1].split(",")))])
    assert (status, f"Nothing would be done with {written}. The tags of this playbook are {tags}:" in said) == (2, True)


@pytest.mark.parametrize(
    ("book", "limit"),
    [("site", "other"), ("teardown", "other"), ("backup_verify", "sl")],
    ids=["site", "teardown", "verify"],
)
def test_a_limit_to_hosts_that_are_not_worked_on_is_no_success(play, book: str, limit: str) -> None:
    status, said, _told = play(f"fedops.flower.{book}", "--limit", limit)
    assert status != 0
    assert f"Nothing would be done with --limit {limit}: this playbook works on " in said


@pytest.mark.parametrize("limit", ["sl", "sn"])
def test_variables_of_the_superlink_are_refused_before_any_host_is_asked(play, limit: str) -> None:
    hosts = {"sl": {"superlink_fleet_port": "abc", "superlink_body_max": "much"}}
    status, said, _told = play(
        "fedops.flower.site", "-l", limit, hosts=json.dumps({**INVENTORY, "superlink": {"hosts": hosts}})
    )
    assert (status, "UNREACHABLE" in said) == (2, False)
    assert "superlink_fleet_port is abc but must be a port, 1 to 65535." in said
    assert "superlink_body_max is much but must be a size" in said


@pytest.mark.parametrize("limit", ["sl", "sn"])
def test_types_of_the_variables_of_the_checkpoints_are_refused_before_any_host_is_asked(play, limit: str) -> None:
    hosts = {"sl": {"checkpoints_mirror_keep": "ten", "checkpoints_backend": "tape", "checkpoints_disk_adopt": "yes"}}
    status, said, _told = play(
        "fedops.flower.site", "-l", limit, hosts=json.dumps({**INVENTORY, "superlink": {"hosts": hosts}})
    )
    assert (status, "UNREACHABLE" in said) == (2, False)
    assert "checkpoints_mirror_keep is 'ten' but must be of the type int." in said
    assert "checkpoints_backend is 'tape' but must be one of local, disk, nfs." in said


@pytest.mark.parametrize("book", ["site", "train"])
def test_a_type_that_a_role_refuses_is_told_in_a_sentence(play, book: str) -> None:
    """Ansible itself tells it when the role begins, and all that the role takes with it."""
    how = ["-e", "training_attempts=", "-e", json.dumps({"supernode_online_timeout": "long"})]
    status, said, told = play(f"fedops.flower.{book}", *how)
    assert (status, "UNREACHABLE" in said, "argument_spec" in said) == (2, False, False)
    assert "training_attempts is empty but must be of the type int." in said
    assert ("supernode_online_timeout is 'long' but must be of the type int." in said) is (book == "site")
    assert book == "site" or told["flower_status"] == "not_started"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of an authority, where whoever runs a site alone has it."""
    path = tmp_path / "certificates" / "ca.crt"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize(
    ("book", "how", "more", "why"),
    [
        ("site", [], {"awx_job_id": 7}, "in this job of AWX would be thrown away with it"),
        ("site", [], {"tower_job_id": 7, "certificates_replace_ca": True}, "in this job of AWX would be thrown away"),
        ("site", ["--limit", "sn"], {}, "and sl is not part of this play, so that nobody knows which one it trusts"),
        ("site", [], {"certificates_ca_certificate": "/no/crt", "certificates_ca_private_key": "/no/key"}, NEITHER),
        ("join", [], {}, "Who runs a site alone needs ca.crt, which the operator of the SuperLink has."),
    ],
)
def test_an_authority_that_could_not_be_made_is_told_before_any_host_is_asked(
    play, book: str, how: list[str], more: dict, why: str
) -> None:
    status, said, _told = play(f"fedops.flower.{book}", *how, "-e", json.dumps(more))
    assert (status, "UNREACHABLE" in said, why in said) == (2, False, True), said


@pytest.mark.parametrize(
    "more", [{}, {"awx_job_id": 7, "certificates_ca_directory": "/volume/that/is/kept"}], ids=["one", "volume"]
)
def test_an_authority_that_can_be_made_is_none_of_its_problems(play, more: dict) -> None:
    _status, said, _told = play("fedops.flower.site", "-e", json.dumps(more))
    assert "sl]: UNREACHABLE" in said, said


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("book", ["site", "teardown"])
def test_a_supernode_alone_is_deployed_and_removed(play, book: str) -> None:
    _status, said, _told = play(f"fedops.flower.{book}", "--limit", "sn", "-e", "runtime_home=/nowhere/of/ours")
    assert "Nothing would be done" not in said
    assert "UNREACHABLE" in said


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize(
    ("book", "how", "read"),
    [
        ("stop", [], True),
        ("teardown", [], True),
        ("teardown", ["--limit", "sn"], False),
        ("join", [], False),
    ],
)
def test_the_context_of_a_machine_is_read_where_its_host_is_worked_on(
    play, book: str, how: list[str], read: bool
) -> None:
    hosts = json.dumps({**INVENTORY, "superlink": {"hosts": {"sl": {"opennebula_context": True}}}})
    _status, said, _told = play(f"fedops.flower.{book}", *how, hosts=hosts)
    assert ("read_context.yml for " in said) is read
    assert "UNREACHABLE" in said
    assert ("sl]: UNREACHABLE" in said) is read


@pytest.mark.parametrize("book", sorted(PLAYBOOKS))
def test_every_playbook_begins_with_these_checks(book: str) -> None:
    first = PLAYBOOKS[book][0]
    assert (first["tags"], "localhost" in first["hosts"].split(":")) == ("always", True)
    checks = ("tasks/check_inventory.yml", "tasks/check_limit.yml", "tasks/check_delivery.yml")
    (told,) = (task["vars"] for task in first["tasks"] if task.get("ansible.builtin.import_tasks") in checks)
    assert "playbook_hosts" in told
    assert book in ROLES_OWN or results(book) == {*told.get("playbook_results", [])}


def test_tags_of_a_larger_playbook_select_what_they_name(play, tmp_path: Path) -> None:
    book = tmp_path / "book.yml"
    book.write_text(
        "- ansible.builtin.import_playbook: fedops.flower.stop\n"
        "- {hosts: sl, gather_facts: false, tags: mine, tasks: [{ansible.builtin.debug: {msg: done}}]}\n"
    )
    status, said, _told = play(str(book), "--tags", "mine")
    assert (status, '"msg": "done"' in said) == (0, True)
    status, said, _told = play(str(book), "--tags", "theirs")
    assert (status, "The tags of this playbook are mine, stop" in said) == (2, True)


def test_no_training_is_forgotten_by_default(play) -> None:
    hosts = json.dumps({**INVENTORY, "superlink": {"hosts": {"sl": {"ansible_connection": "local"}}}})
    status, said, told = play("fedops.flower.forget", hosts=hosts)
    assert (status, "fl_training_name is not set, and none is forgotten by default." in said) == (2, True)
    assert told == {"flower_training": None, "flower_status": None}
