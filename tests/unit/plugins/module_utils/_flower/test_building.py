# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building an app that nobody has vouched for."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import building
from ansible_collections.fedops.flower.plugins.module_utils._flower.building import Builder, BuildError, build
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import About


def program(text: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\nout = sys.stdout.buffer\n{text}"]


HEADER = 'out.write(b\'{"publisher": "p", "name": "n", "version": "1.0"}\\n\')'


def test_what_it_is_called_and_its_fab_come_back() -> None:
    assert build(program(f"{HEADER}\nout.write(b'PK' + bytes(300) + b'\\n')")) == (
        About("p", "n", "1.0"),
        b"PK" + bytes(300) + b"\n",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sys.exit('the app is wrong\\x1b[2J')", r"^the app is wrong\\x1b\[2J$"),
        ("sys.exit(3)", "ended without a word; it may take 60 s and 1 GB"),
        ("os.kill(os.getpid(), 9)", "ended without a word"),
        ("pass", "it gave 0 bytes"),
        (HEADER, "it gave 0 bytes"),
        ("out.write(b'{}\\nfab')", "The publisher of the app"),
        ("out.write(b'[' * 4000 + b'\\nfab')", "it is too deep"),
        ("out.write(b'x' * 5000 + b'\\nfab')", "it gave 3 bytes"),
        (f"{HEADER}\nout.write(bytes(11 << 20))", "bytes, but a FAB has at most 10485760"),
        ("while True: out.write(bytes(1 << 20))", "longer than"),
        ("time.sleep(60)", "longer than"),
    ],
)
def test_whatever_else_it_does_is_an_error(text: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "longer" in reason:
        monkeypatch.setattr(building, "SECONDS", -28)
    with pytest.raises(BuildError, match=reason):
        build(program(text))


def test_without_systemd_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match="not built without the bounds"):
        build(Builder("/opt/flower").command("/opt/flower/app/.staging-1/an-app"))


def test_the_user_of_a_build_has_nothing_but_the_app() -> None:
    command = Builder("/opt/flower").command("/opt/flower/app/.staging-1/an-app")
    assert command[0] == "systemd-run"
    assert command[-3:] == ["/opt/flower/bin/flwr", "fab", "/run/fedops-app"]
    assert {
        "--property=DynamicUser=yes",
        "--property=PrivateNetwork=yes",
        "--property=PrivateTmp=yes",
        "--property=ProtectSystem=strict",
        "--property=MemoryMax=1G",
        "--property=RuntimeMaxSec=60",
        "--property=CapabilityBoundingSet=",
        "--property=NoNewPrivileges=yes",
        "--property=BindReadOnlyPaths=/opt/flower/app/.staging-1/an-app:/run/fedops-app",
    } <= set(command)
