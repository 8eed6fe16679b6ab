# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module returns can only be read, whatever it has found; and every module of the collection is such a one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.guarded import UnsafeFileError
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule

MODULES = Path(__file__).resolve().parents[5] / "plugins" / "modules"
ON_THE_CONTROLLER = ("model_publish", "program", "requirements", "show", "training_config")  # actions alone
EVIL = "a\x1b]0;owned\x07\u202eb\n{{ 7*7 }}\udcff"
SHOWN = "a\\x1b]0;owned\\x07\\u202eb\n{{ 7*7 }}\\udcff"


@pytest.fixture
def module() -> Iterator[AnsibleModule]:
    with patch_module_args({}):
        yield AnsibleModule({})


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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FedopsError("No seat is free. Take another train."), "No seat is free. Take another train."),
        (UnsafeFileError("/a/b", "is a link, and is not followed"), "/a/b is a link, and is not followed. Look."),
        (PermissionError(13, "Permission denied", "/a"), "/a cannot be read: Permission denied. Look."),
        (OSError(5, "Input/output error"), "/place cannot be read: Input/output error. Look."),
        (OSError("it is odd"), "/place cannot be read: it is odd. Look."),
    ],
)
def test_an_error_is_explained_in_one_place(module, capsys, error, message) -> None:
    with pytest.raises(SystemExit), module.explaining("read", "/place", "Look.", found=lambda: {"seen": [1]}):
        raise error
    answer = json.loads(capsys.readouterr().out)
    assert (answer["failed"], answer["msg"], answer["seen"]) == (True, message, [1])


def test_a_library_that_is_missing_is_named(module, capsys) -> None:
    with pytest.raises(SystemExit), module.explaining("read"):
        import no_such_library.of_anybody  # noqa: F401  # that it is not there is what is tested
    message = json.loads(capsys.readouterr().out)["msg"]
    assert message.startswith("Failed to import the required Python library (no_such_library) on ")


def test_a_mistake_of_ours_is_none_of_these(module) -> None:
    with pytest.raises(ZeroDivisionError), module.explaining("read"):
        raise ZeroDivisionError


@pytest.mark.parametrize("path", sorted(MODULES.glob("*.py")), ids=lambda path: path.stem)
def test_no_module_says_by_itself_what_an_error_of_ours_says(path) -> None:
    assert "msg=str(error)" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", sorted(MODULES.parent.glob("module_utils/*/*.py")), ids=lambda path: path.stem)
def test_every_error_of_ours_is_of_one_kind(path) -> None:
    """But one that is an error of the system to whoever reads files, and one that never leaves its package."""
    text = path.read_text("utf-8")
    assert {*re.findall(r"^class (\w+)\((?:Exception|ValueError|OSError)\):", text, re.M)} <= {
        "FedopsError",
        "UnsafeFileError",
        "BadValue",
    }


@pytest.mark.parametrize("name", sorted({path.stem for path in MODULES.glob("*.py")} - set(ON_THE_CONTROLLER)))
def test_every_module_is_such_a_one(name) -> None:
    text = (MODULES / f"{name}.py").read_text("utf-8")
    assert "module_utils._base.module import AnsibleModule\n" in text
    assert "ansible.module_utils.basic" not in text
