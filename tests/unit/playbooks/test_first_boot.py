# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of OpenNebula deploys itself: what its context leads to, and the unit that begins it."""

from __future__ import annotations

import base64
import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from ..plays import play_in

ROOT = Path(__file__).resolve().parents[3]
UNIT = ROOT / "files" / "first_boot" / "flower-first-boot.service"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
AUTHORITY = base64.b64encode(CERTIFICATE.encode()).decode()
NOBODY = json.dumps({"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1})


def booted(folder: Path, context: dict[str, str], *how: str) -> tuple[int, str]:
    for name in ("context", "boot"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    lines = "".join(f"{name}='{value}'\n" for name, value in context.items())
    (folder / "context" / "context.sh").write_text(lines)
    where = {
        "first_boot_context": str(folder / "context"),
        "first_boot_directory": str(folder / "boot"),
        "ansible_become": False,
    }
    done = play_in(folder, "fedops.flower.first_boot", "-e", json.dumps(where), *how)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("context", "playbook", "groups"),
    [
        (
            {"FL_STRATEGY": "Krum", "FL_NUM_MALICIOUS": "1"},
            "site",
            {"superlink": {"here": {"opennebula_context": True}}, "supernodes": None},
        ),
        (
            {
                "ONEAPP_FL_SUPERLINK_ADDRESS": "192.0.2.10:9443",
                "FL_SUPERLINK_CA": AUTHORITY,
                "FL_NODE_CONFIG": 'partition-id=0 site="Hospital A" part=x',
            },
            "join",
            {
                "superlink": {"192.0.2.10": {"superlink_fleet_port": 9443}},
                "supernodes": {
                    "here": {
                        "opennebula_context": True,
                        "supernode_node_config": {"partition-id": 0, "site": "Hospital A", "part": "x"},
                    }
                },
            },
        ),
        (
            {"FL_ROLE": "SuperNode", "FL_SUPERLINK_ADDRESS": "hub.example.org", "FL_SUPERLINK_CA": AUTHORITY},
            "join",
            {
                "superlink": {"hub.example.org": {}},
                "supernodes": {"here": {"opennebula_context": True, "supernode_node_config": {}}},
            },
        ),
    ],
    ids=["superlink", "supernode", "role"],
)
def test_a_context_becomes_an_inventory_that_its_playbook_takes(
    tmp_path: Path, context: dict, playbook: str, groups: dict
) -> None:
    status, said = booted(tmp_path, context)
    assert status == 0, said
    boot = tmp_path / "boot"
    found = yaml.safe_load((boot / "machine.yml").read_text())
    hosts = {group: found[group].get("hosts") for group in ("superlink", "supernodes")}
    here = next(iter((hosts["supernodes"] or hosts["superlink"]).keys()))
    assert json.loads(json.dumps(hosts).replace(json.dumps(here), '"here"')) == groups
    assert (boot / "environment").read_text() == f"FLOWER_PLAYBOOK={playbook}\n"
    if playbook == "join":
        assert (boot / "ca.crt").read_text() == CERTIFICATE
    done = play_in(tmp_path, "--check", "-i", boot / "machine.yml", f"fedops.flower.{playbook}", "-e", NOBODY)
    assert f"{here}]: UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert not re.search("failed=[1-9]", done.stdout), done.stdout


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"FL_ROLE": "client"}, ["FL_ROLE is client but must be superlink or supernode."]),
        ({"FL_ROLE": "supernode"}, ["FL_SUPERLINK_ADDRESS is unset.", "FL_SUPERLINK_CA must be the file ca.crt"]),
        ({"FL_SUPERLINK_ADDRESS": "192.0.2.10", "FL_SUPERLINK_CA": "bm9uZQ=="}, ["FL_SUPERLINK_CA must be the file"]),
    ],
)
def test_what_a_context_lacks_is_told_and_nothing_is_written(tmp_path: Path, context: dict, told: list[str]) -> None:
    status, said = booted(tmp_path, context)
    assert (status, [each for each in told if each not in said]) == (2, [])
    assert list((tmp_path / "boot").iterdir()) == []


def test_the_unit_runs_what_there_is_once() -> None:
    unit = configparser.RawConfigParser(strict=False)
    # systemd tells letters of either case apart; that a method is set like this, its types do not allow.
    unit.optionxform = str
    unit.read(UNIT)
    service = unit["Service"]
    begins = re.findall(r"fedops\.flower\.(\w+)$", service["ExecStartPre"])
    assert begins == ["first_boot"]
    assert (ROOT / "playbooks" / f"{begins[0]}.yml").is_file()
    done = unit["Unit"]["ConditionPathExists"].removeprefix("!")
    folder = f"/var/lib/{service['StateDirectory']}"
    assert (service["ExecStartPost"].split()[-1], done) == (f"{folder}/done", f"{folder}/done")
    assert f"-i {folder}/machine.yml fedops.flower.${{FLOWER_PLAYBOOK}}" in service["ExecStart"]
    assert service["EnvironmentFile"] == f"-{folder}/environment"
    places = yaml.safe_load((ROOT / "playbooks" / "vars" / "first_boot.yml").read_text())
    assert folder in places["__boot_folder"]
    assert (service["Type"], service["Restart"]) == ("oneshot", "on-failure")
