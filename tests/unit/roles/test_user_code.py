# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the units of user code keep from it, and what strangers cost the gateway."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
RUNS_APPS = {
    "flower-superexec": "superlink/templates/flower-superexec.service.j2",
    "flower-clientapps": "supernode/templates/flower-clientapps.service.j2",
}


@pytest.mark.parametrize("path", RUNS_APPS.values(), ids=RUNS_APPS)
def test_user_code_speaks_to_no_service_that_would_act_for_it(path) -> None:
    assert "InaccessiblePaths={{ sandbox.closed_doors }}\n" in (ROLES / path).read_text("utf-8")


def test_apps_take_no_connection_to_the_superlink_from_supernodes() -> None:
    gateway = (ROLES / "superlink" / "templates" / "gateway.conf.j2").read_text("utf-8")
    fleet, apps = gateway.split("listen 127.0.0.1:{{ superlink_runtime_port | int }} ssl;")
    assert {*re.findall(r"proxy_pass https://(\w+)/", fleet)} == {"superlink"}
    assert {*re.findall(r"proxy_pass https://(\w+)/", apps)} == {"superlink_for_apps"}


def test_a_stranger_who_says_hello_costs_little() -> None:
    tasks = yaml.safe_load((ROLES / "certificates" / "tasks" / "server.yml").read_text("utf-8"))
    blocks = [task for outer in tasks for task in outer.get("block", [])]
    (key,) = (task["community.crypto.openssl_privatekey"] for task in blocks if "Make the private key" in task["name"])
    assert key["curve"] == "secp256r1"
