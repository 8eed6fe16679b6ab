# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a training variable was set, in a real play."""

from __future__ import annotations

import json
import sys

import yaml

from ...plays import play_in

NAMES = ("fl_training_name", "fl_checkpoint_path", "fl_num_rounds", "fl_seed", "fl_tau", "fl_use_case")


def test_it_reads_extra_variables_then_the_inventory_then_contexts(tmp_path) -> None:
    hosts = {
        "superlink": {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "called": "mine",
            "fl_training_name": "{{ called }}",
            "fl_num_rounds": 4,
            "runtime_home": "/srv/flower",
            "opennebula_context_found": {"FL_NUM_ROUNDS": "9", "FL_TAU": "0.5", "FL_SEED": "1"},
            "training_context": {"FL_CHECKPOINT_PATH": "/app/checkpoints/ours", "FL_SEED": "2"},
        }
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (tmp_path / "extra.yml").write_text("".join(f"{name}: !unsafe ''\n" for name in NAMES))
    kept = {"content": "{{ asked | to_json }}", "dest": str(tmp_path / "asked.json"), "mode": "0600"}
    asked = {name: f"{{{{ lookup('fedops.flower.asked', '{name}') }}}}" for name in NAMES}
    tasks = [{"name": "Keep", "ansible.builtin.copy": kept, "vars": {"asked": asked}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = play_in(tmp_path, "-i", "hosts.yml", "-e", "@extra.yml", "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "asked.json").read_text()) == {
        "fl_training_name": "mine",
        "fl_checkpoint_path": "/srv/flower/checkpoints/ours",
        "fl_num_rounds": 4,
        "fl_seed": 2,
        "fl_tau": 0.5,
        "fl_use_case": "",
    }
