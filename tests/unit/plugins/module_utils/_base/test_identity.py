# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
import resource

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError, NotDeployedError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")


@as_root
@pytest.mark.parametrize("user", ["APPS_USER", "CONTROL_USER", "STATE_USER"])
def test_root_touches_files_as_any_account_in_its_groups_and_is_root_again(monkeypatch, in_groups, user) -> None:
    monkeypatch.setattr(identity, user, "nobody")
    nobody = pwd.getpwnam("nobody")
    before = os.geteuid(), os.getegid(), [*in_groups]
    with identity.as_account(getattr(identity, user)):
        assert (os.geteuid(), os.getegid()) == (nobody.pw_uid, nobody.pw_gid)
        assert sorted(os.getgroups()) == sorted(os.getgrouplist("nobody", nobody.pw_gid))
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@as_root
def test_checkpoints_are_touched_as_their_owner(monkeypatch) -> None:
    monkeypatch.setattr(identity, "APPS_USER", "nobody")
    owner = identity.checkpoint_owner()
    with identity.as_checkpoint_owner():
        assert os.geteuid() == owner.pw_uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_root_without_the_account_is_told_so() -> None:
    missing = r"^The account 'no-such-account' is not on this host\. Deploy this host first"
    with pytest.raises(NotDeployedError, match=missing), identity.as_account("no-such-account"):
        pass
    assert issubclass(NotDeployedError, FedopsError)


def test_whoever_is_not_root_stays_who_they_are(monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert identity.account_of("no-such-account") is None
    with identity.as_account("no-such-account"):
        pass


@as_root
def test_what_an_account_has_planted_takes_no_more_memory_than_is_allowed(monkeypatch) -> None:
    monkeypatch.setattr(identity, "MOST_MEMORY", 64 << 20)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(FedopsError, match="takes more than 67108864 bytes of memory"), identity.as_account("nobody"):
        bytearray(512 << 20)
    assert (os.geteuid(), resource.getrlimit(resource.RLIMIT_DATA)) == (0, before)
    with identity.as_account("nobody"):
        assert len(bytearray(16 << 20)) == 16 << 20


@as_root
def test_a_host_knows_what_the_account_of_the_apps_is_called(monkeypatch, tmp_path) -> None:
    path = tmp_path / "etc" / "apps-user"
    path.parent.parent.chmod(0o755)
    monkeypatch.setattr(identity, "RECORD_OF_APPS_USER", str(path))
    monkeypatch.setattr(identity, "APPS_USER", "flower")
    assert (identity.record_apps_user("flower"), path.exists()) == (False, False)
    assert (identity.record_apps_user("learner", check_mode=True), path.exists()) == (True, False)
    assert (identity.record_apps_user("learner"), identity.record_apps_user("learner")) == (True, False)
    assert (path.read_text(), path.stat().st_mode & 0o777, identity.APPS_USER) == ("learner\n", 0o644, "learner")
    assert (identity.record_apps_user("flower"), path.exists(), identity.APPS_USER) == (True, False, "flower")


@as_root
def test_a_name_that_root_has_not_written_counts_for_nothing(monkeypatch, tmp_path) -> None:
    path = tmp_path / "apps-user"
    path.write_text("root\n")
    os.chown(path, 1000, 1000)
    monkeypatch.setattr(identity, "RECORD_OF_APPS_USER", str(path))
    assert identity._apps_user() == "flower"
