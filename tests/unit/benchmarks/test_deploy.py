# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the deployment benchmark are those of what ran; the hosts themselves are left out here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import deploy
import pytest
from counting import Modules, invocations, modules_of
from deploy import Line, Run
from hosts import Cost

pytest.importorskip("matplotlib")

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

PLAYBOOK = """
- hosts: one,two
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - ansible.builtin.copy: {content: "text", dest: "{{ folder }}/{{ inventory_hostname }}", mode: "0600"}
    - ansible.builtin.stat: {path: "{{ folder }}/{{ item }}"}
      loop: [one, two]
      delegate_to: one
      when: inventory_hostname == "two"
    - ansible.builtin.debug: {msg: no module}
"""


def test_every_execution_is_counted_where_it_happened_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    rows = []
    for run in ("first", "again"):
        record = tmp_path / run
        subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", "one,two,", tmp_path / "playbook.yml",
             "-e", f"folder={tmp_path}"],
            check=True, capture_output=True,
            env={**os.environ, "ANSIBLE_HOME": str(tmp_path), "ANSIBLE_CALLBACKS_ENABLED": "count_modules",
                 "ANSIBLE_CALLBACK_PLUGINS": str(BENCHMARKS / "deploy/callbacks"), "COUNT_MODULES_FILE": str(record)},
        )  # fmt: skip
        rows.append([json.loads(line) for line in record.read_text().splitlines()])
    first, again = ([(row["module"], row["host"], row["on"]) for row in run if "module" in row] for run in rows)
    delegated = [("ansible.builtin.stat", "two", "one")] * 2
    copied = [(f"ansible.legacy.{name}", host, host) for host in ("one", "two") for name in ("stat", "copy")]
    assert sorted(first) == sorted([*copied, *delegated])
    looked = [(f"ansible.legacy.{name}", host, host) for host in ("one", "two") for name in ("stat", "file")]
    assert sorted(again) == sorted([*looked, *delegated])
    assert [[row["changed"] for row in run if "summary" in row] for run in rows] == [[1, 1], [0, 0]]


def row(host: str, on: str | None = None) -> dict[str, str]:
    return {"module": "m", "host": host, "on": on or host}


def test_executions_are_told_apart_by_where_they_ran_and_for_whom() -> None:
    rows = [
        row("link"), row("link", "localhost"), row("a"), row("a"), row("b"), row("b"), row("b"), row("a", "link"),
        {"summary": "link", "changed": 1},
    ]  # fmt: skip
    assert modules_of(rows, "link", ["a", "b"]) == Modules(1, 3, 1, 1, 8)


def test_a_journal_tells_of_modules_and_of_other_things() -> None:
    entries = [
        {"SYSLOG_IDENTIFIER": "ansible-ansible.legacy.stat", "MESSAGE": "Invoked with path=/"},
        {"SYSLOG_IDENTIFIER": "ansible-ansible.legacy.stat", "MESSAGE": "something else"},
        {"SYSLOG_IDENTIFIER": "sudo", "MESSAGE": "Invoked with care"},
        {"MESSAGE": [27, 91]},
    ]
    assert invocations("\n".join(map(json.dumps, entries)) + "\n") == 1


@pytest.mark.parametrize(
    ("ys", "line"),
    [([3.0, 21.0, 101.0], Line(1.0, 2.0, 1.0)), ([5.0, 5.0, 5.0], Line(5.0, 0.0, 1.0))],
)
def test_a_straight_line_is_found(ys: list[float], line: Line) -> None:
    assert Line.through([1, 10, 50], ys) == line


def test_what_is_bent_is_told_from_a_straight_line() -> None:
    assert Line.through([1, 10, 50], [1, 100, 2500]).r_squared < 0.99


def test_the_time_and_the_processor_time_of_all_descendants_are_measured(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    # One that is waited for, and one that goes on in the background and would outlive its parent.
    script = (
        f"{sys.executable} -c '{burn}'; setsid sh -c \"{sys.executable} -c '{burn}'; exec sleep 60\" & sleep 2; exit 3"
    )
    figures, log = tmp_path / "figures", tmp_path / "log"
    command = [sys.executable, BENCHMARKS / "measured.py", figures, log, "sh", "-c", script]
    code = subprocess.run(command, check=False, timeout=30).returncode
    told = json.loads(figures.read_text())
    assert code == 3
    assert 0.8 <= told["cpu_seconds"] < 2
    assert told["seconds"] >= 2


def content(**parts: Any) -> dict[str, Any]:
    cost, modules = Cost(60.0, 10.0, 50.0, 0.1), Modules(20, 9, 2, 5, 60)
    runs = [Run(cost, modules), Run(cost, modules)]
    compared = {
        "supernodes": 3, "pairs": 2, "ratio": {"median": 1.4, "lower_quartile": 1.3, "upper_quartile": 1.5},
        **{way: deploy._spreads([cost, cost]) for way in ("site", "by_hand", "again")},
        "modules": {"first": deploy._same(runs), "again": deploy._same(runs)},
    }  # fmt: skip
    fit = {"intercept": 1.0, "slope": 2.0, "r_squared": 1.0}
    rows = [
        {
            "supernodes": size,
            **{run: {"cost": {"controller_cpu_seconds": 1.0 + 2 * size}} for run in ("first", "again")},
        }
        for size in (1, 10)
    ]
    growth = {"runs": rows, "controller_cpu_seconds_fit": {"first": fit, "again": fit}}
    everything = {"comparison": compared, "growth": growth}
    return {name: everything[name] for name in parts or everything}


@pytest.mark.parametrize("parts", [{}, {"comparison": True}, {"growth": True}])
def test_what_has_been_measured_so_far_is_drawn(tmp_path: Path, parts: dict[str, bool]) -> None:
    deploy.draw(content(**parts), tmp_path / "deploy.png")
    assert (tmp_path / "deploy.png").read_bytes().startswith(b"\x89PNG")


def test_the_outcome_is_told_in_a_line() -> None:
    assert deploy.told(content()["comparison"]) == (
        "site.yml takes 1.40 times as long as the script (1.30 to 1.50, 2 pairs)   modules per SuperNode 9, again 9"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--pairs", "1"], "--pairs is 1 but must be at least 2"),
        (["--sizes", "3"], "--sizes is 3 but must be different numbers, at least two, from 1 on"),
        (["--sizes", "0", "5"], "--sizes is 0 5 but must be different numbers"),
    ],
)
def test_what_cannot_be_measured_is_told(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        deploy.main([*arguments, "--results", str(tmp_path)])
    assert (ended.value.code, complaint in capsys.readouterr().err, list(tmp_path.iterdir())) == (2, True, [])
