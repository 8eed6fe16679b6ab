# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in this process, with a table and with trackers whose library is not here."""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._tracking import (
    program,
    to_csv,
    to_mlflow,
    to_tensorboard,
    to_wandb,
    tracker,
)
from ansible_collections.fedops.flower.plugins.module_utils._tracking.tale import Tale, put_away

from .host import TrackedHost


@pytest.fixture
def host(tmp_path, own_account) -> TrackedHost:
    found = TrackedHost(tmp_path / "home")
    found.order("order", "1")
    (tmp_path / "state").mkdir()
    return found


def settings(host: TrackedHost, name: str = "csv", trainings: Any = None, **options: Any) -> None:
    asked = {"default": {"sites": "none"}} if trainings is None else trainings
    told = {"tracker": name, "options": options, "trainings": asked}
    (host.path / "settings.json").write_text(json.dumps(told))


def made(host: TrackedHost, credentials: str = "") -> program.TrackerProgram:
    home = str(host.path)
    return program.TrackerProgram(home, f"{home}/settings.json", str(host.path.parent / "state"), credentials)


def state(host: TrackedHost) -> dict[str, Any]:
    return json.loads((host.path.parent / "state" / tracker.STATE_FILE).read_text())


def test_every_tracker_has_one_that_tells_it() -> None:
    kinds = {to_mlflow.MlflowTracker, to_wandb.WandbTracker, to_tensorboard.TensorboardTracker, to_csv.CsvTracker}
    assert set(program._MAKERS.values()) == kinds


def test_it_writes_down_how_far_it_is(host) -> None:
    settings(host)
    one = made(host)
    host.rounds(1, 2)
    assert one.look() == program.LOOK
    told = state(host)["trainings"]["default"]
    assert (told["told"], told["newest"], told["closed"]) == (2, 2, "")
    assert told["link"].endswith(f"/runs/{told['label']}.csv")
    host.rounds(3)
    host.completed()
    one.look()
    assert state(host)["trainings"]["default"]["closed"] == "completed 3"
    one.leave()
    again = made(host)
    again.look()
    assert state(host)["trainings"]["default"]["told"] == 3


def test_it_tries_again_less_and_less_often_and_tells_no_secret(host, tmp_path, monkeypatch, capsys) -> None:
    settings(host, "csv")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "secrets").write_text('{"token": "a-token-of-ours"}')

    class Away:
        def __init__(self, *dummy: Any) -> None:
            return None

        def run(self, training: Any) -> Any:
            raise OSError("https://a-token-of-ours@mlflow is away.\x1b[31m")

    monkeypatch.setattr(program, "_MAKERS", {"csv": Away})
    one = made(host, str(tmp_path / "credentials"))
    host.rounds(1)
    assert [one.look() for dummy in range(9)] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    problem = state(host)["problem"]
    assert problem == "default: OSError: https://(a secret)@mlflow is away.\\x1b[31m"
    assert capsys.readouterr().out.count("It is tried again") == 1
    monkeypatch.setattr(program, "_MAKERS", {"csv": to_csv.CsvTracker})
    again = made(host)
    again.look()
    assert state(host)["problem"] == ""


def test_a_library_that_is_not_there_is_told(host) -> None:
    settings(host, "tensorboard")
    host.rounds(1)
    made(host).look()
    assert "No module named 'tensorboardX'" in state(host)["problem"]


def test_one_training_that_cannot_be_told_keeps_no_other_from_it(host) -> None:
    settings(host, trainings={"../other": {}, "default": {}})
    host.rounds(1)
    one = made(host)
    assert one.look() > program.LOOK
    assert state(host)["trainings"]["default"]["told"] == 1


def test_a_training_that_is_not_asked_for_any_more_is_left(host) -> None:
    settings(host)
    host.rounds(1)
    one = made(host)
    one.look()
    settings(host, trainings={})
    host.rounds(2)
    one.look()
    assert state(host)["trainings"]["default"]["told"] == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"trainings": 5, "problem": 5}', '{"trainings": {"default": [1]}}'])
def test_a_damaged_state_is_made_anew(host, text) -> None:
    settings(host)
    (host.path.parent / "state" / tracker.STATE_FILE).write_text(text)
    host.rounds(1)
    made(host).look()
    assert state(host)["trainings"]["default"]["told"] == 1


def test_an_authority_is_what_systemd_hands_over(host, tmp_path, monkeypatch) -> None:
    (tmp_path / "ca").write_text("certificate")
    seen: list[Any] = []

    class Seeing(to_csv.CsvTracker):
        def __init__(self, folder: str, options: Any, secrets: Any) -> None:
            seen.append(options)
            super().__init__(folder, options, secrets)

    monkeypatch.setattr(program, "_MAKERS", {"csv": Seeing})
    settings(host, uri="https://a")
    made(host, str(tmp_path)).look()
    assert seen == [{"uri": "https://a", "ca": str(tmp_path / "ca")}]


def test_lines_that_are_no_rounds_are_passed_over(host) -> None:
    host.rounds(1)
    with (host.published / "history.jsonl").open("ab") as stream:
        stream.write(b"\xff\n{}\n" + b"x" * (2 << 20) + b"\n" + b'{"event": "round_finished", "round": "two"}\n')
    host.rounds(2)
    tale = Tale(host.folder)
    assert [event["round"] for event, dummy_sites in tale.rounds()] == [1, 2]
    assert tale.newest == 2
    assert list(tale.rounds()) == []
    assert put_away(host.folder, tale.key) is None


def test_a_file_of_weights_and_biases_is_read_to_its_last_whole_record(tmp_path) -> None:
    def piece(kind: int, content: bytes) -> bytes:
        return struct.pack("<IHB", zlib.crc32(content, zlib.crc32(bytes([kind]))), len(content), kind) + content

    path = tmp_path / "run.wandb"
    head = b":W&B\xe1\xbe\x00"
    long = 32768 - len(head) - (7 + 3) - 7 - 4  # leaves four bytes of the block, which are nothing
    content = head + piece(1, b"one") + piece(1, b"x" * long) + b"\0" * 4 + piece(2, b"tw") + piece(4, b"o")
    path.write_bytes(content + piece(1, b"three")[:-1])
    assert [len(record) for record in to_wandb.log_records(str(path))] == [3, long, 3]
    path.write_bytes(content[:20] + b"!" + content[21:])
    assert list(to_wandb.log_records(str(path))) == [b"one"]
    path.write_bytes(b"")
    assert list(to_wandb.log_records(str(path))) == []


def test_a_table_with_half_a_head_is_begun_anew(tmp_path) -> None:
    training = to_csv.TrackedTraining("default", "k" * 16)
    (tmp_path / f"{training.label}.csv").write_bytes(b"round,ti")
    run = to_csv.CsvTracker(str(tmp_path), {}, {}).run(training)
    run.tell(to_csv.TrackedRound(3, 1.5, {"loss": 0.1}))
    run.leave()
    assert (tmp_path / f"{training.label}.csv").read_text() == (
        "round,time,loss\n3,1970-01-01T00:00:01.500+00:00,0.1\n"
    )
    assert os.listdir(tmp_path) == [*sorted(os.listdir(tmp_path))]


def test_a_full_disk_ends_nothing_and_is_said_once(host, monkeypatch, capsys) -> None:
    settings(host)
    one = made(host)
    host.rounds(1)
    one.look()
    write = program.write_object

    def full(path: str, *dummy: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(program, "write_object", full)
    host.rounds(2)
    assert [one.look(), one.look()] == [program.LOOK] * 2
    assert state(host)["trainings"]["default"]["told"] == 1
    monkeypatch.setattr(program, "write_object", write)
    one.look()
    assert state(host)["trainings"]["default"]["told"] == 2
    said = capsys.readouterr().out
    assert said.count("state.json cannot be written: No space left on device. The status lags") == 1
    assert said.count("It is written again.") == 1


@pytest.mark.parametrize("there", [0, 1, 2, 899, 900, 901, 1500])
def test_what_has_arrived_of_a_round_at_mlflow_is_found_with_few_questions(there) -> None:
    asked = []

    class Client:
        def get_metric_history(self, run: str, key: str) -> list[Any]:
            asked.append(key)
            steps = [6, 7] if int(key) < there else [6]
            return [SimpleNamespace(step=step) for step in steps]

    run = object.__new__(to_mlflow.MlflowRun)
    run._client, run._id = Client(), "run"
    figures = [(str(place), 1.0) for place in range(1500)]
    assert run._arrived(figures, 7) == there
    assert len(asked) <= 12
    assert run._arrived([], 7) == 0
