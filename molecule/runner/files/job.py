# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook of the collection as AWX runs a job, and tell what AWX would know of it.

A job has a folder of its own with a project, an inventory, and extra variables in which every text is marked as unsafe.
ansible-runner runs it without a terminal of ours; what comes back are events.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ansible_runner
import yaml

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")

# What AWX adds to the answers of a survey.
OWN_VARIABLES = {
    f"{prefix}_{name}": value
    for prefix in ("awx", "tower")
    for name, value in {
        "job_id": 1,
        "job_launch_type": "manual",
        "job_template_id": 7,
        "job_template_name": "train",
        "project_revision": "0" * 40,
        "project_scm_branch": "",
        "inventory_id": 1,
        "inventory_name": "federation",
        "user_id": 1,
        "user_name": "admin",
        "user_email": "",
    }.items()
}
# And the environment of its jobs, as far as Ansible heeds it.
ENVIRONMENT = {
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "MAX_EVENT_RES": "700000",
}
ANSWER = "answer.json"


class Unsafe(str):
    """A text that is not to be taken for a template."""


class Dumper(yaml.SafeDumper):
    """Marks what is unsafe."""


Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def unsafe(value: Any) -> Any:
    """Mark every text, as AWX does with what people have typed."""
    if isinstance(value, str):
        return Unsafe(value)
    if isinstance(value, Mapping):
        return {key: unsafe(item) for key, item in value.items()}
    return [unsafe(item) for item in value] if isinstance(value, list) else value


def prepare(folder: Path, playbook: str, inventory: Path, answers: Mapping[str, Any]) -> None:
    """Make the folder of a job."""
    for name in ("project", "inventory", "env"):
        (folder / name).mkdir(parents=True)
    play = [{"ansible.builtin.import_playbook": f"fedops.flower.{playbook}"}]
    (folder / "project" / "job.yml").write_text(yaml.safe_dump(play))
    (folder / "inventory" / "hosts.yml").write_text(inventory.read_text())
    variables = yaml.dump({**unsafe(answers), **unsafe(OWN_VARIABLES)}, Dumper=Dumper)
    (folder / "env" / "extravars").write_text(variables)


class Killer:
    """Kills a job with everything that it has started here, at a line of its output."""

    def __init__(self, line: str, after: float) -> None:
        self.line, self.after, self.killed = line, after, False

    def __call__(self, event: Mapping[str, Any]) -> bool:
        if self.line and not self.killed and self.line in plain(str(event.get("stdout", ""))):
            time.sleep(self.after)
            for child in children():
                os.killpg(child, signal.SIGKILL)
            self.killed = True
        return True


def children() -> list[int]:
    """Return our own children; ansible-runner makes each the first of a group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and int(fields[2]) == int(path.parent.name):
            found.append(int(path.parent.name))
    return found


def plain(text: str) -> str:
    """Return a text without colours."""
    return COLOUR.sub("", text).replace("\r\n", "\n")


def told(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the events of a job say."""
    lines: list[str] = []
    statistics: dict[str, Any] | None = None
    everything = ""
    for event in events:
        lines += plain(str(event.get("stdout", ""))).splitlines()
        everything += json.dumps(event) + "\n"
        if event.get("event") == "playbook_on_stats":
            statistics = event["event_data"].get("artifact_data")
    return {
        "statistics": statistics,
        "lines": lines,
        "control_characters": [line for line in lines if CONTROL.search(line)],
        "private_keys": len(PRIVATE_KEY.findall(everything)),
        "not_a_number": sorted(set(re.findall(r"\b(?:NaN|-?Infinity)\b", everything))),  # PostgreSQL refuses them
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("playbook")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--answers", type=json.loads, default={})
    parser.add_argument("--kill-at", default="", help="a part of a line")
    parser.add_argument("--kill-after", type=float, default=0.0, help="seconds after that line")
    options = parser.parse_args()
    prepare(options.folder, options.playbook, options.inventory, options.answers)
    killer = Killer(options.kill_at, options.kill_after)
    runner = ansible_runner.run(
        private_data_dir=str(options.folder),
        playbook="job.yml",
        ident="1",
        quiet=True,
        envvars=ENVIRONMENT,
        event_handler=killer,
    )
    answer = {"status": runner.status, "rc": runner.rc, "killed": killer.killed, **told(runner.events)}
    written = options.folder / "answer"
    written.write_text(json.dumps(answer))
    written.rename(options.folder / ANSWER)


if __name__ == "__main__":
    main()
