# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module returns can only be read, whatever it has found; and every module of the collection is such a one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule

MODULES = Path(__file__).resolve().parents[5] / "plugins" / "modules"
ON_THE_CONTROLLER = ("program", "show", "training_config")  # actions alone
EVIL = "a\x1b]0;owned\x07\u202eb\n{{ 7*7 }}\udcff"
SHOWN = "a\\x1b]0;owned\\x07\\u202eb\n{{ 7*7 }}\\udcff"


@pytest.fixture
def returned(capsys):
    """Let a module return something; return what Ansible reads."""

    def returned(how, **result) -> dict:
        with patch_module_args({}), pytest.raises(SystemExit):
            getattr(AnsibleModule({}), how)(**result)
        answer = json.loads(capsys.readouterr().out)
        del answer["invocation"]
        return answer

    return returned


def test_a_result_can_only_be_read(returned) -> None:
    result = {"changed": True, "rounds": 3, "loss": float("nan"), "names": [EVIL], EVIL[:5]: {"deep": (EVIL, None)}}
    assert returned("exit_json", **result) == {
        "changed": True,
        "rounds": 3,
        "loss": None,
        "names": [SHOWN],
        "a\\x1b]0;": {"deep": [SHOWN, None]},
    }


def test_so_can_a_failure(returned) -> None:
    failure = returned("fail_json", msg=EVIL + "A" * 27_000_000, path=EVIL)
    assert (failure["failed"], failure["path"]) == (True, SHOWN)
    assert failure["msg"].startswith(SHOWN)
    assert re.search(r" \.\.\. \(26980\d\d\d more characters\)$", failure["msg"])


@pytest.mark.parametrize("name", sorted({path.stem for path in MODULES.glob("*.py")} - set(ON_THE_CONTROLLER)))
def test_every_module_is_such_a_one(name) -> None:
    text = (MODULES / f"{name}.py").read_text("utf-8")
    assert "module_utils._base.module import AnsibleModule\n" in text
    assert "ansible.module_utils.basic" not in text
