# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaching the loopback beside a proxy, whoever has set one."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.loopback import keep_loopback

ROOT = Path(__file__).parents[5]
HUB = "hub.example.org"
AROUND = "127.0.0.1,localhost,::1"
# Who reaches for an address that may be the loopback, with a library that heeds proxies.
PROGRAMS = (
    "plugins/module_utils/_delivery/following.py",
    "plugins/module_utils/_tracking/program.py",
    "roles/superlink/files/flower-superexec.py",
    "roles/supernode/files/clientapps/superexec.py",
    "roles/supernode/files/flower-supernode.py",
)


@pytest.mark.parametrize(
    ("given", "around"),
    [
        ({"https_proxy": "p"}, (AROUND, AROUND)),
        ({"HTTP_PROXY": "p", "NO_PROXY": "hub.example.org, localhost"}, (f"{HUB},localhost,127.0.0.1,::1",) * 2),
        ({"all_proxy": "p", "no_proxy": ""}, (AROUND, AROUND)),
        ({"http_proxy": "p", "no_proxy": "a", "NO_PROXY": "b,::1"}, (f"a,{AROUND}", "b,::1,127.0.0.1,localhost")),
        ({"http_proxy": "p", "no_proxy": "*"}, (f"*,{AROUND}",) * 2),
    ],
)
def test_the_loopback_joins_what_is_reached_without_a_proxy(given: dict[str, str], around: tuple[str, str]) -> None:
    environment = dict(given)
    keep_loopback(environment)
    assert environment == {**given, "no_proxy": around[0], "NO_PROXY": around[1]}
    keep_loopback(environment)
    assert (environment["no_proxy"], environment["NO_PROXY"]) == around


@pytest.mark.parametrize("given", [{}, {"no_proxy": "n"}, {"https_proxy": ""}, {"MY_HTTP_PROXY": "m"}])
def test_an_environment_without_a_proxy_is_left_as_it_is(given: dict[str, str]) -> None:
    environment = dict(given)
    keep_loopback(environment)
    assert environment == given


def test_python_then_asks_no_proxy_for_the_loopback(monkeypatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "hub.example.org")
    assert not urllib.request.proxy_bypass("127.0.0.1")
    keep_loopback(os.environ)
    asked = ("127.0.0.1", "127.0.0.1:9094", "localhost", "hub.example.org", "elsewhere.example.org")
    assert [bool(urllib.request.proxy_bypass(host)) for host in asked] == [True, True, True, True, False]


@pytest.mark.parametrize("program", PROGRAMS)
def test_who_reaches_for_the_loopback_sees_to_it(program: str) -> None:
    assert re.search(r"^    keep_loopback\(os\.environ\)", (ROOT / program).read_text("utf-8"), re.MULTILINE)
