# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file by which a site joins: the operator of the SuperLink writes it, and the playbook join takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import file

from ..plays import play_in

LOCAL = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
NOBODY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def authority(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    subject = ["-subj", "/CN=Flower federation CA", "-nodes", "-newkey", "ed25519", "-keyout", "/dev/null"]
    subprocess.run(["openssl", "req", "-x509", *subject, "-out", path], check=True, capture_output=True)
    return path.read_text()


@pytest.fixture
def invited(tmp_path: Path) -> tuple[Path, str]:
    """A folder of a site with the invitation, and the certificate authority of the SuperLink's host."""
    home, site = tmp_path / "flower", tmp_path / "site"
    site.mkdir()
    text = authority(Path(file(str(home), "ca")))
    hosts = {"superlink": {"hosts": {"hub.example.org": {**LOCAL, "runtime_home": str(home)}}}}
    (tmp_path / "federation.yml").write_text(json.dumps(hosts))
    asked = {"superlink_fleet_port": 9443, "invite_file": str(site / "invitation.yml")}
    runs = [
        play_in(tmp_path, "-i", tmp_path / "federation.yml", "fedops.flower.invite", "-e", json.dumps(asked))
        for _time in range(2)
    ]
    assert [done.returncode for done in runs] == [0, 0], runs[0].stdout + runs[0].stderr
    assert "changed=0 " in runs[1].stdout
    (site / "site.yml").write_text(json.dumps({"supernodes": {"hosts": {"ward-a": NOBODY}}}))
    return site, text


def join(site: Path):
    return play_in(site, "-i", site / "invitation.yml", "-i", site / "site.yml", "fedops.flower.join")


def test_a_site_joins_with_one_file(invited) -> None:
    site, text = invited
    written = (site / "invitation.yml").read_text()
    fingerprint = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=text, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert fingerprint.partition("=")[2].lower() in written.lower()
    assert yaml.safe_load(written) == {
        "superlink": {"hosts": {"hub.example.org": {"superlink_fleet_port": 9443}}},
        "all": {"vars": {"join_authority": text}},
    }
    done = join(site)
    assert "ward-a]: UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert (site / "certificates" / "ca.crt").read_text() == text


def test_another_authority_than_that_of_the_invitation_is_refused_before_a_host_is_asked(invited) -> None:
    site, _text = invited
    other = authority(site / "certificates" / "ca.crt")
    done = join(site)
    assert (done.returncode, "UNREACHABLE" in done.stdout) == (2, False), done.stdout
    assert "is another certificate authority than that of the invitation" in done.stdout
    assert (site / "certificates" / "ca.crt").read_text() == other
