# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of an earlier release is opened on the controller, and the host never learns the password."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.fedops.flower.plugins.action.sealed_archive import ActionModule

SEALED = Path(__file__).parents[1] / "module_utils/_backup/fixtures/superlink-one-account.sealed"
PASSWORD = "correct horse"
VERIFIED = {"path": str(SEALED), "state": "verified", "method": "vault", "password": PASSWORD}


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the action on this machine with its own folder for temporary files; return what the module was given."""
    monkeypatch.setattr("ansible.constants.DEFAULT_KEEP_REMOTE_FILES", True)
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    given: dict = {}

    def run(check_mode: bool = False, **arguments: str) -> dict:
        task = MagicMock(async_val=0, args=arguments, check_mode=check_mode, environment=[])
        connection = connection_loader.get("local", PlayContext())
        connection._shell.set_options(
            direct={"remote_tmp": str(tmp_path / "remote"), "system_tmpdirs": [str(tmp_path)]}
        )
        action = ActionModule(task, connection, PlayContext(), DataLoader(), MagicMock(), MagicMock())

        def module(module_args: dict, task_vars: dict) -> dict:
            given.update(module_args)
            if "opened" in module_args:
                opened = Path(module_args["opened"])
                given["content"] = opened.read_bytes()
                given["modes"] = [oct(place.stat().st_mode & 0o777) for place in (opened, opened.parent)]
            if arguments.get("state") == "restored":
                raise RuntimeError("the host went away")
            return {"names": []}

        monkeypatch.setattr(action, "_execute_module", module)
        monkeypatch.setattr(action, "get_become_option", lambda *_names, **_others: None)
        action.run(task_vars={})
        return given

    run.given = given
    return run


def left(folder: Path) -> list[str]:
    return [name for _folder, _folders, names in os.walk(folder) for name in names]


def test_the_host_gets_the_archive_in_a_private_place_and_keeps_nothing(act, tmp_path: Path) -> None:
    given = act(**VERIFIED)
    assert b"contents.json" in given["content"]
    assert given["modes"] == ["0o600", "0o700"]
    assert PASSWORD not in str(given)
    assert not Path(given["opened"]).parent.exists()
    assert left(tmp_path) == []


def test_nothing_is_left_by_a_task_that_is_cut_off(act, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the host went away"):
        act(**{**VERIFIED, "state": "restored"})
    assert b"contents.json" in act.given["content"]
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "/a", "state": "verified", "identity": "key"},
        {"path": "/a", "method": "vault"},
        {"path": "/a", "state": "restored", "method": "age"},
    ],
)
def test_what_age_seals_is_the_module_s_to_open(act, arguments) -> None:
    if arguments.get("state") == "restored":
        with pytest.raises(RuntimeError):
            act(**arguments)
        assert act.given == arguments
    else:
        assert act(**arguments) == arguments


def test_a_rehearsal_opens_nothing(act) -> None:
    assert "opened" not in act(check_mode=True, **VERIFIED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"password": "wrong"},
            f"{SEALED} cannot be opened: another password has sealed it, it is damaged, or it is not",
        ),
        ({"password": ""}, "method is vault, which needs password."),
        ({"path": "/nowhere/a"}, "/nowhere/a cannot be opened: No such file or directory."),
        ({"path": __file__}, f"{__file__} cannot be opened: another password has sealed it"),
    ],
)
def test_what_cannot_be_opened_is_told_without_the_password(act, changes, said) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        act(**{**VERIFIED, **changes})
    assert said in str(caught.value)
    assert act.given == {}


@pytest.mark.parametrize("position", [200, 60000, -100])
def test_damage_is_seen(act, tmp_path: Path, position: int) -> None:
    content = bytearray(SEALED.read_bytes())
    content[position] = ord("0") if content[position] != ord("0") else ord("1")
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(AnsibleActionFail, match="it is damaged"):
        act(**{**VERIFIED, "path": str(tmp_path / "damaged")})
