# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the SuperNodes of a host, made by the real ssh-keygen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode.keys import Keys, KeysError


@pytest.fixture
def keys(home, run_module):
    """Run the module for a host that is named box."""
    (home.path / "certificates").mkdir()

    def run(*instances: str, **options) -> dict:
        return run_module("supernode_keys", host="box", instances=list(instances), **options)

    return run


def files(home) -> dict[str, str]:
    folder = home.path / "certificates"
    return {
        str(path.relative_to(folder)): oct(path.stat().st_mode & 0o777)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make(path: Path, *arguments: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-N", "", *arguments, "-f", str(path)], check=True)


def names(rows: list[dict]) -> list[str]:
    return [row["name"] for row in rows]


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give keys away")


def test_the_only_supernode_of_a_host_has_one_key_that_is_never_replaced(home, keys) -> None:
    first = keys()
    public = (home.path / "certificates" / "supernode_key.pub").read_text().strip()
    private = (home.path / "certificates" / "supernode_key").read_text()
    assert (first["changed"], first["supernodes"]) == (True, [{"name": "box", "public_key": public}])
    assert public.startswith("ecdsa-sha2-nistp384 ")
    assert private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert files(home) == {"supernode_key": "0o600", "supernode_key.pub": "0o644"}
    second = keys()
    assert (second["changed"], second["supernodes"], second["left"]) == (False, first["supernodes"], [])
    assert (home.path / "certificates" / "supernode_key").read_text() == private


def test_instances_have_a_key_each_and_none_gets_in_the_way_of_another(home, keys) -> None:
    first = keys("a", "a.key", "a.key.pub")
    assert names(first["supernodes"]) == ["a", "a.key", "a.key.pub"]
    assert len({row["public_key"] for row in first["supernodes"]}) == 3
    assert len(files(home)) == 6
    assert keys("a", "a.key", "a.key.pub")["changed"] is False
    one_more = keys("b", "a", "a.key", "a.key.pub")
    assert (one_more["changed"], one_more["supernodes"][1:]) == (True, first["supernodes"])


def test_a_key_that_is_left_over_is_told_until_it_is_purged(home, keys) -> None:
    had = keys("a", "b")["supernodes"]
    left = keys("a")
    assert (left["changed"], left["left"]) == (False, [had[1]])
    purged = keys("a", purge=True)
    assert (purged["changed"], purged["left"]) == (True, [had[1]])
    assert sorted(files(home)) == ["supernodes/a.key", "supernodes/a.key.pub"]
    again = keys("a", purge=True)
    assert (again["changed"], again["left"]) == (False, [])


def test_a_host_may_go_from_one_to_several_and_back(home, keys) -> None:
    single = keys()["supernodes"]
    assert keys("a", purge=True)["left"] == single
    assert sorted(files(home)) == ["supernodes/a.key", "supernodes/a.key.pub"]
    assert names(keys(purge=True)["left"]) == ["a"]
    assert sorted(path.name for path in (home.path / "certificates").iterdir()) == [
        "supernode_key",
        "supernode_key.pub",
    ]


def test_check_mode_tells_and_makes_nothing(home, keys) -> None:
    result = keys("a", check_mode=True)
    assert (result["changed"], result["supernodes"]) == (True, [{"name": "a", "public_key": ""}])
    assert result["diff"] == {"before": "", "after": "(to be made) a\n"}
    assert files(home) == {}
    keys("a")
    result = keys("b", check_mode=True, purge=True)
    assert names(result["left"]) == ["a"]
    assert sorted(files(home)) == ["supernodes/a.key", "supernodes/a.key.pub"]


def test_a_lost_public_half_and_a_wrong_mode_are_put_right(home, keys) -> None:
    before = keys()["supernodes"]
    folder = home.path / "certificates"
    (folder / "supernode_key.pub").unlink()
    (folder / "supernode_key").chmod(0o400)
    result = keys()
    assert (result["changed"], result["supernodes"]) == (True, before)
    assert files(home) == {"supernode_key": "0o600", "supernode_key.pub": "0o644"}
    assert keys()["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-t", "ed25519"], "is a key of type ssh-ed25519, but Flower takes ecdsa-sha2-nistp256,"),
        (["-t", "ecdsa", "-b", "384", "-m", "PEM"], "is not a private key in OpenSSH form, which Flower needs."),
    ],
)
def test_a_key_that_flower_cannot_use_is_refused_before_any_is_made(home, keys, arguments, reason) -> None:
    folder = home.path / "certificates" / "supernodes"
    folder.mkdir()
    make(folder / "b.key", *arguments)
    result = keys("a", "b")
    assert result["failed"] is True
    assert f"{folder / 'b.key'} {reason}" in result["msg"]
    assert "is not replaced" in result["msg"]
    assert not (folder / "a.key").exists()


def test_a_key_with_a_passphrase_is_refused(home, keys) -> None:
    make(home.path / "certificates" / "supernode_key", "-t", "ecdsa", "-b", "384", "-N", "secret")
    assert "is damaged or has a passphrase" in keys()["msg"]


def test_a_name_that_is_no_file_name_is_refused(home, keys) -> None:
    assert keys("../a", "b")["msg"].startswith("The name of a SuperNode is '../a' but must start with")
    assert files(home) == {}


def test_a_key_of_the_account_of_before_becomes_one_of_root_that_nobody_holds_open(home, keys) -> None:
    public = keys("a")["supernodes"]
    key = home.path / "certificates" / "supernodes" / "a.key"
    for path in (key, key.with_name("a.key.pub"), key.parent):
        os.chown(path, 49999, 49999)
    with key.open("r+") as held:
        result = keys("a")
        held.write("mine")
    assert (result["changed"], result["supernodes"]) == (True, public)
    assert [(path.stat().st_uid, path.stat().st_gid) for path in (key, key.with_name("a.key.pub"), key.parent)] == [
        (0, 0)
    ] * 3
    assert keys("a")["changed"] is False


def test_without_ssh_keygen_the_package_is_named(home, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (home.path / "certificates").mkdir()
    with pytest.raises(KeysError, match="openssh-client"):
        Keys(str(home.path), "box").ensure([])
