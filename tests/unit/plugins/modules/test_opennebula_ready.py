# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling OneGate that a machine is ready, against a double of OneGate."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._console.onegate import onegate
from ansible_collections.fedops.flower.plugins.modules import opennebula_ready as module

SECRET = "yCxieDUS7kra7Vn9ILA0+g=="


class Gate(BaseHTTPRequestHandler):
    """OneGate of one machine, number 7: GET and PUT of /vm, where a PUT is lines of a template."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        known = (self.headers["X-ONEGATE-TOKEN"], self.headers["X-ONEGATE-VMID"]) == (SECRET, "7")
        status = 200 if known and self.path == "/vm" else 401
        if status == 200 and self.command == "PUT":
            self.server.told.update(line.split("=") for line in body.split("\n"))
            self.server.calls += 1
        text = {"VM": {"NAME": "hub", "ID": "7", "USER_TEMPLATE": self.server.told}} if self.command == "GET" else ""
        answer = json.dumps(text).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = _answer

    def log_message(self, *dummy: object) -> None:
        pass


@pytest.fixture
def gate():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    server.told, server.calls = {"LABELS": "ward"}, 0
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ran(capsys, folder: Path, gate, token: str = SECRET, **arguments: object) -> tuple[dict, str]:
    endpoint = f"http://127.0.0.1:{gate.server_address[1]}"
    lines = {"ONEGATE_ENDPOINT": endpoint, "VMID": "7", "TOKEN": "YES", "TOKENTXT": token}
    (folder / "one_env").write_text("".join(f'export {name}="{value}"\n' for name, value in lines.items() if value))
    given = {"role": "superlink", "fleet_port": 9092, "directory": str(folder), "device": str(folder / "none")}
    with patch_module_args({**given, **arguments}), pytest.raises(SystemExit):
        module.main()
    said = capsys.readouterr().out
    return json.loads(said), said


def test_a_superlink_is_published_once(capsys, tmp_path: Path, gate) -> None:
    rehearsed, _said = ran(capsys, tmp_path, gate, _ansible_check_mode=True)
    assert (rehearsed["changed"], gate.calls) == (True, 0)
    told = [ran(capsys, tmp_path, gate) for _time in range(2)]
    assert [result["changed"] for result, _said in told] == [True, False]
    facts = {"READY": "YES", "FL_READY": "YES", "FL_ROLE": "superlink", "FL_ENDPOINT": "127.0.0.1:9092"}
    assert (gate.told, gate.calls) == ({"LABELS": "ward", **facts}, 1)
    assert told[0][0]["published"] == rehearsed["published"] == facts
    assert [SECRET in said for _result, said in told] == [False, False]
    assert ran(capsys, tmp_path, gate, fleet_address="hub.example.org")[0]["changed"] is True
    assert gate.told["FL_ENDPOINT"] == "hub.example.org:9092"


def test_a_supernode_is_ready_and_has_no_address(capsys, tmp_path: Path, gate) -> None:
    ran(capsys, tmp_path, gate, role="supernode")
    assert gate.told == {"LABELS": "ward", "READY": "YES", "FL_NODE_READY": "YES", "FL_ROLE": "supernode"}


def test_an_address_that_onegate_would_misread_is_not_published(capsys, tmp_path: Path, gate) -> None:
    ran(capsys, tmp_path, gate, fleet_address="[2001:db8::1]")
    assert (gate.told["READY"], "FL_ENDPOINT" in gate.told) == ("YES", False)


def test_the_token_may_lie_in_a_file_beside_the_variables(capsys, tmp_path: Path, gate) -> None:
    (tmp_path / "token.txt").write_text(f"{SECRET}\n")
    result, said = ran(capsys, tmp_path, gate, token="")
    assert (gate.told["READY"], result["changed"], SECRET in said) == ("YES", True, False)


def test_a_machine_without_a_token_tells_nobody(capsys, tmp_path: Path, gate) -> None:
    result, _said = ran(capsys, tmp_path, gate, token="")
    assert (result["changed"], result["published"], gate.calls) == (False, {}, 0)


def test_a_refusal_names_the_machine_and_not_the_token(capsys, tmp_path: Path, gate) -> None:
    result, said = ran(capsys, tmp_path, gate, token="another")
    assert result["msg"].endswith("refuses machine 7 (401). Look whether its token is still that of its context.")
    assert "another" not in said.replace("another one", "")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense"])
def test_a_gate_that_does_not_answer_is_told(endpoint: str) -> None:
    text = f'ONEGATE_ENDPOINT="{endpoint}"\nVMID="7"\nTOKENTXT="{SECRET}"\n'
    for deed in (onegate(text, str).told, onegate(text, str).address):
        with pytest.raises(Exception, match=f"OneGate at {endpoint} does not answer: ") as told:
            deed()
        assert SECRET not in str(told.value)
    assert SECRET not in repr(onegate(text, str))
