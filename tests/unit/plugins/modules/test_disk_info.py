# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding disks by what lsblk and wipefs say; files stand in for the devices."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

MIB = 1 << 20


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A host with an empty disk, one of ours, and one of somebody else."""

    def row(name: str, serial: str, content: bytes = b"") -> dict:
        path = tmp_path / name
        path.write_bytes(content.ljust(32 * MIB, b"\0"))
        return {
            "path": str(path),
            "type": "disk",
            "size": 32 * MIB,
            "ro": False,
            "serial": serial,
            "mountpoints": [None],
        }

    rows = [row("empty", "S1"), row("ours", "S2", b"x"), row("theirs", "S3", b"x"), row("noise", "S4", b"x")]
    rows.append({**rows[0], "path": "/dev/no-node-here"})
    signatures = {
        "ours": [{"type": "ext4", "label": "flower-ckpt", "uuid": "u-2"}],
        "theirs": [{"type": "ext4", "label": "photos", "uuid": "u-3"}],
    }
    commands = tmp_path / "bin"
    commands.mkdir()
    (tmp_path / "lsblk.json").write_text(json.dumps({"blockdevices": rows}))
    (commands / "lsblk").write_text(f"#!/bin/sh\ncat {tmp_path}/lsblk.json\n")
    for name in ("empty", "ours", "theirs", "noise"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"signatures": signatures.get(name, [])}))
    (commands / "wipefs").write_text('#!/bin/sh\nfor disk in "$@"; do :; done\ncat "$disk.json"\n')
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(
    ("device", "name", "action", "uuid"),
    [
        ("{}/empty", "empty", "format", None),
        ("SERIAL=S1", "empty", "format", None),
        ("SERIAL=S2", "ours", "use", "u-2"),
        ("LABEL=flower-ckpt", "ours", "use", "u-2"),
        ("UUID=u-2", "ours", "use", "u-2"),
    ],
)
def test_a_disk_is_found_by_any_of_its_names(run_module, host, device, name, action, uuid) -> None:
    result = run_module("disk_info", device=device.format(host))
    assert result == {
        "changed": False,
        "device": str(host / name),
        "action": action,
        "uuid": uuid,
        "label": "flower-ckpt",
        "size": 32 * MIB,
    }


@pytest.mark.parametrize("device", ["{}/ours", "LABEL=flower-ckpt", "UUID=u-2"])
def test_a_raid_of_two_disks_is_one_disk(run_module, host, device) -> None:
    tree = json.loads((host / "lsblk.json").read_text())["blockdevices"]
    raid = {**tree[1], "type": "raid1", "serial": None}
    members = [{**tree[0], "children": [raid]}, {**tree[3], "children": [raid]}]
    (host / "lsblk.json").write_text(json.dumps({"blockdevices": members}))
    assert run_module("disk_info", device=device.format(host))["device"] == str(host / "ours")


def test_a_disk_that_is_mounted_below_a_link_is_known_again(run_module, host) -> None:
    (host / "data/checkpoints").mkdir(parents=True)
    (host / "opt").symlink_to(host / "data")
    tree = json.loads((host / "lsblk.json").read_text())["blockdevices"]
    tree[1]["mountpoints"] = [str((host / "data/checkpoints").resolve())]
    (host / "lsblk.json").write_text(json.dumps({"blockdevices": tree}))
    assert run_module("disk_info", device="SERIAL=S2", mount_point=str(host / "opt/checkpoints"))["action"] == "use"
    assert "it is mounted on" in run_module("disk_info", device="SERIAL=S2", mount_point=str(host / "opt/other"))["msg"]


def test_a_link_leads_to_its_disk(run_module, host) -> None:
    (host / "by-id").symlink_to(host / "ours")
    assert run_module("disk_info", device=str(host / "by-id"))["device"] == str(host / "ours")


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("SERIAL=S3", "ext4 with the label 'photos'"),
        ("SERIAL=S4", "are not zeros"),
        ("SERIAL=S5", "this host has no such disk"),
        ("ID=virtio-1", "this host has no such disk"),
        ("/dev/nonsense", "this host has no such disk"),
        ("nonsense", "must be a path"),
    ],
)
def test_a_disk_that_cannot_be_had_fails_and_stays_as_it_is(run_module, host, device, said) -> None:
    before = {path: path.read_bytes() for path in host.iterdir() if path.is_file()}
    result = run_module("disk_info", device=device)
    assert result["failed"]
    assert said in result["msg"]
    assert {path: path.read_bytes() for path in host.iterdir() if path.is_file()} == before


def test_somebody_elses_file_system_is_adopted_when_that_is_wished(run_module, host) -> None:
    result = run_module("disk_info", device="SERIAL=S3", adopt=True)
    assert (result["action"], result["uuid"]) == ("use", "u-3")


def test_a_tool_that_fails_is_named(run_module, host) -> None:
    (host / "bin/wipefs").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    result = run_module("disk_info", device="SERIAL=S1")
    assert "wipefs --json --no-act" in result["msg"]
    assert "failed: broken." in result["msg"]
