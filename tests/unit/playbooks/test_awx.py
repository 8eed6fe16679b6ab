# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that sets up AWX, with the modules of awx.awx, against a double of AWX's API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from ..plays import play_in
from .awx_double import Awx, serving

ROOT = Path(__file__).resolve().parents[3]
CONSOLES = {"awx", "first_boot", "opennebula"}
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if path.stem not in CONSOLES)
ASKED = {
    "awx_prefix": "Hospital",
    "awx_execution_environment": "registry.example.org/flower-ee:1",
    "awx_superlink": "hub.example.org",
    "awx_supernodes": ["site-1.example.org", "site-2.example.org"],
    "awx_strategies": ["FedProx"],
    "awx_credentials": ["Hosts"],
}


@pytest.fixture(scope="module")
def awx() -> Awx:
    awx = Awx([f"playbooks/{name}.yml" for name in PLAYBOOKS])
    awx.answer("POST", "/api/v2/credentials/", {}, {"name": "Hosts"})
    return awx


def set_up(folder: Path, address: str, *how: str, **asked: object) -> subprocess.CompletedProcess[str]:
    variables = json.dumps({**ASKED, **asked})
    where = {"CONTROLLER_HOST": address, "CONTROLLER_OAUTH_TOKEN": "secret"} if address else {}
    return play_in(folder, "fedops.flower.awx", "-i", "localhost,", "-e", variables, *how, more=where, timeout=900)


@pytest.fixture(scope="module")
def made(awx: Awx, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """What a rehearsal, a first run, a second one, and another rehearsal say and what calls they made."""
    folder = tmp_path_factory.mktemp("awx")
    found = {}
    with serving(awx) as address:
        for name, how in {"rehearsed": ["--check"], "first": [], "second": [], "again": ["--check"]}.items():
            awx.written.clear()
            done = set_up(folder, address, *how)
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
            found[name] = done.stdout, list(awx.written)
    return found


def test_a_second_run_changes_nothing_and_a_rehearsal_calls_nothing(made) -> None:
    assert made["rehearsed"][1] == made["second"][1] == made["again"][1] == []
    assert [name for name, (said, _calls) in made.items() if "changed=0 " in said] == ["second", "again"]


def test_a_first_run_makes_everything(made, awx: Awx) -> None:
    templates = awx.named("job_templates")
    assert templates.keys() == {f"Hospital {name}" for name in [*PLAYBOOKS, "train FedProx"]}
    assert set(awx.named("credential_types")) == {
        "Hospital certificate authority", "Hospital mirror", "Hospital backup vault",
    }  # fmt: skip
    surveys = {name: awx.surveys.get(("job_templates", template["id"])) for name, template in templates.items()}
    assert {name for name, survey in surveys.items() if survey} == {
        f"Hospital {name}" for name in ("simulate", "smoke", "train", "train FedProx")
    }
    assert json.loads(templates["Hospital train FedProx"]["extra_vars"]) == {"fl_strategy": "FedProx"}
    hosts = {
        name: [awx.objects["hosts"][one]["name"] for one in awx.associated["groups", group["id"], "hosts"]]
        for name, group in awx.named("groups").items()
    }
    assert hosts == {"superlink": ["hub.example.org"], "supernodes": ["site-1.example.org", "site-2.example.org"]}
    (inventory,) = awx.objects["inventories"].values()
    assert json.loads(inventory["variables"])["backup_age_identity"] == (
        "{{ lookup('ansible.builtin.env', 'FLOWER_AGE_IDENTITY') }}"
    )


def test_the_workflow_trains_only_after_a_round_and_removes_only_after_an_approval(made, awx: Awx) -> None:
    nodes = awx.named("workflow_job_template_nodes")
    names = {node["id"]: name for name, node in nodes.items()}
    then = {
        (names[number], how): [names[other] for other in others]
        for (kind, number, how), others in awx.associated.items()
        if kind == "workflow_job_template_nodes" and others
    }
    assert then == {
        ("smoke", "success_nodes"): ["train"],
        ("train", "always_nodes"): ["report"],
        ("report", "success_nodes"): ["approval"],
        ("approval", "success_nodes"): ["teardown"],
    }
    (approval,) = awx.objects["workflow_approval_templates"].values()
    assert nodes["approval"]["unified_job_template"] == approval["id"]


@pytest.mark.parametrize(
    ("address", "asked", "told"),
    [
        ("", {}, "CONTROLLER_HOST is unset."),
        ("http://127.0.0.1:9", {"awx_execution_environment": ""}, "awx_execution_environment is unset."),
        ("http://127.0.0.1:9", {"awx_superlink": None}, "awx_superlink is unset."),
    ],
)
def test_what_is_missing_is_told_before_anything_is_made(tmp_path: Path, address: str, asked: dict, told: str) -> None:
    done = set_up(tmp_path, address, **asked)
    assert (done.returncode, told in done.stdout) == (2, True)


def test_every_playbook_has_a_template() -> None:
    given = yaml.safe_load((ROOT / "playbooks/vars/awx.yml").read_text("utf-8"))
    assert sorted(given["__awx_playbooks"]) == [
        name for name in PLAYBOOKS if name not in ("simulate", "smoke", "train")
    ]
