# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job of the scenario runner: what it gives to Ansible, what it sees in events, and whom it kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

sys.path.insert(0, str(Path(__file__).parents[3] / "molecule" / "runner" / "files"))

import job

QUIET = {"statistics": None, "lines": [], "control_characters": [], "private_keys": 0, "not_a_number": []}


def test_a_job_has_its_project_its_inventory_and_answers_that_are_no_templates(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all: {}\n")
    job.prepare(tmp_path / "job", "train", inventory, {"fl_num_rounds": "2", "fl_training_name": "{{ 1 }}", "n": 3})
    play = yaml.safe_load((tmp_path / "job/project/job.yml").read_text())
    assert play == [{"ansible.builtin.import_playbook": "fedops.flower.train"}]
    assert (tmp_path / "job/inventory/hosts.yml").read_text() == "all: {}\n"
    assert "fl_num_rounds: !unsafe '2'\n" in (tmp_path / "job/env/extravars").read_text()
    variables = DataLoader().load_from_file(str(tmp_path / "job/env/extravars"))
    assert {name: variables[name] for name in ("fl_training_name", "n", "awx_job_id")} == {
        "fl_training_name": "{{ 1 }}",
        "n": 3,
        "awx_job_id": 1,
    }


def test_lines_are_told_without_colours_and_statistics_as_they_are() -> None:
    events = [
        {"stdout": "\x1b[0;32mok: [h]\x1b[0m\r\n  more"},
        {"event": "playbook_on_stats", "event_data": {"artifact_data": {"flower_rounds": 2}}},
    ]
    assert job.told(events) == {**QUIET, "lines": ["ok: [h]", "  more"], "statistics": {"flower_rounds": 2}}


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({"stdout": "a\x07b"}, {"lines": ["a\x07b"], "control_characters": ["a\x07b"]}),
        ({"res": "-----BEGIN OPENSSH PRIVATE KEY-----"}, {"private_keys": 1}),
        ({"res": float("nan")}, {"not_a_number": ["NaN"]}),
    ],
)
def test_what_must_not_be_in_events_is_seen(event, seen) -> None:
    assert job.told([event]) == {**QUIET, **seen}


def test_the_killer_waits_for_its_line_and_kills_groups_that_are_ours() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as ours:
        killer = job.Killer("round 1", 0)
        killer({"stdout": "started"})
        assert (killer.killed, ours.poll()) == (False, None)
        killer({"stdout": "default: \x1b[0mround 1/2"})
        assert (killer.killed, ours.wait()) == (True, -9)
