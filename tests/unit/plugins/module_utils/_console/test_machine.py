# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a machine's context, read as a shell would read them."""

from __future__ import annotations

import shlex
import subprocess
import time

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._console.appliance import NOT_ABOUT_TRAINING
from ansible_collections.fedops.flower.plugins.module_utils._console.machine import assignments, of_flower

VALUES = {
    "FL_STRATEGY": "FedAdam",
    "FL_TRAINING_NAME": "it's mine",
    "FL_EMPTY": "",
    "FL_LINES": "one\ntwo = 'three'\n",
    "FL_EQUALS": "a=b=c",
    "FL_SPACE": "  two words ",
    "FL_DOLLAR": "$(touch /nowhere) `id` $HOME",
    "FL_BACKSLASH": "back\\slash",
}


def test_context_sh_is_read_as_a_shell_reads_it(tmp_path) -> None:
    text = "# Context variables\n" + "".join(
        f"{name}='{value}'\n".replace(value, value.replace("'", "'\\''")) for name, value in VALUES.items()
    )
    (tmp_path / "context.sh").write_text(text)
    for name, value in VALUES.items():
        shown = f". {shlex.quote(str(tmp_path / 'context.sh'))}; printf '%s.' \"${name}\""
        assert subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True).stdout == f"{value}."
    assert assignments(text) == VALUES


def test_one_env_is_read_with_and_without_escapes() -> None:
    text = (
        'export TOKENTXT="abc"\nexport FL_STRATEGY="Krum"\nexport FL_TEXT="a \\"b\\" \\$c"\nexport FL_WILD="say "hi""\n'
    )
    found = assignments(text)
    assert found == {"TOKENTXT": "abc", "FL_STRATEGY": "Krum", "FL_TEXT": 'a "b" $c', "FL_WILD": 'say "hi"'}


@pytest.mark.parametrize("text", ["", "\0", "FL_STRATEGY", "FL_STRATEGY=Krum; rm -rf x", "'", '"="', "export ='a'\n"])
def test_what_is_no_context_gives_nothing(text: str) -> None:
    assert assignments(text) == {}


def test_only_what_is_about_flower_leaves_the_machine() -> None:
    context = {
        "ONEAPP_FL_STRATEGY": "Krum", "FL_STRATEGY": "FedAdam", "ONEAPP_FL_NUM_ROUNDS": "7", "FL_SEED": " ",
        "ONEGATE_TOKEN": "t", "ROOT_PASSWORD": "p", "FL_SSL_KEY": "k", "ETH0_IP": "192.0.2.1", "FLEET": "x",
        "FLOWER_VERSION": "1.20.0", 7: "seven",
    }  # fmt: skip
    assert of_flower(context) == {"FL_STRATEGY": "FedAdam", "FL_NUM_ROUNDS": "7", "FLOWER_VERSION": "1.20.0"}
    assert "FLOWER_VERSION" in NOT_ABOUT_TRAINING


def test_entries_that_do_not_end_are_looked_at_once() -> None:
    began = time.monotonic()
    assert assignments("FL_STRATEGY='FedAdam\n" * 50_000 + 'FL_NUM_ROUNDS="7"\n') == {"FL_NUM_ROUNDS": "7"}
    assert time.monotonic() - began < 20  # seconds; it took hours
