# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its action together: a package on the controller becomes what a channel of the registry names."""

from __future__ import annotations

import grp
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import model_promote as action
from ansible_collections.fedops.flower.plugins.module_utils._delivery.channels import open_channel
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._delivery.registry import Registry

from ..packages import certified, packed


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def packages(tmp_path_factory, authority):
    """Return packages of four rounds; the accuracy of the third is lower, and that of the fourth is not known."""
    metrics = [{"accuracy": 0.5}, {"accuracy": 0.7}, {"accuracy": 0.6}, {"accuracy": None, "loss": None}]
    folder = tmp_path_factory.mktemp("rounds")
    return [
        packed(folder / str(number), authority, number=number, **given) for number, given in enumerate(metrics, start=1)
    ]


@pytest.fixture
def promote(run_module, tmp_path, monkeypatch, authority):
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    sent: list[str] = []

    def run(package=None, check_mode=False, **given):
        def execute(module_args, task_vars):
            assert str(authority.private_key) not in json.dumps(module_args)  # nothing of the authority goes to a host
            return run_module("model_promote", check_mode=check_mode, **module_args)

        def transfer(local, remote):
            sent.append(remote)
            shutil.copy(local, remote)

        def make():
            (tmp_path / "remote").mkdir(exist_ok=True)
            return str(tmp_path / "remote")

        one = object.__new__(action.ActionModule)
        arguments = {
            "directory": str(tmp_path / "registry"),
            "group": grp.getgrgid(os.getegid()).gr_name,
            "ca_certificate": str(authority.certificate),
            "ca_private_key": str(authority.private_key),
            **({"package": str(package)} if package else {}),
            **given,
        }
        one._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        one._connection = SimpleNamespace(_shell=SimpleNamespace(join_path=os.path.join))
        one._execute_module, one._transfer_file, one._make_tmp_path = execute, transfer, make
        return one.run(task_vars={})

    run.registry, run.sent = tmp_path / "registry" / "models" / "tiny", sent
    return run


def named(promote, authority, channel: str):
    return open_channel(
        (promote.registry / "channels" / f"{channel}.json").read_bytes(), authority.pem, "tiny", channel
    )


def test_a_package_is_published_verified_and_named_only_once(promote, packages, authority) -> None:
    first = packages[0].name.removesuffix(".tar.gz")
    assert promote(packages[0], check_mode=True)["switched"] == {"stable": None, "latest": None}
    assert not promote.registry.exists()
    told = promote(packages[0])
    assert (told["changed"], told["package"], told["model"]) == (True, first, "tiny")
    assert (promote(packages[0])["changed"], len(promote.sent)) == (False, 3)
    published = promote.registry / "packages" / packages[0].name
    assert verify_package(str(published), Trust(authority.pem)).sha256 == told["sha256"]
    found = named(promote, authority, "stable")
    assert (found.package, found.sha256, found.size) == (first, told["sha256"], published.stat().st_size)
    assert (promote.registry / "channels" / "latest.tar.gz").read_bytes() == packages[0].read_bytes()


def test_what_a_channel_names_goes_to_another(promote, packages, authority) -> None:
    promote(packages[0])
    promote(packages[1], channels=["canary"])
    before = named(promote, authority, "stable")
    assert promote(model="tiny", from_channel="canary")["switched"] == {"stable": before.package}
    after = named(promote, authority, "stable")
    assert (after.package, after.serial > before.serial) == (named(promote, authority, "canary").package, True)
    back = promote(before.package, worse=True)
    assert back["switched"] == {"stable": after.package}
    assert named(promote, authority, "stable").serial > after.serial
    assert named(promote, authority, "latest").package == after.package


@pytest.mark.parametrize(
    ("number", "given", "message"),
    [
        (2, {}, "has accuracy 0.6 and is worse than tiny-2-"),
        (2, {"tolerance": 0.05}, "is worse than tiny-2-"),
        (3, {}, "has no metric to compare with tiny-2-"),
        (2, {"min_accuracy": 0.65, "worse": True}, "has accuracy 0.6, and promote_min_accuracy is 0.65."),
        (2, {"max_loss": 0.1, "worse": True}, "and promote_max_loss is 0.1."),
        (3, {"max_loss": 0.1, "worse": True}, "has no loss, and promote_max_loss is 0.1."),
    ],
)
def test_the_gate_keeps_out_what_is_not_good_enough(promote, packages, authority, number, given, message) -> None:
    promote(packages[1])
    with pytest.raises(AnsibleActionFail, match=message):
        promote(packages[number], **given)
    assert not (promote.registry / "packages" / packages[number].name).exists()
    assert named(promote, authority, "stable").package == packages[1].name.removesuffix(".tar.gz")


def test_what_is_only_published_or_meant_passes_the_gate(promote, packages, authority) -> None:
    promote(packages[1])
    assert list(promote(packages[3], channels=["latest"])["switched"]) == ["latest"]
    assert list(promote(packages[2], tolerance=0.11)["switched"]) == ["stable", "latest"]
    assert list(promote(packages[3], worse=True)["switched"]) == ["stable"]


def test_old_packages_go_unless_a_channel_names_them(promote, packages) -> None:
    promote(packages[0], channels=["pinned"])
    promote(packages[1], keep=1)
    removed = promote(packages[2], keep=1, worse=True)["removed"]
    assert removed == []  # the one before stays: a worker may be fetching it
    removed = promote(packages[3], keep=1, worse=True)["removed"]
    assert removed == [packages[1].name.removesuffix(".tar.gz")]
    registry = Registry(str(promote.registry.parents[1]), "tiny", (os.geteuid(), os.getegid()))
    assert list(registry.packages()) == [packages[n].name.removesuffix(".tar.gz") for n in (0, 2, 3)]
    there = {path.name for path in (promote.registry / "packages").iterdir()}
    assert there == {packages[number].name + ending for number in (0, 2, 3) for ending in ("", ".sig", ".crt")}
    listed = json.loads((promote.registry / "index.json").read_text())
    assert {one["package"] for one in listed["packages"]} == {
        packages[n].name.removesuffix(".tar.gz") for n in (0, 2, 3)
    }


def test_a_package_that_was_damaged_in_the_registry_is_published_again(promote, packages) -> None:
    promote(packages[0])
    there = promote.registry / "packages" / packages[0].name
    there.write_bytes(b"damaged")
    with pytest.raises(AnsibleActionFail, match="is damaged in the registry"):
        promote(model="tiny", from_channel="latest")
    assert promote(packages[0])["changed"]
    assert there.read_bytes() == packages[0].read_bytes()


def test_no_two_versions_of_a_file_have_one_second(promote, packages) -> None:
    """To nginx, which knows a file by its second and its size, they would be the same."""
    seen = []
    for number in (0, 1, 0, 1):
        promote(packages[number], worse=True)
        seen.append(int((promote.registry / "channels" / "stable.json").stat().st_mtime))
    assert sorted(set(seen)) == seen


def test_a_damaged_package_is_not_published(promote, packages, tmp_path) -> None:
    for ending in ("", ".sig", ".crt"):
        shutil.copy(f"{packages[0]}{ending}", tmp_path)
    with (tmp_path / packages[0].name).open("r+b") as stream:
        stream.seek(900)
        stream.write(b"\0\1\2")
    with pytest.raises(AnsibleActionFail, match="its signature is not of these bytes"):
        promote(tmp_path / packages[0].name)
    assert not promote.registry.exists()


def test_everything_that_is_wrong_with_what_is_asked_is_said_at_once(promote, tmp_path) -> None:
    with pytest.raises(AnsibleActionFail) as refused:
        promote(package="default", from_channel="canary", channels=["Stable"], keep=0)
    for said in ("'Stable'", "and not both", "NAME-ROUND-HASH8", "keep is 0"):
        assert said in str(refused.value)
    with pytest.raises(AnsibleActionFail, match="model is not set"):
        promote(from_channel="canary")
    with pytest.raises(AnsibleActionFail, match="names no package in the registry"):
        promote(from_channel="canary", model="tiny")
    with pytest.raises(AnsibleActionFail, match="is not in the registry. Name the file"):
        promote(package="tiny-9-01234567")


def test_a_host_that_is_no_registry_is_told(promote, packages) -> None:
    failed = promote(packages[0], group="no-such-group")
    assert failed["failed"]
    assert "fedops.flower.registry" in failed["msg"]
    assert Path(packages[0]).exists()
