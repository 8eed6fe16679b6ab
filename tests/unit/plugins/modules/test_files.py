# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing files and calling systemctl; a script in its place writes down what it is asked."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._base.text_files import NOT_SHOWN
from ansible_collections.fedops.flower.plugins.modules import files

SYSTEMCTL = """#!/bin/sh
if [ "$1" = show ]; then cat "{folder}/states"; exit 0; fi
echo "$@" >>"{folder}/calls"
case "$*" in *broken*) echo "Job failed." >&2; exit 1;; esac
"""
RUNNING = "ActiveState=active\nNeedDaemonReload=no\nUnitFileState=enabled\n"


class Host:
    """A folder with files, and a systemctl."""

    def __init__(self, folder: Path, run: Callable[..., dict[str, Any]]) -> None:
        self.folder = folder
        self._run = run
        self.show(RUNNING, RUNNING)

    def show(self, *states: str) -> None:
        (self.folder / "states").write_text("\n".join(states))

    def ensure(self, *files: dict[str, Any], services: list[str], check_mode: bool = False) -> dict[str, Any]:
        owned = [{"owner": str(os.geteuid()), "group": str(os.getegid()), **file} for file in files]
        return self._run(files=owned, services=services, _ansible_check_mode=check_mode)

    @property
    def calls(self) -> list[str]:
        log = self.folder / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Host:
    folder = tmp_path / "host"
    folder.mkdir()
    systemctl = folder / "systemctl"
    systemctl.write_text(SYSTEMCTL.format(folder=folder))
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            runpy.run_path(str(Path(files.__file__).resolve()), run_name="__main__")
        return json.loads(capsys.readouterr().out)

    return Host(folder, run)


def test_files_are_written_and_their_services_alone_restarted_or_reloaded(host: Host, tmp_path: Path) -> None:
    one = {"path": str(tmp_path / "made/one.conf"), "content": "1\n", "restarts": ["one.service"], "mode": "0600"}
    two = {"path": str(tmp_path / "two.conf"), "content": "2\n", "reloads": ["two.service"]}
    outcomes = []
    for wanted in ([one, two], [one, two], [one, {**two, "content": "3\n"}]):
        result = host.ensure(*wanted, services=["one.service", "two.service"])
        outcomes.append((result["changed"], result["restarted"], result["reloaded"], host.calls))
    assert outcomes == [
        (True, ["one.service"], ["two.service"], ["restart one.service", "reload two.service"]),
        (False, [], [], []),
        (True, [], ["two.service"], ["reload two.service"]),
    ]
    assert (oct((tmp_path / "made/one.conf").stat().st_mode & 0o777), (tmp_path / "two.conf").read_text()) == (
        "0o600",
        "3\n",
    )


def test_check_mode_tells_the_same_and_does_nothing(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "made/one.conf"
    file = {"path": str(path), "content": "1\n", "restarts": ["one.service"], "group": "no such group"}
    result = host.ensure(file, services=["one.service", "two.service"], check_mode=True)
    assert (result["changed"], result["restarted"], host.calls, path.parent.exists()) == (
        True,
        ["one.service"],
        [],
        False,
    )
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [("", "1\n")]


def test_a_file_that_is_refused_leaves_the_old_one_and_the_service_alone(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "one.conf"
    path.write_text("old\n")
    file = {"path": str(path), "content": "new\n", "restarts": ["one.service"], "validate": "grep old %s"}
    result = host.ensure(file, services=["one.service"])
    assert result["failed"]
    assert result["msg"].startswith(f"{path} is refused by 'grep old %s'")
    assert (path.read_text(), host.calls) == ("old\n", [])


def test_a_service_that_fails_does_not_keep_the_others_from_their_turn(host: Host, tmp_path: Path) -> None:
    names = ["broken.service", "two.service"]
    file = {"path": str(tmp_path / "all.conf"), "content": "1\n", "restarts": names}
    result = host.ensure(file, services=names)
    assert (result["failed"], result["msg"]) == (True, "'systemctl restart broken.service' failed: Job failed.")
    assert host.calls == ["restart broken.service", "restart two.service"]


def test_what_is_stopped_or_not_enabled_is_started_and_enabled(host: Host) -> None:
    host.show("ActiveState=failed\nNeedDaemonReload=no\nUnitFileState=disabled\n", RUNNING)
    result = host.ensure(services=["one.service", "two.service"])
    assert (result["changed"], result["started"]) == (True, ["one.service"])
    assert host.calls == ["enable one.service", "start one.service"]


def test_files_need_no_service(host: Host, tmp_path: Path) -> None:
    result = host.ensure({"path": str(tmp_path / "one"), "content": "1"}, services=[])
    assert (result["changed"], (tmp_path / "one").read_text(), host.calls) == (True, "1", [])


@pytest.mark.parametrize(
    "plant",
    [
        lambda path, secret: path.symlink_to(secret),
        lambda path, _secret: os.mkfifo(path),
        lambda path, _secret: path.symlink_to("/dev/zero"),
        lambda path, secret: secret.rename(path) and os.chown(path, 4444, 4444),
        lambda path, _secret: path.write_bytes(b"") or os.truncate(path, 1 << 40),
    ],
    ids=["link", "pipe", "device", "foreign", "sparse"],
)
@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_somebody_planted_is_neither_shown_nor_followed_and_is_replaced(
    host: Host, tmp_path: Path, plant: Callable[[Path, Path], Any], check_mode: bool
) -> None:
    secret, path = tmp_path / "secret", tmp_path / "config.toml"
    secret.write_text("root's own")
    plant(path, secret)
    result = host.ensure({"path": str(path), "content": "1\n", "mode": "0640"}, services=[], check_mode=check_mode)
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [(NOT_SHOWN, "1\n")]
    assert "root's own" not in json.dumps(result)
    if not check_mode:
        found = path.lstat()
        assert (path.read_text(), found.st_uid, oct(found.st_mode)) == ("1\n", 0, "0o100640")
    if secret.exists():
        assert secret.read_text() == "root's own"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_directory_on_the_way_that_is_a_link_of_an_account_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".flwr").symlink_to(tmp_path / "etc")
    os.chown(tmp_path / "home", 4444, 4444)
    os.chown(tmp_path / "home" / ".flwr", 4444, 4444, follow_symlinks=False)
    result = host.ensure({"path": str(tmp_path / "home/.flwr/deep/config.toml"), "content": "1"}, services=[])
    assert "has a link on its way, .flwr, that somebody else than root could have made" in result["msg"]
    assert os.listdir(tmp_path / "etc") == []


def test_a_directory_in_the_way_is_told(host: Host, tmp_path: Path) -> None:
    result = host.ensure({"path": str(tmp_path), "content": "1"}, services=[])
    assert result["msg"] == f"{tmp_path} is no regular file. Free that path, then run again."
