# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the files of a host: looking at them, and telling what there is to tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._alerts import conditions, program, sight
from ansible_collections.fedops.flower.plugins.module_utils._alerts.record import ALERT_RECORD, read_alerts
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.plugin_utils._program import ALERTS
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs" / "alert.schema.json").read_text("utf-8"))
NOW = 1_800_000_000.0
PROBLEM = "Checkpoint 3 was not saved: No space left on device."


def certificate(ends: float) -> bytes:
    """Return a certificate that ends at a moment."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aggregator")])
    end = datetime.fromtimestamp(ends, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(end - timedelta(days=400)).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Host:
    """A SuperLink host."""

    def __init__(self, home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.record, self.now, self.free = home, tmp_path / "record", NOW, 50.0
        self.record.mkdir()
        home.answers(supernode_list="supernode_list_end")
        (home.path / "records").mkdir()
        members = [
            {
                "name": "hospital-a",
                "fingerprint": "1",
                "node_id": "17856385283664728171",
                "pseudonym": "site-k3vq6dxt2m4a",
            }
        ]
        (home.path / "records" / "supernodes.json").write_text(json.dumps({"supernodes": members}))
        (home.path / "certificates").mkdir()
        self.certificate("server.crt", 100)
        self.certificate("ca.crt", 1000)
        home.ledger(("7", "h", 5))
        self.stands("running")
        monkeypatch.setattr(program.time, "time", lambda: self.now)
        monkeypatch.setattr(sight, "_storage", lambda path: (path, sight.SeenStorage(path, self.free)))

        def units(*names: str) -> list[Unit]:
            return [Unit(name, "loaded", "active", "running") for name in names]

        monkeypatch.setattr(sight, "show_units", units)
        monkeypatch.setattr(sight.look, "__defaults__", (units,))

    def certificate(self, name: str, days: float) -> None:
        (self.home.path / "certificates" / name).write_bytes(certificate(NOW + days * 86400))

    def stands(self, state: str, order: str = "1", **more: Any) -> None:
        config = 'checkpoint-enabled = true\ncheckpoint-path = "/srv/kept"\ntraining-name = "default"\n'
        request = {
            "name": "default",
            "app": "/app",
            "configuration_hash": "h",
            "request_id": order,
            "run_config": config,
        }
        memory = {"request_id": order, "state": state, "run_id": "7", "runs": 1, **more}
        self.home.training(request={**request, "num_rounds": 5}, supervision=memory)

    def rounds(self, *events: dict) -> None:
        rows = [
            {"event": "round_finished", "run_id": "7", "round": number, "configuration_hash": "h", **event}
            for number, event in enumerate(events, 1)
        ]
        self.home.training(history=rows)

    def look(self, *more: str, after: float = 60) -> list[dict[str, Any]]:
        """Look as the unit does; return what is new, each event held to the schema."""
        self.now += after
        before = read_alerts(str(self.record)).number
        given = ["--home", str(self.home.path), "--record", str(self.record), "--host", "aggregator"]
        assert program.main(["watch", *given, *more]) == 0
        new = [entry["event"] for entry in read_alerts(str(self.record)).outbox if entry["number"] > before]
        for event in new:
            jsonschema.validate(event, SCHEMA)
        return new


@pytest.fixture
def host(home, tmp_path, monkeypatch) -> Host:
    return Host(home, tmp_path, monkeypatch)


def said(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["alert"], event["state"]) for event in events]


def test_the_schema_has_every_alert_and_no_other() -> None:
    assert SCHEMA["properties"]["alert"]["enum"] == list(conditions.ALERT_KINDS)


def test_a_federation_that_is_well_is_nothing_to_be_told(host) -> None:
    host.home.answers(supernode_list="supernode_list_online")
    host.rounds({"checkpoint": "checkpoint_round_1.npz"})
    assert [host.look() for _look in range(3)] == [[], [], []]


def test_a_training_that_fails_is_told_and_so_is_the_next_order(host) -> None:
    host.look("--offline", "1e9")
    host.stands("failed", reason="app", detail="The data went away.", since="2027-01-15T08:00:00+00:00")
    (event,) = host.look()
    assert (event["alert"], event["reason"], event["run_id"]) == ("training_failed", "app", "7")
    assert event["message"] == "The training default has failed. The data went away."
    host.stands("running", order="2")
    assert said(host.look("--offline", "1e9")) == [("training_failed", "over")]


def test_a_site_that_is_offline_is_told_while_something_is_trained(host) -> None:
    (event,) = host.look()
    assert (event["alert"], event["site"]) == ("site_offline", "hospital-a")
    host.home.answers(supernode_list="list_unreachable")
    assert host.look() == []
    host.stands("completed")
    (event,) = host.look()
    assert event["message"] == "The SuperNode hospital-a is no longer missed: nothing is trained any more."


def test_flower_is_asked_once_a_minute_and_only_while_something_is_trained(host) -> None:
    for _dummy in range(4):
        host.look(after=30)
    assert len(host.home.commands) == 2
    host.stands("completed")
    host.look(after=600)
    assert len(host.home.commands) == 2


def test_what_is_known_without_flower_is_told_before_flower_is_asked(host, monkeypatch) -> None:
    def endless(_home: Any) -> Any:
        raise KeyboardInterrupt

    host.free = 5.0
    monkeypatch.setattr(sight, "list_supernodes", endless)
    with pytest.raises(KeyboardInterrupt):
        host.look()
    told = read_alerts(str(host.record)).outbox
    assert {entry["event"]["alert"] for entry in told} == {"storage_low"}


def test_a_site_has_its_pseudonym_where_that_is_asked(host) -> None:
    (event,) = host.look("--names", "pseudonyms")
    assert event["site"] == "site-k3vq6dxt2m4a"
    assert "hospital-a" not in json.dumps(event)


def test_a_checkpoint_that_is_not_saved_is_told_until_the_next_is(host) -> None:
    host.rounds({"checkpoint": "a"}, {}, {"checkpoint_problem": PROBLEM})
    (event,) = host.look("--offline", "1e9")
    assert (event["alert"], event["round"]) == ("checkpoint_not_saved", 3)
    assert event["message"] == f"Round 3 of default is not saved. {PROBLEM}"
    host.rounds({"checkpoint": "a"}, {}, {"checkpoint_problem": PROBLEM}, {"checkpoint": "b"})
    assert said(host.look("--offline", "1e9")) == [("checkpoint_not_saved", "over")]


def test_a_site_that_gives_nothing_in_three_rounds_is_told_by_its_name(host) -> None:
    host.home.answers(supernode_list="supernode_list_online")
    failed, rejected = {"failed": [{"site": "site-k3vq6dxt2m4a"}]}, {"rejected": [{"site": "site-k3vq6dxt2m4a"}]}
    host.rounds(failed, rejected)
    assert host.look() == []
    host.rounds(failed, rejected, failed)
    (event,) = host.look()
    assert (event["alert"], event["site"], event["training"]) == ("site_failing", "hospital-a", "default")
    host.rounds(failed, rejected, failed, {})
    assert said(host.look()) == [("site_failing", "over")]


def test_the_history_is_read_when_it_has_changed_and_not_otherwise(host, monkeypatch) -> None:
    host.rounds({"checkpoint": "a"})
    host.look()
    monkeypatch.setattr(sight.TrainingFolder, "history", property(lambda _self: pytest.fail("it is read again")))
    host.look()


def test_a_certificate_is_told_before_it_ends_when_it_has_ended_and_when_there_is_another(host) -> None:
    host.stands("completed")
    assert host.look() == []
    host.certificate("server.crt", 20)
    (event,) = host.look()
    assert (event["alert"], event["path"]) == ("certificate_ends", str(host.home.path / "certificates" / "server.crt"))
    assert event["message"].startswith("The certificate of the SuperLink ends in 19 days, on 2027-02-04 08:00 UTC: ")
    assert said(host.look(after=20 * 86400)) == [("certificate_expired", "standing")]
    (host.home.path / "certificates" / "server.crt").write_text("between two states")
    assert host.look() == []
    host.certificate("server.crt", 400)
    assert said(host.look()) == [("certificate_ends", "over"), ("certificate_expired", "over")]


def test_storage_is_told_of_the_home_and_of_the_checkpoints_of_what_is_trained(host) -> None:
    host.free = 5.0
    assert {event["path"] for event in host.look("--offline", "1e9")} == {str(host.home.path), "/srv/kept"}
    host.free = 50.0
    assert {event["message"] for event in host.look("--offline", "1e9")} == {
        f"Of the storage of {path}, 50.0 % is free again." for path in (host.home.path, "/srv/kept")
    }


def test_how_much_of_a_real_storage_is_free_is_seen(tmp_path) -> None:
    found = os.statvfs(tmp_path)
    (seen,) = sight._storages([str(tmp_path), str(tmp_path)])
    assert seen.free == pytest.approx(100 * found.f_bavail / found.f_blocks, abs=2)
    (seen,) = sight._storages([str(tmp_path / "not there yet")])
    assert seen.free == 100.0


def test_storage_that_does_not_answer_is_silent(monkeypatch) -> None:
    def silent(*_anything: Any, **_how: Any) -> None:
        raise subprocess.TimeoutExpired("stat", 10)

    monkeypatch.setattr(sight.subprocess, "run", silent)
    assert list(sight._storages(["/srv/kept"])) == [sight.SeenStorage("/srv/kept", None)]


def test_a_host_without_anything_is_looked_at(home, tmp_path) -> None:
    (tmp_path / "record").mkdir()
    given = ["--home", str(home.path), "--record", str(tmp_path / "record"), "--free-percent", "0"]
    assert program.main(["watch", *given]) == 0
    assert read_alerts(str(tmp_path / "record")).outbox == []


def test_the_program_as_one_file_tells_a_test(host, tmp_path) -> None:
    """As the units do it: one process writes, another one reads and calls the program of the operator."""
    archive = tmp_path / ALERTS.file_name
    archive.write_bytes(ALERTS.build())
    (tmp_path / "state").mkdir()
    run = [sys.executable, "-I", "-B", str(archive)]
    where = ["--record", str(host.record)]
    done = subprocess.run([*run, "test", *where, "--host", "aggregator"], capture_output=True, text=True, check=True)
    assert "This is a test of the alerts of aggregator." in done.stdout
    record = json.loads((host.record / ALERT_RECORD).read_text())
    jsonschema.validate(record["outbox"][0]["event"], SCHEMA)
    keeper = f"import pwd, os, runpy, sys; sys.path.insert(0, {str(archive)!r})\n"
    keeper += "from fedops_alerts._alerts import program\n"
    keeper += "program.CONTROL_USER = pwd.getpwuid(os.geteuid()).pw_name\nsys.exit(program.main(sys.argv[1:]))\n"
    tell = ["deliver", *where, "--state", str(tmp_path / "state"), "--timeout", "60", "--attempts", "2", "--"]
    command = [sys.executable, "-c", keeper, *tell, "/bin/sh", "-c", f"cat >> {tmp_path}/told"]
    for _dummy in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    (told,) = (tmp_path / "told").read_text().splitlines()
    assert json.loads(told)["alert"] == "test"


def test_a_record_of_another_account_is_not_believed(host, tmp_path, monkeypatch) -> None:
    program.main(["test", "--record", str(host.record)])
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(program, "uid_of", lambda _name: -1)
    status = os.stat(host.record / ALERT_RECORD)
    tell = ["deliver", "--record", str(host.record), "--state", str(tmp_path / "state"), "--timeout", "60"]
    program.main([*tell, "--attempts", "1", "--", "/bin/sh", "-c", f"cat >> {tmp_path}/told"])
    assert (tmp_path / "told").exists() == (status.st_uid == 0)


def test_what_is_given_up_shows_in_the_status_of_the_unit(host, tmp_path, monkeypatch) -> None:
    program.main(["test", "--record", str(host.record)])
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(program, "uid_of", lambda _name: os.geteuid())
    tell = ["deliver", "--record", str(host.record), "--state", str(tmp_path / "state"), "--timeout", "60"]
    assert program.main([*tell, "--attempts", "1", "--", "/bin/false"]) == 1
    assert program.main([*tell, "--attempts", "1", "--", "/bin/false"]) == 0
