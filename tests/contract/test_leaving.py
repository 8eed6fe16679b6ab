# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SuperNode whose site has agreed to one training, with Flower's own SuperLink, ServerApps and ClientApps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps import about, pyproject

from .conftest import BIN, ROOT, free_port
from .test_assumptions import make_key, wait_for

LAUNCHER = ROOT / "roles" / "supernode" / "files" / "flower-supernode.py"
NOBODY = "http://127.0.0.1:1"  # a proxy that systemd sets for all units of its host
CONFIG: dict[str, object] = {"training-name": '"digits"', "num-server-rounds": 2, "begin": 1, "end": 2}
SAID = {"training-name": "digits", "num-server-rounds": 2}  # as the supervisor says all that it knows
FILES = {
    "leaving/__init__.py": "",
    "leaving/client.py": """\
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message, context):
    return Message(RecordDict(), reply_to=message)
""",
    "leaving/server.py": """\
import time

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    config = context.run_config
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.2)
    for number in range(config["begin"], config["end"] + 1):
        asked = RecordDict({"config": ConfigRecord({"server-round": number})})
        replies = grid.send_and_receive([Message(asked, nodes[0], "train")], timeout=60)
        said = [reply.error.reason if reply.has_error() else "trained" for reply in replies]
        print(f"ROUND {number}: {said}", flush=True)
""",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("leaving")
    (folder / "leaving").mkdir()
    project = about(
        pyproject("leaving", "fedops", "leaving.server:app", "leaving.client:app", **CONFIG),
        description='"Asks one node for rounds"',
        license='"GPL-3.0-or-later"',
    )
    for name, text in {"pyproject.toml": project, **FILES}.items():
        (folder / name).write_text(text)
    return folder


@contextmanager
def started(flwr, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the SuperNode as its unit does, but for the ClientApps, which run below it."""
    home = Path(flwr.home)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable, LAUNCHER, f"--superlink=127.0.0.1:{(home / 'port').read_text()}",
                f"--root-certificates={home}/ca.crt", f"--auth-supernode-private-key={folder}/key",
                f"--port={free_port()}",
            ],
            cwd=folder,
            env={
                **os.environ, "SUPERNODE_LEAVE_AFTER_SESSIONS": "1", "FLWR_HOME": str(folder / ".flwr"),
                "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "PATH": f"{BIN}:{os.environ['PATH']}",
                **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOBODY), "no_proxy": "", "NO_PROXY": "",
            },
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)


def rounds(flwr, app: Path, **config: str | int) -> list[str]:
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**SAID, **config}.items())
    run = wait_for(flwr, flwr.submit(str(app), text).run_id, "completed", "failed")
    return [line.partition("ROUND ")[2] for line in flwr.log(run.run_id, 100) if "ROUND " in line]


def test_it_serves_a_training_that_goes_on_refuses_another_and_leaves(flwr, app, tmp_path) -> None:
    node_id = flwr.register("leaving", make_key(tmp_path))
    try:
        with started(flwr, tmp_path):
            assert rounds(flwr, app, end=1) == ["1: ['trained']"]
            more = "this site has agreed to one training, and this is one more"
            assert rounds(flwr, app, **{"training-name": "other", "end": 1}) == [f"1: ['{more}']"]
        with started(flwr, tmp_path) as process:  # it was killed
            assert rounds(flwr, app, begin=2) == ["2: ['trained']"]
            assert process.wait(90) == 0  # it has said goodbye
        with started(flwr, tmp_path) as process:
            assert process.wait(60) == 77
    finally:
        flwr.unregister(node_id)
    (taken,) = json.loads((tmp_path / "sessions.json").read_text())["taken"]
    assert (taken["training"], taken["messages"], taken["reached"], taken["ended"]) == ("digits", 2, 2, True)
    assert (tmp_path / "log").read_text().rstrip().endswith("fedops.flower.join or fedops.flower.site again.")
