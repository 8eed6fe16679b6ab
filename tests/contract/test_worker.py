# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker without systemd, root or Ansible joins a SuperLink with TLS and node authentication, by its invitation."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from apps import about, pyproject

from .conftest import ROOT, free_port, write_certificates

JOIN = ROOT / "examples/worker/join.py"
PATIENCE = 180  # seconds
APP = {
    "pyproject.toml": about(
        pyproject("askingapp", "fedops", "askingapp.server:app", "askingapp.client:app"),
        description='"Asks every SuperNode what its data say"',
        license='"GPL-3.0-or-later"',
    ),
    "askingapp/__init__.py": "",
    "askingapp/client.py": """\
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def query(message, context):
    text = Path(context.node_config["data-path"], "text.txt").read_text()
    told = ConfigRecord({"site": context.node_config["site"], "text": text})
    return Message(RecordDict({"told": told}), reply_to=message)
""",
    "askingapp/server.py": """\
from flwr.app import Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    (node,) = grid.get_node_ids()
    (reply,) = grid.send_and_receive([Message(RecordDict(), dst_node_id=node, message_type="query")], timeout=120)
    told = reply.content["told"]
    if (told["site"], told["text"]) != ("colab-1", "only here"):
        raise RuntimeError(f"it said {dict(told)}")
""",
}


@pytest.fixture
def invitation(superlink_home: Path, tmp_path: Path) -> Path:
    """What playbooks/invite.yml writes, in its form."""
    text = (
        "# For the administrator of a site\n"
        "superlink:\n  hosts:\n"
        f'    "127.0.0.1":\n      superlink_fleet_port: {(superlink_home / "port").read_text()}\n'
        f"all:\n  vars:\n    join_authority: {json.dumps((superlink_home / 'ca.crt').read_text())}\n"
    )
    (tmp_path / "invitation.yml").write_text(text)
    return tmp_path / "invitation.yml"


@pytest.fixture
def asked(invitation: Path, tmp_path: Path) -> list[str]:
    """The command line of the worker."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/text.txt").write_text("only here")
    return [
        sys.executable, str(JOIN), "--invitation", str(invitation), "--name", "colab-1", "--data", f"{tmp_path}/data",
        "--folder", f"{tmp_path}/worker", "--port", str(free_port()),
    ]  # fmt: skip


def wait_until(what: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)


def test_it_joins_once_its_key_is_admitted_and_takes_part(flwr, superlink_home, asked, tmp_path) -> None:
    log, folder = tmp_path / "log", superlink_home / "app" / "askingapp"
    for name, text in APP.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with log.open("w") as stream:
        worker = subprocess.Popen(asked, stdout=stream, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "is tried again in" in log.read_text(), log)  # the SuperLink does not know its key
        told = yaml.safe_load(re.sub(r"(?ms)^(?!#|superlink_|  - |    \w+: ).*", "", log.read_text()))
        (one,) = told["superlink_external_supernodes"]
        assert (one["name"], one["site"]) == ("colab-1", "colab-1")
        assert stat.S_IMODE((tmp_path / "worker/supernode.key").stat().st_mode) == 0o600
        node_id = flwr.register(one["name"], one["public_key"])
        wait_until(lambda: {node.node_id: node.status for node in flwr.supernodes()}.get(node_id) == "online", log)
        run = flwr.submit(str(folder)).run_id

        def ended() -> object:
            return next(one for one in flwr.runs() if one.run_id == run).status in ("completed", "failed", "stopped")

        wait_until(ended, log)
        (found,) = [one for one in flwr.runs() if one.run_id == run]
        assert found.status == "completed", log.read_text()
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0
    assert children
    assert not any(os.path.exists(f"/proc/{child}") for child in children)  # its SuperNode has ended, too


def test_a_second_run_has_the_same_key(asked) -> None:
    first, second = (
        subprocess.run([*asked, "--only-prepare"], capture_output=True, text=True, check=True).stdout
        for _run in range(2)
    )
    assert first == second
    assert re.search(r"^# SHA-256 of the certificate authority ([0-9A-F]{2}:){31}[0-9A-F]{2}$", first, re.M)
    assert "PRIVATE" not in first


def test_another_authority_than_the_one_it_trusts_is_refused(asked, invitation, tmp_path) -> None:
    subprocess.run([*asked, "--only-prepare"], capture_output=True, check=True)
    (tmp_path / "other").mkdir()
    write_certificates(tmp_path / "other")
    said = yaml.safe_load(invitation.read_text())
    said["all"]["vars"]["join_authority"] = (tmp_path / "other/ca.crt").read_text()
    invitation.write_text(yaml.safe_dump(said))
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ca.crt is another certificate authority than that of the invitation" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--invitation", "/none"], "/none cannot be read: No such file or directory."),
        (["--invitation", __file__], "is no invitation. Ask the operator of the SuperLink for another one."),
        (["--name", 'a" b="c'], "--name is 'a\" b=\"c' but must be letters"),
        (["--data", "/none"], "--data is /none, which is no directory. Put the data there first."),
    ],
)
def test_what_is_wrong_is_told(asked, arguments, said) -> None:
    done = subprocess.run([*asked, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_invitation_of_the_playbook_is_of_the_form_that_is_read() -> None:
    (write,) = (
        task
        for play in yaml.safe_load((ROOT / "playbooks/invite.yml").read_text())
        for task in play["tasks"]
        if task["name"] == "Write the invitation"
    )
    text = re.sub(r"\{\{ __invite_ca.*to_json \}\}", json.dumps("PEM"), write["ansible.builtin.copy"]["content"])
    said = yaml.safe_load(re.sub(r"\{\{.*?\}\}", "9092", text))
    assert said == {
        "superlink": {"hosts": {9092: {"superlink_fleet_port": 9092}}},
        "all": {"vars": {"join_authority": "PEM"}},
    }
