# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that makes a federation's machines, with pyone and community.general, against a double of OpenNebula."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from ..plays import play_in
from .opennebula_double import POWEROFF, OpenNebula, listed, serving

PAGE = Path(__file__).resolve().parents[3] / "docs" / "opennebula.md"
ASKED = {
    "opennebula_name": "ward",
    "opennebula_template": "Debian 12",
    "opennebula_networks": ["federation"],
    "opennebula_superlink_context": {"FL_STRATEGY": "FedProx", "FL_NUM_ROUNDS": 10, "FL_CHECKPOINT_ENABLED": True},
    "opennebula_superlink_attributes": {"memory": 4096},
}
BASE = {"CPU": "0.5", "MEMORY": "2048", "CONTEXT": {"SSH_PUBLIC_KEY": 'ssh-ed25519 "A" \\B'}, "LOGO": "debian.svg"}


def cloud_with(hosts: int = 9) -> OpenNebula:
    cloud = OpenNebula(hosts)
    image = cloud.add_image("Debian 12", {}, 4096, persistent=False)
    for name in ("lan", "federation"):
        cloud.add("vn", name)
    cloud.add("template", "Debian 12", {**BASE, "DISK": {"IMAGE_ID": str(image)}, "NIC": {"NETWORK": "lan"}})
    return cloud


def play(folder: Path, address: str, *how: str, **asked: object) -> subprocess.CompletedProcess[str]:
    where = {"ONE_URL": address, "ONE_USERNAME": "oneadmin", "ONE_PASSWORD": "secret"} if address else {}
    variables = json.dumps({**ASKED, **asked})
    return play_in(
        folder, "fedops.flower.opennebula", "-i", "localhost,", "-e", variables, *how, more=where, timeout=300
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory):
    """What each run of a federation's life says, what calls it made, and what there is then."""
    folder, cloud = tmp_path_factory.mktemp("opennebula"), cloud_with()
    found = {}
    runs = {
        "rehearsed": (["--check"], {}),
        "first": ([], {}),
        "again": (["--check"], {"opennebula_supernodes": 1}),
        "second": ([], {}),
        "in": ([], {"opennebula_supernodes": 1, "opennebula_scale_in": True}),
        "removed": ([], {"opennebula_state": "absent"}),
        "back": ([], {"opennebula_supernodes": 3}),
    }
    with serving(cloud) as address:
        for name, (how, asked) in runs.items():
            cloud.written.clear()
            if name == "second":
                cloud.named("vm")["ward-supernode-2"].update(STATE=POWEROFF, LCM_STATE=0)
            done = play(folder, address, *how, **asked)
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
            there = {kind: cloud.named(kind) for kind in cloud.objects}
            found[name] = done.stdout + done.stderr, list(cloud.written), json.loads(json.dumps(there))
    return found


def test_a_first_run_makes_everything(story) -> None:
    _said, calls, there = story["first"]
    assert there["vm"].keys() == {"ward-superlink", "ward-supernode-1", "ward-supernode-2"}
    superlink, supernode = there["vm"]["ward-superlink"], there["vm"]["ward-supernode-1"]
    assert superlink["TEMPLATE"]["CONTEXT"] == {
        **BASE["CONTEXT"], "NETWORK": "YES", "TOKEN": "YES", "REPORT_READY": "NO", "SET_HOSTNAME": "$NAME",
        "FL_STRATEGY": "FedProx", "FL_NUM_ROUNDS": "10", "FL_CHECKPOINT_ENABLED": "YES",
    }  # fmt: skip
    assert "FL_STRATEGY" not in supernode["TEMPLATE"]["CONTEXT"]
    assert [nic["NETWORK"] for nic in listed(superlink["TEMPLATE"]["NIC"])] == ["federation"]
    disk = there["image"]["ward-checkpoints"]
    assert [each["IMAGE_ID"] for each in superlink["TEMPLATE"]["DISK"]][1:] == [str(disk["ID"])]
    assert (disk["PERSISTENT"], disk["SIZE"], len(supernode["TEMPLATE"]["DISK"])) == (1, 10240, 1)
    assert (superlink["TEMPLATE"]["MEMORY"], supernode["TEMPLATE"]["MEMORY"]) == ("4096", "2048")
    assert superlink["USER_TEMPLATE"]["LABELS"] == "ward,superlink"
    assert supernode["USER_TEMPLATE"]["LABELS"] == "ward,supernodes"
    group = there["vmgroup"]["ward"]
    assert {each["NAME"]: each["POLICY"] for each in group["ROLES"]["ROLE"]} == dict.fromkeys(
        ["superlink", "supernode"], "ANTI_AFFINED"
    )
    assert group["TEMPLATE"] == {"ANTI_AFFINED": "superlink,supernode"}
    assert supernode["TEMPLATE"]["VMGROUP"] == {"VMGROUP_ID": str(group["ID"]), "ROLE": "supernode"}
    assert calls.count("template.instantiate") == 3


def test_rehearsals_call_nothing_and_a_second_run_only_starts_what_rests(story) -> None:
    assert (story["rehearsed"][1], story["again"][1]) == ([], [])
    assert story["second"][1] == ["vm.action"]
    assert story["second"][2] == story["first"][2]
    assert "changed=0 " in story["again"][0]


def test_machines_are_terminated_only_where_that_is_asked_for(story) -> None:
    assert "Too many, and kept: ward-supernode-2." in story["again"][0]
    assert story["in"][2]["vm"].keys() == {"ward-superlink", "ward-supernode-1"}
    assert story["back"][2]["vm"].keys() >= {"ward-supernode-2", "ward-supernode-3"}


def test_absent_keeps_the_disk_and_a_new_superlink_gets_it(story) -> None:
    before, removed, back = (story[name][2] for name in ("first", "removed", "back"))
    assert (removed["vm"], removed["vmgroup"]) == ({}, {})
    assert (removed["template"].keys(), removed["image"].keys()) == ({"Debian 12"}, {"Debian 12", "ward-checkpoints"})
    assert "The image ward-checkpoints keeps the checkpoints;" in story["removed"][0]
    assert back["vm"]["ward-superlink"]["TEMPLATE"]["DISK"][1]["IMAGE_ID"] == str(
        before["image"]["ward-checkpoints"]["ID"]
    )


def test_what_it_returns_are_the_addresses(story) -> None:
    said = story["first"][0]
    told = json.loads(said.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2].partition("\n\n")[0])
    assert told["flower_machines"].keys() == {"ward-superlink", "ward-supernode-1", "ward-supernode-2"}
    assert all(address.startswith("192.0.2.") for address in told["flower_machines"].values())


def test_no_run_tells_the_password(story) -> None:
    assert [name for name, (said, *_rest) in story.items() if "secret" in said] == []


def test_all_that_is_wrong_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    wrong = {
        "opennebula_template": "",
        "opennebula_name": "Ward A",
        "opennebula_supernodes": "two",
        "opennebula_disk_size": "10 GB",
    }
    done = play(tmp_path, "", **wrong)
    told = [
        "ONE_URL, ONE_USERNAME or ONE_PASSWORD is unset.",
        "opennebula_template is unset.",
        "opennebula_name is Ward A but must be of small letters",
        "opennebula_supernodes is two but must be a number of machines",
        "opennebula_disk_size is 10 GB but must be a number of megabytes.",
    ]
    assert (done.returncode, [each for each in told if each not in done.stdout]) == (2, [])


def test_another_state_is_refused(tmp_path: Path) -> None:
    done = play(tmp_path, "http://127.0.0.1:9/RPC2", opennebula_state="gone")
    assert (done.returncode, "opennebula_state is gone but must be present or absent." in done.stdout) == (2, True)


def test_a_machine_without_a_host_is_named(tmp_path: Path) -> None:
    with serving(cloud_with(hosts=2)) as address:
        done = play(tmp_path, address, opennebula_timeout=5)
    told = "Not every machine of ward runs after 5 seconds: ward-supernode-2 is PENDING."
    assert (done.returncode, told in done.stdout) == (2, True), done.stdout


def test_the_inventory_of_the_docs_finds_the_machines_by_their_labels(tmp_path: Path) -> None:
    """The site is checked until a host is asked; nobody answers at these addresses."""
    text = re.search(r"```yaml\n# (ward\.opennebula\.yml)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert text is not None
    inventory = tmp_path / text.group(1)
    inventory.write_text(text.group(2))
    with serving(cloud_with()) as address:
        play(tmp_path, address, opennebula_timeout=10)
        where = {"ONE_URL": address, "ONE_USERNAME": "oneadmin", "ONE_PASSWORD": "secret"}
        nobody = {"ansible_host": "127.0.0.1", "ansible_port": 1, "certificates_ca_directory": str(tmp_path)}
        how = ["fedops.flower.site", "-i", inventory, "-e", json.dumps(nobody)]
        listed_hosts = play_in(tmp_path, *how, "--list-hosts", "--tags", "supernode", more=where)
        done = play_in(tmp_path, *how, "--check", more=where)
    deployed = listed_hosts.stdout.partition("Deploy the SuperNodes")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^ {6}(\S+)$", deployed, re.MULTILINE)) == ["ward-supernode-1", "ward-supernode-2"]
    assert "ward-superlink]: UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert "read_context.yml for ward-superlink" in done.stdout
    assert not re.search("failed=[1-9]", done.stdout)
