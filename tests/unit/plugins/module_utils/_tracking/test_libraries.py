# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program as it runs on a host, with the libraries of the trackers, killed and started anew.

`make test-trackers` makes the environments of the locks, and one with the real server of MLflow and with TensorBoard.
Without them these tests are skipped, but for the table, which needs no library.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.plugin_utils._program import TRACKER

from .host import TrackedHost

ROOT = Path(__file__).resolve().parents[5]
VENVS = ROOT / ".cache" / "trackers"
SERVER = VENVS / "server" / "bin"
KILLS = int(os.environ.get("TRACKER_KILLS", "12"))
PATIENCE = 600.0
# The accounts of a host are none of this machine's: here one account is all of them.
LAUNCHER = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from fedops_tracker._base import identity
identity.APPS_USER = identity.CONTROL_USER = identity.STATE_USER = sys.argv.pop(1)
from fedops_tracker._tracking import program
program.LOOK = program.SHORTEST_RETRY = program.LONGEST_RETRY = 0.2
program._SAVE = 0.1
sys.exit(program.main())
"""


class Followed:
    """A training on its way to a tracker."""

    def __init__(self, path: Path, tracker: str, **options: Any) -> None:
        self.tracker, self.path = tracker, path
        self.host = TrackedHost(path / "home")
        self.host.order("order", "1")
        self.state, self._archive = path / "state", path / TRACKER.file_name
        self.state.mkdir()
        self._archive.write_bytes(TRACKER.build())
        self._credentials = path / "credentials"
        self._credentials.mkdir()
        self._process: subprocess.Popen[str] | None = None
        self.options(**options)

    def options(self, **options: Any) -> None:
        asked = {"default": {"sites": "pseudonyms", "place": ""}}
        settings = {"tracker": self.tracker, "options": options, "trainings": asked}
        (self.path / "settings.json").write_text(json.dumps(settings))

    def secrets(self, **secrets: str) -> None:
        (self._credentials / "secrets").write_text(json.dumps(secrets))

    @property
    def python(self) -> str:
        return sys.executable if self.tracker == "csv" else str(VENVS / self.tracker / "bin" / "python")

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    def start(self) -> None:
        command = [self.python, "-I", "-c", LAUNCHER, str(self._archive), pwd.getpwuid(os.geteuid()).pw_name]
        command += ["--home", str(self.host.path), "--settings", str(self.path / "settings.json")]
        command += ["--state", str(self.state), "--credentials", str(self._credentials)]
        with (self.path / "log").open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.path,
                env={"HOME": str(self.path), "PATH": "/usr/bin:/bin"},
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,  # with all that the library starts
            )

    def end(self, number: int) -> None:
        """End it as systemd does."""
        if self._process is not None:
            if number == signal.SIGTERM:
                self._process.terminate()
                self._process.wait(60)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def memory(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((self.state / "state.json").read_text())
            return {**told["trainings"].get("default", {}), "problem": told["problem"]}
        return {}

    def until(self, what: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        began = time.monotonic()
        while not what(memory := self.memory()):
            assert time.monotonic() < began + PATIENCE, f"{memory}\n{(self.path / 'log').read_text()[-3000:]}"
            time.sleep(0.05)
        return memory

    def until_closed(self, rounds: int) -> dict[str, Any]:
        return self.until(lambda memory: memory.get("closed") == f"completed {rounds}")

    def is_killed_often(self) -> None:
        """Train with losses, resumes and another order, while the program is killed wherever it is."""
        dice = random.Random(3)
        host = self.host
        story: list[Callable[[], Any]] = [
            lambda: host.rounds(1, 2, 3),
            lambda: host.rounds(4),
            lambda: host.order("order", "2"),
            lambda: host.rounds(3, 4, 5, 6),
            lambda: host.state("stopped"),
            lambda: host.order("another order", "3", **{"num-rounds": 12}),
            lambda: host.rounds(7, 8, 9, 10),
        ]
        for place in range(KILLS):
            if story and place % 2 == 0:
                story.pop(0)()
            self.start()
            # From before the library is loaded to when everything is told.
            start = time.monotonic()
            span = dice.uniform(0.2, 4.0 if self.tracker == "csv" else 12.0)
            while time.monotonic() < start + span and self.memory().get("told") != self.memory().get("newest"):
                time.sleep(0.01)
            time.sleep(dice.uniform(0.0, 1.0))
            self.end(signal.SIGKILL)
        for happens in story:
            happens()
        host.rounds(11, 12)
        host.completed(rounds=12)
        self.start()
        self.until_closed(12)
        self.end(signal.SIGTERM)


def needs(tracker: str, server: bool = False) -> None:
    if tracker != "csv" and not (VENVS / tracker / "bin" / "python").exists():
        pytest.skip("make test-trackers makes the environments of the trackers")
    if server and not (SERVER / "mlflow").exists():
        pytest.skip("make test-trackers makes the environment of MLflow's server")


@pytest.fixture
def follow(tmp_path) -> Iterator[Callable[..., Followed]]:
    made = []

    def make(tracker: str, server: bool = False, **options: Any) -> Followed:
        needs(tracker, server)
        made.append(Followed(tmp_path, tracker, **options))
        return made[-1]

    yield make
    for one in made:
        one.end(signal.SIGKILL)


def asked(tracker: str, code: str, *arguments: object) -> Any:
    """Return what the library of a tracker says."""
    python = SERVER / "python" if tracker == "server" else VENVS / tracker / "bin" / "python"
    command = [str(python), "-I", "-c", code, *map(str, arguments)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "MLFLOW_ALLOW_FILE_STORE": "true"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# --- A table ---
def table(one: Followed) -> list[dict[str, str]]:
    (path,) = one.runs.glob("*.csv")
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_has_each_round_once_whatever_is_killed(follow) -> None:
    one = follow("csv")
    one.is_killed_often()
    rows = table(one)
    assert [int(row["round"]) for row in rows] == [*range(1, 13)]
    assert all(float(row["loss"]) > 0 and float(row["site/site-000abcdefghi/examples"]) == 400 for row in rows)
    (about,) = one.runs.glob("*.json")
    told = json.loads(about.read_text())
    assert (told["outcome"]["state"], told["settings"]["num-rounds"]) == ("completed", "12")


def test_a_figure_that_comes_later_is_a_column_more(follow) -> None:
    one = follow("csv")
    one.host.rounds(1, sites=1)
    one.start()
    one.until(lambda memory: memory.get("told") == 1)
    one.host.rounds(2, sites=2)
    one.until(lambda memory: memory.get("told") == 2)
    first, second = table(one)
    assert first.keys() == second.keys()
    assert (first["site/site-001abcdefghi/examples"], second["site/site-001abcdefghi/examples"]) == ("", "401.0")


def test_a_line_that_was_cut_off_is_told_again(follow) -> None:
    one = follow("csv")
    one.host.rounds(1, 2)
    one.start()
    one.until(lambda memory: memory.get("told") == 2)
    one.end(signal.SIGKILL)
    (path,) = one.runs.glob("*.csv")
    path.write_bytes(path.read_bytes()[:-10])
    one.start()
    one.host.completed(rounds=2)
    one.until_closed(2)
    assert [row["round"] for row in table(one)] == ["1", "2"]


# --- TensorBoard ---
OF_TENSORBOARD = """
import json, sys
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from pathlib import Path
found, texts = [], []
for path in sorted(Path(sys.argv[1]).rglob("*tfevents*")):
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            (texts if value.tag.endswith("text_summary") else found).append([value.tag, event.step, event.wall_time])
print(json.dumps([found, texts]))
"""


def test_tensorboard_has_each_figure_of_each_round_once_whatever_is_killed(follow) -> None:
    one = follow("tensorboard", server=True)
    one.is_killed_often()
    found, texts = asked("server", OF_TENSORBOARD, one.runs)
    once = Counter((tag, step) for tag, step, dummy_time in found)
    assert set(once.values()) == {1}
    assert [step for tag, step in sorted(once) if tag == "loss"] == [*range(1, 13)]
    assert len({tag for tag, dummy_step in once}) * 12 == len(once)
    assert {tag for tag, dummy_step, dummy_time in texts} == {"settings/text_summary", "outcome/text_summary"}
    assert [path.name for path in one.runs.iterdir()] == [one.memory()["label"]]


# --- Weights & Biases ---
def test_weights_and_biases_has_each_round_once_in_its_files_whatever_is_killed(follow) -> None:
    one = follow("wandb", mode="offline")
    one.is_killed_often()
    code = "import json, sys; sys.path.insert(0, sys.argv[1])\n"
    code += "from fedops_tracker._tracking.to_wandb import rounds_in_files as r\nprint(json.dumps(r(*sys.argv[2:])))"
    archive = one.path / TRACKER.file_name
    assert asked("wandb", code, archive, one.runs, one.memory()["key"]) == [*range(1, 13)]


# --- MLflow ---
OF_MLFLOW = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
(experiment,) = client.search_experiments(filter_string="name = 'default'")
found = []
for run in client.search_runs([experiment.experiment_id]):
    number, data = run.info.run_id, run.data
    history = {key: [entry.step for entry in client.get_metric_history(number, key)] for key in data.metrics}
    found.append([run.info.run_name, run.info.status, history, data.params, data.tags])
print(json.dumps(found))
"""


def expect_every_round_once(found: Any) -> tuple[dict[str, str], dict[str, str]]:
    ((name, status, history, params, tags),) = found
    assert name.startswith("default-")
    assert status == "FINISHED"
    assert {key: sorted(steps) for key, steps in history.items()} == {key: [*range(1, 13)] for key in history}
    assert {"loss", "accuracy", "metrics/train_loss", "site/site-000abcdefghi/loss"} <= history.keys()
    assert params["client-lr"] == "0.1"
    assert tags["fedops.flower.state"] == "completed"
    return params, tags


def expect_the_number_of_today(params: dict[str, str], tags: dict[str, str]) -> None:
    """The program was there before more rounds were asked for, or it was not."""
    assert "12" in (params["num-rounds"], tags.get("fedops.flower.now.num-rounds"))


def test_files_of_mlflow_have_each_figure_once_whatever_is_killed(follow) -> None:
    one = follow("mlflow")
    one.is_killed_often()
    expect_the_number_of_today(*expect_every_round_once(asked("mlflow", OF_MLFLOW, f"file://{one.runs}/mlruns")))


class Server:
    """MLflow's own server, with a database."""

    def __init__(self, path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.path, self.uri = path, f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(SERVER / "python"), "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", f"sqlite:///{self.path}/mlflow.db"]
        command += ["--artifacts-destination", str(self.path / "artifacts")]
        environment = {"PATH": f"{SERVER}:/usr/bin:/bin", "HOME": str(self.path), "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.path / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=self.path, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        began = time.monotonic()
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            assert time.monotonic() < began + PATIENCE, (self.path / "server.log").read_text()[-3000:]
            time.sleep(0.5)

    def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    needs("mlflow", server=True)
    found = Server(tmp_path)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def test_the_server_of_mlflow_has_each_figure_once_whatever_is_killed(follow, server) -> None:
    one = follow("mlflow", server=True, uri=server.uri)
    one.is_killed_often()
    expect_the_number_of_today(*expect_every_round_once(asked("mlflow", OF_MLFLOW, server.uri)))


def test_a_server_that_goes_away_gets_what_it_has_missed(follow, server) -> None:
    one = follow("mlflow", server=True, uri=server.uri)
    one.secrets(username="flower", password="a-password-of-ours")
    one.host.rounds(1, 2)
    one.start()
    one.until(lambda memory: memory.get("told") == 2)
    server.stop()
    one.host.rounds(3, 4, 5)
    memory = one.until(lambda memory: memory.get("problem") and memory.get("newest") == 5)
    assert memory["told"] == 2
    server.start()
    one.host.rounds(*range(6, 13))
    one.host.completed(rounds=12)
    one.until_closed(12)
    assert one.memory()["problem"] == ""
    one.end(signal.SIGTERM)
    expect_every_round_once(asked("mlflow", OF_MLFLOW, server.uri))
    log = (one.path / "log").read_text()
    assert "It is tried again" in log
    assert "All is well again" in log
    assert "a-password-of-ours" not in log + (one.state / "state.json").read_text()
