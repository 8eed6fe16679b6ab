# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to the release, the units and the state of before."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup.database import ArchiveError
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import SystemdError, Unit
from ansible_collections.fedops.flower.plugins.module_utils._release import restore_point
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import RELEASE_MARKER
from ansible_collections.fedops.flower.plugins.module_utils._release.restore_point import (
    RestorePointError,
    RestorePoints,
)

SERVICES = ["flower-superlink.service", "flower-superexec.service"]


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand for systemd, and remember what it was told."""
    told: list[str] = []

    def control(*arguments: str) -> str:
        if arguments[0] == "reset-failed":
            raise SystemdError("not loaded")
        told.append(" ".join(arguments))
        return ""

    monkeypatch.setattr(restore_point, "control", control)
    monkeypatch.setattr(restore_point, "services", lambda: SERVICES)
    monkeypatch.setattr(restore_point, "show_units", lambda *names: [Unit(name, "loaded", "active") for name in names])
    return told


class Host:
    """A host with two releases, a unit and a state."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "opt" / "flower"
        self.unit = root / "etc/systemd/system/flower-superlink.service"
        self.instance = root / "etc/systemd/system/flower-supernode@new.service.d/flower.conf"
        self.database = self.home / "state" / "state.db"
        self.points = RestorePoints(str(root / "points"), str(self.home), str(root))
        for release in ("old", "new"):
            (self.home / "releases" / release).mkdir(parents=True)
            (self.home / "releases" / release / RELEASE_MARKER).write_text("flwr==1.41.0\n")
        self.unit.parent.mkdir(parents=True)
        self.unit.write_text("old")
        self.unit.chmod(0o640)
        self.database.parent.mkdir()
        self.connection = sqlite3.connect(self.database)
        self.connection.execute("pragma journal_mode=wal")
        self.say("old")
        self.points.releases.switch("old")

    def say(self, what: str) -> None:
        with self.connection:
            self.connection.execute("drop table if exists version")
            self.connection.execute(f"create table version as select '{what}' as it")

    @property
    def said(self) -> str:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute("select it from version").fetchone()[0]

    def upgrade(self) -> None:
        self.points.releases.switch("new")
        self.unit.write_text("new")
        self.instance.parent.mkdir(parents=True)
        self.instance.write_text("new")
        self.say("new")


@pytest.fixture
def host(tmp_path: Path, orders: list[str]) -> Host:
    return Host(tmp_path)


def test_release_units_and_state_come_back_with_what_ran(host: Host, orders: list[str]) -> None:
    assert host.points.save("t") is True
    assert host.points.differs() is False
    host.upgrade()
    host.connection.close()
    assert host.points.differs() is True
    assert host.points.restore() is True
    assert (host.points.releases.current, host.unit.read_text(), host.said) == ("old", "old", "old")
    assert stat.S_IMODE(host.unit.stat().st_mode) == 0o640
    assert not host.instance.exists()
    assert orders == [
        "stop flower-superexec.service flower-superlink.service",
        "daemon-reload",
        "start flower-superlink.service flower-superexec.service",
    ]
    orders.clear()
    assert host.points.restore() is False
    assert orders == ["start flower-superlink.service flower-superexec.service"]


def test_what_is_in_the_log_of_the_database_that_goes_does_not_get_into_the_other(host: Host) -> None:
    host.points.save("t")
    host.upgrade()
    # A SuperLink that was killed leaves its log behind.
    log = Path(f"{host.database}-wal")
    left = log.read_bytes()
    host.connection.close()
    log.write_bytes(left)
    host.points.restore()
    assert not log.exists()
    assert host.said == "old"


def test_the_state_is_left_alone_while_the_release_before_is_in_use(host: Host) -> None:
    host.points.save("t")
    host.say("later")
    host.unit.write_text("new")
    assert host.points.restore() is True
    assert (host.unit.read_text(), host.said) == ("old", "later")


def test_the_gateway_is_told_when_its_configuration_is_another(host: Host, orders: list[str]) -> None:
    path = host.root / "etc/flower/gateway.conf"
    path.parent.mkdir()
    path.write_text("old")
    host.points.save("t")
    path.write_text("new")
    host.points.restore()
    assert path.read_text() == "old"
    assert "reload-or-restart flower-gateway.service" in orders


def test_a_point_stays_open_for_what_it_was_made_for_and_makes_way_for_anything_else(host: Host) -> None:
    assert host.points.save("one") is True
    first = host.points.open
    host.upgrade()
    assert host.points.save("one") is False
    assert (host.points.open, host.points.contents()["release"]) == (first, "old")
    # Points are told apart by the second.
    os.rename(first, f"{host.points.directory}/2000-01-01T00-00-00Z")
    assert host.points.save("two") is True
    assert host.points.contents()["release"] == "new"


def test_nobody_but_root_reads_a_point(host: Host) -> None:
    host.points.save("t")
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in (host.points.directory, host.points.open)}
    assert modes == {0o700}
    copies = [path for path in Path(host.points.open).iterdir() if path.name != "contents.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o600}


def test_points_that_are_closed_stay_up_to_a_number(host: Host) -> None:
    for day in (1, 2, 3):
        os.makedirs(f"{host.points.directory}/2000-01-0{day}T00-00-00Z")
    host.points.save("t")
    newest = os.path.basename(host.points.open)
    assert host.points.close(2) is True
    assert sorted(os.listdir(host.points.directory)) == ["2000-01-03T00-00-00Z", newest]
    assert host.points.close(2) is False
    with pytest.raises(RestorePointError, match="has no open point"):
        host.points.restore()


def test_what_cannot_be_gone_back_to_is_said_before_anything_stops(host: Host, orders: list[str]) -> None:
    host.points.save("t")
    host.upgrade()
    host.points.releases.remove(["old"])
    with pytest.raises(RestorePointError, match="The release old is gone"):
        host.points.restore()
    assert orders == []


def test_a_copy_that_is_damaged_does_not_take_the_place_of_a_state(host: Host) -> None:
    host.points.save("t")
    host.upgrade()
    Path(host.points.open, "state.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(ArchiveError, match="is damaged"):
        host.points.restore()
    assert host.said == "new"


def test_half_a_point_is_none(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore_point, "snapshot", fail)
    with pytest.raises(OSError, match="No space"):
        host.points.save("t")
    assert os.listdir(host.points.directory) == []


def test_an_environment_from_before_there_were_releases_can_be_gone_back_to(host: Host) -> None:
    venv = Path(host.points.releases.link)
    venv.unlink()
    (host.home / "releases" / "old").rename(venv)
    host.points.save("t")
    name = host.points.contents()["release"]
    host.upgrade()
    host.connection.close()
    host.points.restore()
    assert host.points.releases.current == name
    assert name.endswith("-moved")


def test_a_host_without_a_release_has_nothing_to_go_back_to(host: Host) -> None:
    os.unlink(host.points.releases.link)
    with pytest.raises(RestorePointError, match="leads to no release"):
        host.points.save("t")


@pytest.mark.parametrize("plant", ["link", "fifo", "endless"])
def test_what_an_account_plants_is_neither_kept_nor_waited_for(host: Host, plant: str) -> None:
    """As one account for all owned the configuration of the command line."""
    config = host.home / "app/.flwr/config.toml"
    config.parent.mkdir(parents=True)
    if plant == "link":
        config.symlink_to("/etc/shadow")
    elif plant == "fifo":
        os.mkfifo(config)
    else:
        with config.open("wb") as stream:
            stream.truncate(1 << 40)
    with pytest.raises(restore_point.guarded.UnsafeFileError, match=r"config.toml (is|has) "):
        host.points.save("one")
    assert host.points.open is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts")
def test_a_link_in_the_place_of_a_file_is_not_written_through(host: Host) -> None:
    config = host.home / "control/.flwr/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("old")
    host.points.save("one")
    victim = host.root / "victim"
    victim.write_text("precious")
    config.unlink()
    config.symlink_to(victim)
    with pytest.raises(restore_point.guarded.UnsafeFileError):
        host.points.restore()
    assert victim.read_text() == "precious"
