# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._flower import answers, cli
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import FlwrError, Node, Run, Submission
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr

from ...conftest import RECORDED, make_home

FAB = "043e4ac48e9656d160726ac53e918671aa2d7f43e920078f247f4573546af68e"


@pytest.fixture
def flwr(home) -> Flwr:
    return Flwr(str(home.path))


def test_runs_are_listed_with_the_state_and_its_reason(home, flwr) -> None:
    home.answers(list="list_after")
    assert flwr.runs() == [
        Run("10117593754731237286", "stopped", None, FAB, "2026-11-23 06:23:17Z", "2026-11-23 06:23:17Z"),
        Run("17304172647888193640", "failed", "ServerApp failed with exception: the data went away", FAB,
            "2026-11-23 06:23:13Z", "2026-11-23 06:23:14Z"),
        Run("4054059867765540810", "completed", None, FAB, "2026-11-23 06:22:26Z", "2026-11-23 06:22:27Z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recording", "status", "alive"),
    [("list_pending", "pending", True), ("list", "running", True), ("list_three", "running", True)],
)
def test_a_run_that_has_not_ended_is_alive(home, flwr, recording, status, alive) -> None:
    home.answers(list=recording)
    newest = flwr.runs()[0]
    assert (newest.status, newest.alive) == (status, alive)


def test_a_submission_passes_the_configuration_in_a_file(home, flwr) -> None:
    home.answers(run="run")
    assert flwr.submit("/opt/flower/app/testapp", "num-rounds = 2\n") == Submission("4054059867765540810", "043e4ac4")
    assert home.commands == ["run /opt/flower/app/testapp local --run-config run_config.toml"]
    assert home.calls[0]["files"] == ["num-rounds = 2\n"]


def test_a_call_has_flowers_own_home_and_is_quiet(home, flwr) -> None:
    home.answers(list="list_empty")
    flwr.runs()
    assert home.calls[0]["environment"] == {
        "HOME": f"{home.path}/control",
        "FLWR_HOME": f"{home.path}/control/.flwr",
        "FLWR_TELEMETRY_ENABLED": "0",
    }


@pytest.mark.parametrize(
    ("recording", "kind", "code", "message"),
    [
        (
            "list_unreachable",
            cli.FlwrUnreachableError,
            None,
            "Flower says: Connection to the SuperLink is unavailable. Look at the unit flower-superlink on this host.",
        ),
        (
            "list_no_connection",
            FlwrError,
            None,
            "Flower says: An unexpected error occurred while reading the Flower configuration file"
            " (/opt/flower/app/.flwr/config.toml). SuperLink connection 'nosuch' not found in the Flower configuration"
            " file (/opt/flower/app/.flwr/config.toml).",
        ),
        (
            "run_badkey",
            FlwrError,
            15,
            "Flower says: Invalid run configuration. (code 15) A key of the run configuration is not declared in"
            " [tool.flwr.app.config] of the app's pyproject.toml. The journal of flower-superlink names the key.",
        ),
        (
            "run_baddir",
            FlwrError,
            None,
            "Flower says: Failed to load Flower App configuration in '/opt/flower/app/empty/pyproject.toml'. File may"
            " be missing or invalid.",
        ),
        ("list_unknown", FlwrError, 16, "Flower says: Run ID not found. (code 16)"),
        ("stop_again", FlwrError, 18, "Flower says: Run is already finished. (code 18)"),
        ("supernode_register_again", FlwrError, 23, "Flower says: Public key already in use. (code 23)"),
        ("supernode_unreg_unknown", FlwrError, 24, "Flower says: Node ID not found for account. (code 24)"),
    ],
)
def test_a_refusal_is_recognised_though_flower_exits_with_0(recording, kind, code, message) -> None:
    answer = RECORDED[recording]
    assert answer["rc"] == 0
    with pytest.raises(FlwrError) as caught:
        answers.parse(answer["stdout"], answer["stderr"])
    assert (type(caught.value), caught.value.code, str(caught.value)) == (kind, code, message)


@pytest.mark.parametrize("output", ["", "Traceback\n", "{", "[]", '{"success": false}', "null"])
def test_an_answer_that_is_none_is_an_error_that_says_what_came(output) -> None:
    with pytest.raises(FlwrError, match=r"^Flower says: "):
        answers.parse(output, "")


def said(text: str) -> dict:
    return {"stdout": text, "stderr": "", "rc": 0}


def test_words_of_an_app_can_only_be_read_and_are_not_endless(home, flwr) -> None:
    evil = "ServerApp failed with exception: \x1b]0;owned\x07\n\u202e{{ 7*7 }}" + "A" * 27_000_000
    row = {"run-id": "1\x1b[2J", "status": "finished:failed", "status-details": evil, "fab-hash": "a\nb"}
    home.answers(list=said(json.dumps({"success": True, "runs": [row]})))
    (run,) = flwr.runs()
    begin = "ServerApp failed with exception: \\x1b]0;owned\\x07 \\u202e{{ 7*7 }}AAA"
    assert (run.run_id, run.status, run.fab_hash) == ("1\\x1b[2J", "failed", "a b")
    assert (run.details.startswith(begin), len(run.details) < 4000) == (True, True)


@pytest.mark.parametrize("code", ["", "[code: 16] "])
def test_so_can_the_reason_of_an_error(code) -> None:
    evil = json.dumps({"success": False, "error-message": f"{code}\x1b[2J\x1b]52;c;\x07\n{'A' * 10_000_000}"})
    with pytest.raises(FlwrError) as caught:
        answers.parse(evil, "")
    assert re.fullmatch(
        r"Flower says: \\x1b\]52;c;\\x07 A+ \.\.\. \(\d+ more characters\)( \(code 16\))?", str(caught.value)
    )
    assert len(str(caught.value)) <= 4100


def test_the_reason_of_an_error_takes_no_longer_for_blanks() -> None:
    before = time.monotonic()
    assert answers._plain(f"│ x{' ' * 60_000}y │").startswith("x   ")
    assert time.monotonic() - before < 1


@pytest.mark.parametrize(
    ("line", "said"),
    [("╭─ Error ─────╮", ""), ("│ No such run │", "No such run"), ("╰─────────────╯", ""), ("Error: no", "Error: no")],
)
def test_the_frame_around_an_error_is_left_out(line, said) -> None:
    assert answers._plain(line) == said


def test_so_can_the_lines_of_a_log(home, flwr) -> None:
    text = "a" * 3_000_000 + "\n\x1b[31mred\x1b[0m \x1b]0;owned\x07\r<0>panic\n" + "b" * 5000 + "\n"
    home.answers(log=said(text))
    first, second, third = flwr.log("1", 3)
    assert (first, second) == ("red \\x1b]0;owned\\x07", "<0>panic")
    assert (len(third), third[:3]) == (1000, "bbb")


@pytest.mark.parametrize("said", ["[" * 200_000, '{"a": ' * 100_000])
def test_an_answer_that_is_too_deep_is_an_error(said) -> None:
    with pytest.raises(FlwrError, match="Flower says: "):
        answers.parse(said, "")


@pytest.mark.parametrize(("recording", "expected"), [("stop", True), ("stop_again", False), ("stop_unknown", False)])
def test_stopping_tells_whether_there_was_something_to_stop(home, flwr, recording, expected) -> None:
    home.answers(stop=recording)
    assert flwr.stop("42") is expected


@pytest.mark.parametrize(("recording", "expected"), [("supernode_unreg", True), ("supernode_unreg_unknown", False)])
def test_unregistering_tells_whether_there_was_a_node(home, flwr, recording, expected) -> None:
    home.answers(supernode_unregister=recording)
    assert flwr.unregister("42") is expected


def test_the_tail_of_a_log_is_plain_text(home, flwr) -> None:
    home.answers(log="log_fail")
    assert flwr.log("17304172647888193640", 6) == [
        "RuntimeError: the data went away",
        "ERROR :     Exit Code: 201",
        "",
        "An unhandled exception occurred in the ServerApp.",
        "",
        "For more information, visit: <https://flower.ai/docs/framework/1.41/en/ref-exit-codes/201.html>",
    ]


def test_the_log_of_an_unknown_run_is_an_error(home, flwr) -> None:
    home.answers(log="log_unknown")
    with pytest.raises(FlwrError, match=r"^Flower says: Run ID not found\. \(code 16\)$"):
        flwr.log("42", 10)


def test_supernodes_are_listed_with_their_state(home, flwr) -> None:
    home.answers(supernode_list="supernode_list_end")
    assert flwr.supernodes() == [
        Node("17856385283664728171", "offline", "2026-11-23 06:22:12Z", "2026-11-23 06:23:21Z",
             "2026-11-23 06:23:57Z"),
        Node("16029726880598031332", "unregistered", "2026-11-23 06:24:00Z", None, None),
    ]  # fmt: skip


def test_a_host_without_flower_is_told_so(tmp_path, own_account) -> None:
    with pytest.raises(cli.FlwrMissingError, match=r"cannot be run: No such file or directory\. Deploy this host"):
        Flwr(str(tmp_path)).runs()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_root_asks_flower_as_the_account_of_its_command_line(monkeypatch, in_groups) -> None:
    monkeypatch.setattr(identity, "CONTROL_USER", "nobody")
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp())  # outside pytest's own, which is closed to others
    try:
        folder.chmod(0o755)
        home = make_home(folder / "home")
        for path in (home.path, home.path / "bin"):
            path.chmod(0o777)
        executable = home.path / "bin" / "flwr"
        executable.write_text("#!/usr/bin/python3\n" + executable.read_text().split("\n", 1)[1])
        home.answers(supernode_register="supernode_register")
        assert Flwr(str(home.path)).register("a", "ecdsa-sha2-nistp384 AAAA a") == "17856385283664728171"
        (call,) = home.calls
        assert call["identity"] == [nobody.pw_uid, nobody.pw_gid, []]
        assert call["files"] == ["ecdsa-sha2-nistp384 AAAA a\n"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_root_writes_files_as_that_account_and_is_root_again(monkeypatch, in_groups) -> None:
    monkeypatch.setattr(identity, "CONTROL_USER", "nobody")
    before = os.geteuid(), os.getegid(), [*in_groups]
    with cli.scratch("a.txt", "text") as path:
        status, folder = os.stat(path), os.stat(os.path.dirname(path))
        assert Path(path).read_text() == "text"
    nobody = pwd.getpwnam("nobody")
    assert {(item.st_uid, item.st_gid) for item in (status, folder)} == {(nobody.pw_uid, nobody.pw_gid)}
    assert (stat.S_IMODE(folder.st_mode), os.path.exists(path)) == (0o700, False)
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the account")
def test_root_without_the_account_is_told_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(identity, "CONTROL_USER", "no-such-account")
    with pytest.raises(cli.FlwrMissingError, match=r"^The account 'no-such-account' is not on this host\."):
        Flwr(str(tmp_path)).runs()
