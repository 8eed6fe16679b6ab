# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts have the certificate authority of the SuperLink's inventory, wherever their own are listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..plays import play_in

ROLE = Path(__file__).resolve().parents[3] / "roles" / "certificates"


@pytest.fixture
def told(tmp_path):
    """Return what the role computes for each host of inventories, as files of a folder."""

    def tell(expression: str, files: dict[str, str], sources: list[str], **extra: str) -> dict[str, str]:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        book = {
            "hosts": "all", "gather_facts": False,
            "vars_files": [str(ROLE / kind / "main.yml") for kind in ("defaults", "vars")],
            "tasks": [{"ansible.builtin.debug": {"msg": "{{ inventory_hostname }}={{ " + expression + " }}"}}],
        }  # fmt: skip
        (tmp_path / "book.yml").write_text(json.dumps([book]))
        done = play_in(tmp_path, *(f"-i{tmp_path / source}" for source in sources), "book.yml", "-e", json.dumps(extra))
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [line.split('"')[3] for line in done.stdout.splitlines() if '"msg": ' in line]
        return dict(line.split("=", 1) for line in lines)

    return tell


FILES = {"hub/hosts.ini": "[superlink]\nsl\n", "sites/hosts.ini": "[supernodes]\nsn\n"}


@pytest.mark.parametrize(
    ("sources", "kept"),
    [(["sites/hosts.ini", "hub/hosts.ini"], "hub/certificates"), (["hub", "sites"], "certificates")],
)
def test_there_is_one_directory_for_all_hosts(told, tmp_path, sources, kept) -> None:
    found = told("certificates_ca_directory", FILES, sources)
    assert found == dict.fromkeys(("sl", "sn"), str(tmp_path / kept))


@pytest.mark.parametrize(
    ("extra", "forgotten"),
    [
        ({}, "False"),
        ({"awx_job_id": "7"}, "True"),
        ({"awx_job_id": "7", "certificates_ca_directory": "/volume"}, "False"),
    ],
)
def test_what_awx_forgets_is_known(told, extra, forgotten) -> None:
    assert told("__certificates_are_forgotten", FILES, ["hub/hosts.ini"], **extra) == {"sl": forgotten}
