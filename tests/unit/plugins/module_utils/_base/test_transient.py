# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed to systemd-run, and what is told of a command that failed there."""

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.transient import (
    APART,
    in_transient_unit,
    last_words,
)


def test_properties_and_environment_come_before_the_command() -> None:
    made = in_transient_unit("A test", ["program", "--quiet"], {**APART, "DeviceAllow": ["a", "b"]}, {"HOME": "/home"})
    assert made[0] == "systemd-run"
    assert made[-2:] == ["program", "--quiet"]
    assert [one for one in made if one.startswith(("--description", "--setenv=HOME", "--property=DeviceAllow"))] == [
        "--description=A test",
        "--property=DeviceAllow=a",
        "--property=DeviceAllow=b",
        "--setenv=HOME=/home",
    ]
    assert "--property=PrivateNetwork=yes" in made


def test_the_last_lines_are_told_and_no_terminal_acts_on_them() -> None:
    said = "\n".join(["first", *(f"  line {number}" for number in range(15)), "", "\x1b[31mlast"])
    told = last_words(said).splitlines()
    assert (len(told), told[0], "\x1b" in told[-1], "last" in told[-1]) == (15, "line 1", False, True)
    assert last_words(" \n \n") == ""
