# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real plays, whose hosts answer with what is meant to be templated, or to command a terminal: it stays text."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training

from ..plays import play_in

ROOT = Path(__file__).resolve().parents[3]
LOCK = str(ROOT / "roles" / "runtime" / "files" / "requirements.txt")
MARK = "{{ 8191*8191 }}{% for x in range(3) %}{{ lookup('pipe', 'echo pwned') }}{% endfor %}{# c #}"
EVIL = f"a\x1b]0;owned\x07\u202e{MARK}\x9b2J"
SHOWN = f"a\\x1b]0;owned\\x07\\u202e{MARK}\\x9b2J"

ROUND = {"event": "round_finished", "round": 1, "num_rounds": 3, "run_id": "1", "configuration_hash": "h"}
TRAINING = {
    "name": "t", "status": EVIL, "details": EVIL, "run_id": "1", "num_rounds": 3, "finished": False, "alive": False,
    "fab_hash": None, "history": [{**ROUND, "loss": 0.5, "checkpoint": EVIL, "checkpoint_problem": EVIL}],
    "effective": {"run_id": "1", "strategy": EVIL}, "result": {"run_id": "1", "sha256": EVIL},
    "supervision": {
        "state": EVIL, "detail": EVIL, "restarts": 1, "waiting_for": [EVIL], "failed_nodes": [EVIL],
        "restart_reasons": [{"time": EVIL, "reason": EVIL, "detail": EVIL, "run_id": EVIL, "round": 1}],
        "seconds_per_round": 1.0, "eta_seconds": 2.0, "checkpoint": {"file": EVIL, "round": 1, "age": 1.0},
    },
    "problems": [EVIL],
}  # fmt: skip
MODEL = {"path": EVIL, "training": "t", "configuration_hash": "h", "round": 1, "age": 1.0, "sha256": EVIL}
ANSWERS = {
    "supernode_info": {"online": 1, "supernodes": [{"name": EVIL, "node_id": EVIL, "status": EVIL}]},
    "run_info": {"trainings": [TRAINING], "quiesced": EVIL, "superlink_problem": EVIL},
    "checkpoint_info": {"latest": MODEL, "trainings": [MODEL], "match": None, "problems": [EVIL]},
    "disk_info": {
        "ansible_facts": {
            "supernode_instances": [{"name": "another"}],
            "certificates_ca_certificate": "/proc/self/cmdline",
            "runtime_lock": "/etc/passwd",
            "os_family": "Debian",
        }
    },
    "training": TRAINING,
    "quiesce": {
        "changed": True,
        "trainings": [{"name": EVIL, "detail": EVIL}],
        "other_runs": [EVIL],
        "unknown": EVIL,
        "done": True,
        "waiting_for": [],
    },
    "training_report": {"failed": True, "msg": EVIL},
    "room_info": TRAINING,  # for a play that wants a training's answer under another name
}
INVENTORY = {
    "all": {
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "superlink_fleet_port": 1,
        },
        "children": {"superlink": {"hosts": {"sl": None}}, "supernodes": {"hosts": {"sn": None}}},
    }
}
REPORT = [
    {
        "hosts": "superlink",
        "gather_facts": False,
        "vars": {
            "fl_training_name": "t",
            "app_home": "{{ runtime_home | default('/nowhere') }}",
            "__training_asked": {
                "configuration_hash": "h", "code": "c", "provable": True, "app": None,
                "training": {"training_name": "t", "strategy": "FedAvg", "checkpoint_path": "/c",
                             "checkpoint_enabled": True, "min_available_clients": 2, "min_fit_clients": 2},
            },
            **{f"__training_{step}": {} for step in ("initial", "refusal", "quiesced", "supernodes", "room", "check")},
            "__training_proof": {},
            "__training_plan": {"status": "absent", "finished": False},
        },
        "tasks": [
            {"fedops.flower.room_info": {"path": "/"}, "register": "__training_run"},
            {"ansible.builtin.include_role": {"name": "fedops.flower.training", "tasks_from": "report.yml"}},
            {"ansible.builtin.set_fact": {"kept": "{{ __training_run.details }}"}},
            {"ansible.builtin.copy": {"content": "{{ kept }}", "dest": "{{ told }}", "mode": "0600"}},
        ],
    }
]  # fmt: skip


POISON = {
    "hosts": "superlink",
    "gather_facts": False,
    "vars": {"runtime_home": "{{ home }}", "inventory_dir": "{{ home }}", "runtime_prepared": True},
    "tasks": [{"fedops.flower.disk_info": {}}],
}


def then(*tasks: dict) -> str:
    """Return a play whose host first answers with facts that are no facts."""
    return json.dumps([{**POISON, "tasks": [*POISON["tasks"], *tasks]}])


@pytest.fixture
def play(tmp_path):
    """Play a playbook with the collection, whose modules answer as a host may that belongs to somebody else."""
    collection = tmp_path / "collections" / "ansible_collections" / "fedops" / "flower"
    (collection / "plugins" / "modules").mkdir(parents=True)
    for name in ("playbooks", "roles", "meta", "galaxy.yml", "files"):
        (collection / name).symlink_to(ROOT / name)
    for path in (ROOT / "plugins").iterdir():
        if path.name != "modules":
            (collection / "plugins" / path.name).symlink_to(path)
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        if path.stem not in ANSWERS:
            (collection / "plugins" / "modules" / path.name).symlink_to(path)
    for name, answer in ANSWERS.items():
        text = f"#!/usr/bin/python\nprint({json.dumps({'changed': False, **answer})!r})\n"
        (collection / "plugins" / "modules" / f"{name}.py").write_text(text)
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps(INVENTORY))

    def play(book: str, *how: str, **variables: str) -> str:
        how = ("-i", inventory, book, *how, "-e", json.dumps(variables))
        done = play_in(tmp_path, *how, collections=tmp_path / "collections", timeout=300)
        return done.stdout + done.stderr

    return play


def is_text_alone(said: str) -> None:
    """Fail where something was templated, or would be acted on."""
    assert "67092481" not in said.replace(MARK, "")
    assert "pwned" not in said.replace(MARK, "").replace(json.dumps(MARK)[1:-1], "")
    assert not [c for c in said if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


def statistics(said: str) -> dict:
    """Return what a workflow is handed."""
    return json.loads(said.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2])


def test_the_status_shows_what_hosts_say_as_text(play, tmp_path) -> None:
    said = play("fedops.flower.status", runtime_home=str(tmp_path / "home"))
    is_text_alone(said)
    assert said.count(SHOWN) > 10
    status = statistics(said)["flower_federation"]
    assert status["trainings"][0]["detail"] == SHOWN
    assert status["supernodes"][0] == {"name": SHOWN, "node_id": SHOWN, "status": SHOWN}
    assert len(json.dumps(status)) < 10_000


def test_trainings_that_cannot_be_looked_at_are_not_told_to_be_none(play, tmp_path) -> None:
    answer = tmp_path / "collections/ansible_collections/fedops/flower/plugins/modules/run_info.py"
    said = {"failed": True, "msg": f"The records cannot be read: {EVIL}"}
    answer.write_text(f"#!/usr/bin/python\nprint({json.dumps(said)!r})\n")
    page = play("fedops.flower.status", runtime_home=str(tmp_path / "home"))
    is_text_alone(page)
    assert f"WARNING. The records cannot be read: {SHOWN}" in page
    assert "none yet" not in page


@pytest.mark.parametrize(
    ("book", "told"),
    [
        ("stop", {"flower_training": "t", "flower_status": SHOWN}),
        ("quiesce", {"flower_quiesced": [SHOWN]}),
        ("resume", {"flower_resumed": [SHOWN]}),
    ],
)
def test_what_a_workflow_is_handed_is_text(play, tmp_path, book, told) -> None:
    said = play(f"fedops.flower.{book}", runtime_home=str(tmp_path / "home"))
    is_text_alone(said)
    assert statistics(said) == told


def test_the_result_of_a_training_is_told_as_text(play, tmp_path) -> None:
    book, told = tmp_path / "report.yml", tmp_path / "told.json"
    book.write_text(json.dumps(REPORT))
    said = play(str(book), told=str(told))
    is_text_alone(said)
    assert said.count(SHOWN) > 4
    found = statistics(said)
    assert (found["flower_status"], found["flower_details"], found["flower_restart_reasons"]) == (SHOWN, SHOWN, [SHOWN])
    assert (found["flower_checkpoint"], found["flower_checkpoint_sha256"]) == (SHOWN, SHOWN)
    assert told.read_text() == EVIL  # a variable and a file keep what they are given, and nothing is made of it


def test_a_training_that_fails_is_told_by_a_sentence_and_the_end_of_its_log(play, tmp_path) -> None:
    plan = {**TRAINING, "status": "running", "submitted": False, "changed": False}
    failed = {**plan, "status": "failed", "failed": True, "msg": "t: run 1 failed: no data", "log_tail": [EVIL]}
    (tmp_path / "collections/ansible_collections/fedops/flower/plugins/modules/training.py").write_text(
        "#!/usr/bin/python\n# WANT_JSON\nimport json, sys\n"
        'rehearses = json.load(open(sys.argv[1]))["_ansible_check_mode"]\n'
        f"print(json.dumps(json.loads({json.dumps(plan)!r} if rehearses else {json.dumps(failed)!r})))\n"
    )
    given = Training.from_variables({"fl_training_name": "t"}).values
    asked = {**REPORT[0]["vars"]["__training_asked"], "run_config": "", "training": given}
    values = {**REPORT[0]["vars"], "__training_asked": asked, "app_home": "/nowhere", "app_deployed": {"path": "/a"}}
    train, report = (role("training", f"{name}.yml") for name in ("supervise", "report"))
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{**REPORT[0], "vars": values, "tasks": [{"block": [train], "always": [report]}]}]))
    said = play(str(book))
    is_text_alone(said)
    assert f"t: run 1 failed: no data\n{SHOWN}\n" in said
    assert "checkpoint_problem" not in said  # of a round
    found = statistics(said)
    assert (found["flower_status"], found["flower_details"]) == ("failed", SHOWN)


def role(name: str, file: str) -> dict:
    return {"ansible.builtin.include_role": {"name": f"fedops.flower.{name}", "tasks_from": file}}


@pytest.mark.parametrize(
    "task",
    [
        role("certificates", "trust.yml"),
        role("runtime", "install.yml"),
        {"fedops.flower.venv": {"path": "/nowhere/venv", "lock": LOCK, "uv_lock": LOCK}},
        {"ansible.builtin.debug": {"msg": "{{ ['sl'] | fedops.flower.supernode_names(hostvars) }}"}},
    ],
    ids=["certificates", "runtime", "venv", "names"],
)
def test_a_host_does_not_choose_what_the_controller_does_by_answering_with_facts(play, tmp_path, task) -> None:
    book = tmp_path / "book.yml"
    book.write_text(then(task))
    said = play(
        str(book), "--check", home=str(tmp_path / "home")
    )  # nothing is done to this host where it is not refused
    assert (
        "sl has answered with facts that would take the place of the inventory: certificates_ca_certificate,"
        " runtime_lock, supernode_instances. Do not trust this host until you know why"
    ) in said
    assert "failed=1" in said
    assert not (tmp_path / "home").exists()
