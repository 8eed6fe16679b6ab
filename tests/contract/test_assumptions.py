# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we rely on of Flower, asked of the real thing: one test for each row of assumptions.py, by its name.

Run it (make contract) before another release of Flower is taken. A test that fails names the row to change.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.request
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import assumptions as flower
from ansible_collections.fedops.flower.plugins.module_utils._flower import cli, fab
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import ProcessTable, moment, of_run
from ansible_collections.fedops.flower.plugins.module_utils._supernode import known_keys, public_keys
from flwr.app import ConfigRecord

from .conftest import BIN, daemon, free_port

PATIENCE = 120
QUIET = ("FLWR_TELEMETRY_ENABLED", "FLWR_DISABLE_UPDATE_CHECK")


def app_of(flwr) -> str:
    return f"{flwr.home}/app/testapp"


def raw(flwr, *arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call Flower's command line with nothing of ours in between but the launcher."""
    home = f"{flwr.home}/control"
    env = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": home, "FLWR_HOME": f"{home}/.flwr", "NO_COLOR": "1", **flower.QUIET}
    command = [f"{flwr.home}/bin/flwr", *arguments]
    return subprocess.run(
        command, env={**env, **environment}, capture_output=True, text=True, timeout=timeout, check=False
    )


def answer(flwr, *arguments: str) -> dict:
    done = raw(flwr, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :])


def wait_for(flwr, run_id: str, *statuses: str) -> cli.Run:
    deadline = time.monotonic() + PATIENCE
    while True:
        (run,) = [run for run in flwr.runs() if run.run_id == run_id]
        if run.status in statuses or time.monotonic() > deadline:
            return run
        time.sleep(0.2)


def code_of(call) -> int | None:
    with pytest.raises(cli.FlwrError) as caught:
        call()
    return caught.value.code


@contextmanager
def frozen(process: int):
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


# --- What several tests look at ---


def make_key(folder: Path, *kind: str) -> str:
    """Make a key; return its public half."""
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", *(kind or ("-t", "ecdsa", "-b", "384")), "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture
def public_key(tmp_path) -> str:
    return make_key(tmp_path)


@pytest.fixture(scope="session")
def abandoned(flwr) -> str:
    """A run whose ServerApp is gone since the beginning of the tests, and that nobody stops."""
    submission = flwr.submit(app_of(flwr), "num-rounds = 600\n")
    end_serverapp(wait_for(flwr, submission.run_id, "running"))
    return submission.run_id


@pytest.fixture(scope="session")
def completed(flwr, abandoned) -> cli.Run:
    return wait_for(flwr, flwr.submit(app_of(flwr), "num-rounds = 1\n").run_id, "completed", "failed")


@pytest.fixture(scope="session")
def failed(flwr) -> cli.Run:
    return wait_for(flwr, flwr.submit(app_of(flwr), "fail = true\n").run_id, "completed", "failed")


@pytest.fixture(scope="session")
def long_run(flwr, abandoned):
    """A run that is under way."""
    yield wait_for(flwr, (run := flwr.submit(app_of(flwr), "num-rounds = 600\n")).run_id, "running")
    flwr.stop(run.run_id)


def process_of(run: cli.Run):
    """Return the process of a run's ServerApp by what the supervisor knows."""
    table = ProcessTable()
    return of_run([(each, table.began(each)) for each in table.serverapps()], moment(run.starting_at))


def end_serverapp(run: cli.Run) -> None:
    table = ProcessTable()
    (process,) = process_of(run)
    table.kill(process)
    deadline = time.monotonic() + PATIENCE
    while table.lives(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not table.lives(process)


# --- The command line ---


def options_of(*command: str) -> set[str]:
    """Return the options in the help of a command; it fails where there is no such command."""
    shown = {**os.environ, "COLUMNS": "1000", "NO_COLOR": "1"}
    asked = [BIN / command[0], *command[1:], "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, env=shown, check=False)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--[a-z][a-z-]+", done.stdout))


@pytest.mark.parametrize("command", [flower.LIST_RUNS, flower.SUBMIT_RUN, flower.STOP_RUN, flower.SHOW_LOG])
def test_run_commands(command) -> None:
    assert "--help" in options_of("flwr", command)


@pytest.mark.parametrize("command", [flower.LIST_NODES, flower.REGISTER_NODE, flower.UNREGISTER_NODE])
def test_node_commands(command) -> None:
    assert "--help" in options_of("flwr", *command)


@pytest.mark.parametrize(
    ("option", "commands"),
    [
        (
            flower.FORMAT_OPTION,
            [
                [flower.LIST_RUNS],
                [flower.SUBMIT_RUN],
                [flower.STOP_RUN],
                flower.LIST_NODES,
                flower.REGISTER_NODE,
                flower.UNREGISTER_NODE,
            ],
        ),
        (flower.RUN_CONFIG_OPTION, [[flower.SUBMIT_RUN]]),
        (flower.SHOW_OPTION, [[flower.SHOW_LOG]]),
        (flower.NAME_OPTION, [flower.REGISTER_NODE]),
    ],
)
def test_command_options(option, commands) -> None:
    assert [command for command in commands if option not in options_of("flwr", *command)] == []


def test_listings(flwr) -> None:
    assert flower.RUN_ROWS in answer(flwr, "list", "local")
    assert flower.NODE_ROWS in answer(flwr, "supernode", "list", "local")


def test_answers(flwr) -> None:
    assert answer(flwr, "list", "local")[flower.SUCCESS] is True
    refused = answer(flwr, "stop", "42", "local")
    assert refused[flower.SUCCESS] is False
    assert refused[flower.ERROR_MESSAGE]


def test_error_code(flwr) -> None:
    assert re.search(flower.ERROR_CODE, answer(flwr, "stop", "42", "local")[flower.ERROR_MESSAGE])


def test_error_frame(flwr) -> None:
    done = raw(flwr, "list", "nosuch")
    assert set("╭╰│─╮╯") <= set(done.stderr) & set(flower.ERROR_FRAME)
    with pytest.raises(cli.FlwrError, match=r"Flower says: [^╭╰│─╮╯]*SuperLink connection 'nosuch' not found"):
        cli.Flwr(flwr.home, "nosuch").runs()


def test_unreachable(flwr) -> None:
    with pytest.raises(cli.FlwrUnreachableError):
        cli.Flwr(flwr.home, "dead").runs()


def test_invalid_run_config(flwr) -> None:
    assert code_of(lambda: flwr.submit(app_of(flwr), "nope = 1\n")) == flower.INVALID_RUN_CONFIG


def test_run_not_found(flwr) -> None:
    assert code_of(lambda: flwr._json("stop", "42", "local")) == flower.RUN_NOT_FOUND
    assert flwr.stop("42") is False


def test_run_already_finished(flwr, completed) -> None:
    assert code_of(lambda: flwr._json("stop", completed.run_id, "local")) == flower.RUN_ALREADY_FINISHED
    assert flwr.stop(completed.run_id) is False


def test_key_already_in_use(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    assert code_of(lambda: flwr.register("b", public_key)) == flower.KEY_ALREADY_IN_USE
    flwr.unregister(node_id)
    assert code_of(lambda: flwr.register("a", public_key)) == flower.KEY_ALREADY_IN_USE


def test_node_not_found(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    assert [flwr.unregister(node_id), flwr.unregister(node_id), flwr.unregister("42")] == [True, False, False]
    for number in (node_id, "42"):
        assert code_of(lambda number=number: flwr._json("supernode", "unregister", number, "local")) == (
            flower.NODE_NOT_FOUND
        )


def test_submission_fields(flwr, completed) -> None:
    said = answer(flwr, "run", app_of(flwr), "local")
    run = wait_for(flwr, str(said[flower.RUN_ID]), "completed", "failed")
    assert (run.status, run.fab_hash.startswith(said[flower.FAB_HASH])) == ("completed", True)


def test_short_hash(flwr, completed, tmp_path) -> None:
    submission = flwr.submit(app_of(flwr), "num-rounds = 1\n")
    assert (len(submission.fab_hash), len(completed.fab_hash)) == (flower.SHORT_HASH, 64)
    subprocess.run([f"{flwr.home}/bin/flwr", "build", "--app", app_of(flwr)], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.glob("*.fab")] == [
        fab.About("fedops", "testapp", "1.0.0").fab_name(completed.fab_hash)
    ]


def test_run_fields(flwr, completed) -> None:
    rows = answer(flwr, "list", "local")["runs"]
    (row,) = [row for row in rows if row[flower.RUN_FIELDS["run_id"]] == completed.run_id]
    assert set(flower.RUN_FIELDS.values()) <= set(row)


def test_run_counts(flwr, completed) -> None:
    rows = answer(flwr, "list", "local")["runs"]
    (row,) = [row for row in rows if row[flower.RUN_FIELDS["run_id"]] == completed.run_id]
    assert {name: row[table][key] for name, (table, key) in flower.RUN_COUNTS.items()} == {
        "traffic": 0, "client_seconds": 0,
    }  # fmt: skip
    assert completed.replied is False  # its ServerApp asks nobody, and Flower calls it completed


def test_run_alive(flwr) -> None:
    executor = int(Path(flwr.home, "superexec.pid").read_text())
    with frozen(executor):
        submission = flwr.submit(app_of(flwr), "num-rounds = 600\n")
        assert wait_for(flwr, submission.run_id, flower.RUN_PENDING).status == flower.RUN_PENDING
    seen = set()
    while (run := wait_for(flwr, submission.run_id, *flower.ALIVE)).status != flower.RUN_RUNNING:
        seen.add(run.status)
    assert seen <= {flower.RUN_PENDING, flower.RUN_STARTING}
    assert flwr.stop(submission.run_id) is True


def test_run_ended(flwr, completed, failed, long_run) -> None:
    stopped = flwr.submit(app_of(flwr), "num-rounds = 600\n").run_id
    wait_for(flwr, stopped, flower.RUN_RUNNING)
    assert flwr.stop(stopped) is True
    words = [completed.status, failed.status, wait_for(flwr, stopped, flower.RUN_STOPPED).status]
    assert words == [flower.RUN_COMPLETED, flower.RUN_FAILED, flower.RUN_STOPPED]


def test_ended_prefix(flwr, completed, long_run) -> None:
    states = {row["run-id"]: row["status"] for row in answer(flwr, "list", "local")["runs"]}
    assert states[completed.run_id] == flower.ENDED_PREFIX + flower.RUN_COMPLETED
    assert states[long_run.run_id] == flower.RUN_RUNNING


def test_not_known(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    rows = {row["node-id"]: row for row in answer(flwr, "supernode", "list", "local")["nodes"]}
    assert rows[node_id][flower.NODE_FIELDS["online_at"]] in ("", flower.NOT_KNOWN)
    executor = int(Path(flwr.home, "superexec.pid").read_text())
    with frozen(executor):
        run_id = flwr.submit(app_of(flwr), "num-rounds = 1\n").run_id
        (row,) = [row for row in answer(flwr, "list", "local")["runs"] if row["run-id"] == run_id]
    assert row[flower.RUN_FIELDS["starting_at"]] == flower.NOT_KNOWN


def test_time_format(completed) -> None:
    times = [moment(text) for text in (completed.pending_at, completed.starting_at)]
    assert None not in times
    assert abs(times[1] - time.time()) < 600  # of UTC, wherever this is


def test_app_raised(failed) -> None:
    assert failed.details == f"{flower.APP_RAISED}the data went away"


def test_log_heading(flwr, completed) -> None:
    lines = raw(flwr, "log", completed.run_id, "local", "--show").stdout.splitlines()
    assert any(line.startswith(flower.LOG_HEADING) for line in lines)
    assert "round 1" in flwr.log(completed.run_id, 20)


def test_silent(flwr) -> None:
    executor = int(Path(flwr.home, "superexec.pid").read_text())
    with frozen(executor):
        run_id = flwr.submit(app_of(flwr), "num-rounds = 1\n").run_id
        assert wait_for(flwr, run_id, *flower.SILENT).status in flower.SILENT
        with pytest.raises(subprocess.TimeoutExpired):
            raw(flwr, "log", run_id, "local", "--show", timeout=8)


def test_node_fields(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    (row,) = [row for row in answer(flwr, "supernode", "list", "local")["nodes"] if row["node-id"] == node_id]
    assert set(flower.NODE_FIELDS.values()) <= set(row)
    assert public_key not in json.dumps(row)


def test_node_states(flwr, public_key, tmp_path) -> None:
    home, seen = Path(flwr.home), []

    def state() -> str:
        return {node.node_id: node.status for node in flwr.supernodes()}[node_id]

    def await_state(word: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (last := state()) != word and time.monotonic() < deadline:
            time.sleep(0.2)
        seen.append(last)

    node_id = flwr.register("a", public_key)
    await_state(flower.REGISTERED)
    options = (
        f"--superlink=127.0.0.1:{(home / 'port').read_text()}", f"--root-certificates={home}/ca.crt",
        f"--auth-supernode-private-key={tmp_path}/key", f"--port={free_port()}",
    )  # fmt: skip
    with daemon(tmp_path, "flower-supernode", *options):
        await_state(flower.ONLINE)
    await_state(flower.OFFLINE)
    flwr.unregister(node_id)
    await_state(flower.UNREGISTERED)
    assert seen == [flower.REGISTERED, flower.ONLINE, flower.OFFLINE, flower.UNREGISTERED]


# --- Files ---


def test_stored_keys(flwr, public_key) -> None:
    node_id = flwr.register("a", public_key)
    assert public_keys.stored_keys(flwr.home)[node_id] == public_key


def test_apps_folder(flwr, completed) -> None:
    apps = Path(flwr.home, "app", ".flwr", flower.APPS_FOLDER)
    folder = apps / fab.About("fedops", "testapp", "1.0.0").folder(completed.fab_hash)
    assert (folder / "testapp" / "server.py").is_file()


def built(flwr, folder: Path) -> zipfile.ZipFile:
    command = [f"{flwr.home}/bin/flwr", "fab", folder]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **flower.QUIET})
    return zipfile.ZipFile(io.BytesIO(done.stdout.partition(b"\n")[2]))


def copied(flwr, tmp_path: Path) -> Path:
    app = tmp_path / "app"
    for path in Path(app_of(flwr)).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = app / path.relative_to(app_of(flwr))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return app


def test_fab_limit(flwr, tmp_path) -> None:
    app = copied(flwr, tmp_path)
    (app / "testapp" / "noise.json").write_text(os.urandom(flower.FAB_LIMIT).hex())
    assert answer(flwr, "run", str(app), "local")[flower.SUCCESS] is False
    from flwr.common import constant

    assert constant.FAB_MAX_SIZE == flower.FAB_LIMIT


def test_fab_info(flwr, tmp_path) -> None:
    names = built(flwr, copied(flwr, tmp_path)).namelist()
    about = [name for name in names if name.startswith(flower.FAB_INFO)]
    assert about != []
    assert all(name.startswith("testapp/") or name == "pyproject.toml" for name in set(names) - set(about))


def test_fab_suffixes(flwr, tmp_path) -> None:
    app = copied(flwr, tmp_path)
    for suffix in (*flower.FAB_SUFFIXES, ".txt", ".npz", ".csv", ".so", ".sh", ".pem"):
        (app / "testapp" / f"kind{suffix}").write_text("")
    kinds = {Path(name).suffix for name in built(flwr, app).namelist() if Path(name).stem == "kind"}
    assert kinds == set(flower.FAB_SUFFIXES)


def test_quiet() -> None:
    """Nothing here could be seen to call anybody: this holds that Flower still knows the variables."""
    telemetry = inspect.getsource(importlib.import_module("flwr.supercore.telemetry"))
    update_check = inspect.getsource(importlib.import_module("flwr.supercore.update_check"))
    assert tuple(flower.QUIET) == QUIET
    assert re.search(r'getenv\("FLWR_TELEMETRY_ENABLED"', telemetry)
    assert re.search(r'getenv\(FLWR_DISABLE_UPDATE_CHECK\) == "1"', update_check)


@pytest.mark.parametrize("bits", ["256", "384", "521"])
def test_curves(flwr, tmp_path, bits) -> None:
    public_key = make_key(tmp_path, "-t", "ecdsa", "-b", bits)
    assert public_key.split()[0] in flower.CURVES
    assert flwr.register("a", public_key)
    other = tmp_path / "other"
    other.mkdir()
    assert code_of(lambda: flwr.register("a", make_key(other, "-t", "ed25519"))) not in (0, flower.KEY_ALREADY_IN_USE)


# --- Processes ---


def test_serverapp_program(long_run) -> None:
    (process,) = process_of(long_run)
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    assert flower.SERVERAPP in [os.path.basename(word).decode() for word in words[:2]]


def test_serverapp_begins(long_run) -> None:
    (process,) = process_of(long_run)
    late = ProcessTable().began(process) - moment(long_run.starting_at)
    assert -flower.BEGINS_BEFORE <= late <= flower.BEGINS_AFTER


def test_stopped_at_once(flwr) -> None:
    run = wait_for(flwr, flwr.submit(app_of(flwr), "num-rounds = 600\n").run_id, "running")
    end_serverapp(run)
    assert wait_for(flwr, run.run_id, "running", "failed").status == flower.STOPPED_AT_ONCE
    assert flwr.stop(run.run_id) is True
    assert wait_for(flwr, run.run_id, "stopped").status == "stopped"


def test_superlink_options() -> None:
    assert set(flower.SUPERLINK_OPTIONS) - options_of("flower-superlink") == set()


def test_superexec_options() -> None:
    assert set(flower.SUPEREXEC_OPTIONS) - options_of("flower-superexec") == set()


def test_supernode_options() -> None:
    assert set(flower.SUPERNODE_OPTIONS) - options_of("flower-supernode") == set()


# --- What goes over the network ---


def asked_by(flwr, folder: Path, program: str, *options: str) -> list[tuple[str, dict[str, str]]]:
    """Return the paths and headers of what a program asks of a SuperLink that refuses everything."""
    home, seen = Path(flwr.home), []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append((self.path, dict(self.headers.items())))
            self.send_error(503)

        do_GET = do_POST

        def log_message(self, *_arguments) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(home / "server.crt", home / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    with daemon(folder, program, f"--root-certificates={home}/ca.crt", *(each.format(address) for each in options)):
        deadline = time.monotonic() + PATIENCE
        while not seen and time.monotonic() < deadline:
            time.sleep(0.1)
    server.shutdown()
    assert seen != []
    return seen


def asked_by_supernode(flwr, folder: Path) -> list[tuple[str, dict[str, str]]]:
    key = f"--auth-supernode-private-key={folder}/key"
    return asked_by(flwr, folder, "flower-supernode", "--superlink={}", key, f"--port={free_port()}")


def test_fleet_api(flwr, public_key, tmp_path) -> None:
    asked = [path for path, _headers in asked_by_supernode(flwr, tmp_path)]
    assert [path for path in asked if not path.startswith(flower.FLEET_API)] == []
    assert any(path.startswith(flower.FLEET_API) for path in api(flwr))


def test_runtime_api(flwr, tmp_path) -> None:
    secret = f"--superexec-auth-secret-file={flwr.home}/secret"
    asked = asked_by(flwr, tmp_path, "flower-superexec", "--runtime-api-address={}", secret)
    assert [path for path, _headers in asked if not path.startswith((flower.RUNTIME_API, flower.HEALTH))] == []
    assert any(path.startswith(flower.RUNTIME_API) for path in api(flwr))


def test_key_header(flwr, public_key, tmp_path) -> None:
    headers = {name.lower(): value for name, value in asked_by_supernode(flwr, tmp_path)[0][1].items()}
    assert headers[flower.KEY_HEADER] == known_keys.header(public_key)


def get(flwr, path: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=f"{flwr.home}/ca.crt")
    port = Path(flwr.home, "port").read_text()
    with urllib.request.urlopen(f"https://127.0.0.1:{port}{path}", timeout=10, context=context) as response:
        return response.status, response.read()


def api(flwr) -> list[str]:
    return list(json.loads(get(flwr, "/openapi.json")[1])["paths"])


def test_health(flwr) -> None:
    assert get(flwr, flower.HEALTH)[0] == 200


# --- What is not public in Python ---


def missing(names) -> list[str]:
    """Return those that Flower does not have."""

    lacking = []
    for module, wanted in names.items():
        for name in wanted:
            try:
                exec(f"from {module} import {name}", {})
            except ImportError:
                lacking.append(f"{module}:{name}")
    return lacking


def test_launcher_names() -> None:
    assert missing(flower.LAUNCHER_NAMES) == []


def test_app_names() -> None:
    assert missing(flower.APP_NAMES) == []


def test_codes_asked_again() -> None:
    for module, (name, code) in flower.ASKED_AGAIN.items():
        codes = getattr(importlib.import_module(module), name)
        assert isinstance(codes, frozenset)
        assert code in codes
        assert 500 not in codes  # or our launcher has nothing to do any more


def test_database_settings() -> None:
    for module, (name, known) in flower.DATABASE_SETTINGS.items():
        settings = getattr(importlib.import_module(module), name)
        assert isinstance(settings, tuple)
        assert known in settings
        assert "secure_delete" not in dict(settings)  # or our launcher has less to do


def test_parts_of_requests() -> None:
    for module, (name, limit) in flower.PARTS_OF_REQUESTS.items():
        assert getattr(importlib.import_module(module), name) == limit


def test_hash_of_a_task() -> None:
    types = importlib.import_module("flwr.supercore.superexec.executor.types")
    plugin = importlib.import_module("flwr.supercore.superexec.plugin.base_exec_plugin")
    supernode = importlib.import_module("flwr.supernode.start_client_internal")
    assert flower.TASK_HASH in types.ExecutionSpec.__dataclass_fields__
    assert f"task.{flower.TASK_HASH}" in inspect.getsource(plugin)
    assert f"{flower.TASK_HASH}=run_info.fab_hash" in inspect.getsource(supernode)
    run = inspect.getsource(importlib.import_module("flwr.supernode.runtime.run_clientapp").run_clientapp)
    assert run.index("install_from_fab(fab.content") < run.index("load_client_app_fn(")


def test_client_methods() -> None:
    client = importlib.import_module("flwr.supernode.fleet_http_client").FleetHttpClient
    assert [name for name in flower.CLIENT_METHODS if not callable(getattr(client, name, None))] == []


def test_round_of_message() -> None:
    begins, key = flower.ROUND_OF_MESSAGE
    assert ConfigRecord({key: 3}).deflate().startswith(begins)
    strategy = inspect.getsource(importlib.import_module("flwr.serverapp.strategy.fedavg"))
    assert strategy.count(f'config["{key}"] = server_round') == 2


def test_forgotten_message() -> None:
    assert flower.FORGOTTEN in inspect.getsource(importlib.import_module("flwr.supernode.start_client_internal"))


def test_sending_replies() -> None:
    push = importlib.import_module("flwr.supernode.start_client_internal")._push_messages
    assert tuple(inspect.signature(push).parameters) == flower.PUSHING
    assert 'while (content := object_store.get(tree.object_id)) == b"":' in inspect.getsource(push)


def not_said(pauses) -> list[str]:
    """Return the pauses that a module of Flower does not have, or has of another module ``time``."""
    found = {name: importlib.import_module(name) for name in pauses}
    lacking = [name for name, module in found.items() if getattr(module, "time", None) is not time]
    return lacking + [
        pause for name, said in pauses.items() for pause in said if pause not in inspect.getsource(found[name])
    ]


def test_supernode_pauses() -> None:
    assert not_said(flower.SUPERNODE_PAUSES) == []


def test_superexec_pauses() -> None:
    assert not_said(flower.SUPEREXEC_PAUSES) == []


def test_pull_backoff() -> None:
    utils = importlib.import_module("flwr.supercore.inflatable.inflatable_utils")
    for pull in (utils.pull_objects, utils.pull_and_inflate_object_from_tree):
        assert {name: pull.__kwdefaults__.get(name) for name in flower.PULLS} == flower.PULLS


def test_pushes() -> None:
    name, takes = flower.PUSHES
    push = getattr(importlib.import_module("flwr.supercore.inflatable.inflatable_utils"), name)
    assert tuple(inspect.signature(push).parameters) == takes
    assert push.__kwdefaults__[takes[-1]] > 0


def test_clientapp_program() -> None:
    constants = importlib.import_module("flwr.supercore.constant")
    assert flower.CLIENTAPP in constants.TASK_TYPE_TO_COMMAND.values()
    assert (BIN / flower.CLIENTAPP).is_file()


# --- Last, because it takes so long ---


def test_no_heartbeat(flwr, abandoned) -> None:
    run = wait_for(flwr, abandoned, "failed")
    assert run.status == "failed"
    assert run.details.startswith(flower.NO_HEARTBEAT_DETAILS)
