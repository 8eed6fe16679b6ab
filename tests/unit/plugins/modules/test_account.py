# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making directories for an account that exists: root, so that the machine keeps its accounts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.modules import account

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give directories away")


def run(home: Path, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module in a process of its own, as Ansible does on a host."""
    arguments = {"name": "root", "uid": 0, "gid": 0, "home": str(home), "_ansible_check_mode": check_mode, **options}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps({"ANSIBLE_MODULE_ARGS": arguments})],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    result = json.loads(done.stdout.splitlines()[-1])
    return {key: value for key, value in result.items() if key != "invocation"}


COLLECTIONS = Path(account.__file__).parents[2] / ".ansible" / "collections"
RUNNER = f"""
import sys
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import init_plugin_loader
import json
init_plugin_loader([{str(COLLECTIONS)!r}])
from ansible_collections.fedops.flower.plugins.modules import account
with patch_module_args(json.loads(sys.argv[1])["ANSIBLE_MODULE_ARGS"]):
    account.main()
"""
DIRECTORIES = [
    {"path": "app"},
    {"path": "app/.flwr", "mode": "0700"},
    {"path": "data", "owner": "root", "mode": "0555"},
]


def modes(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): oct(path.stat().st_mode & 0o7777) for path in sorted(home.rglob("*"))}


def test_all_directories_are_made_in_one_execution_and_left_alone_in_the_next(tmp_path: Path) -> None:
    home = tmp_path / "flower"
    first = run(home, directories=DIRECTORIES)
    made = "".join(f"directory {home / name}\n" for name in ("", "app", "app/.flwr", "data")).replace("/\n", "\n")
    assert first == {"changed": True, "fresh": True, "diff": {"before": "", "after": made}}
    assert modes(home) == {"app": "0o750", "app/.flwr": "0o700", "data": "0o555"}
    second = run(home, directories=DIRECTORIES)
    assert second == {"changed": False, "fresh": False, "diff": {"before": "", "after": ""}}


def test_a_directory_with_another_mode_is_put_right(tmp_path: Path) -> None:
    run(tmp_path, directories=DIRECTORIES)
    (tmp_path / "app").chmod(0o777)
    result = run(tmp_path, directories=DIRECTORIES)
    assert result["diff"]["after"] == f"directory {tmp_path / 'app'}\n"
    assert modes(tmp_path)["app"] == "0o750"


def test_check_mode_tells_and_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "flower"
    result = run(home, check_mode=True, directories=DIRECTORIES)
    assert (result["changed"], result["fresh"], home.exists()) == (True, True, False)


def test_a_number_of_somebody_else_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = tmp_path / "flower"
    result = run(home, name="nobody-of-this-name")
    assert (result["failed"], result["msg"].splitlines()[0]) == (
        True,
        "gid is 0 but that number belongs to 'root' on this host. "
        "Set runtime_gid to a number that is free, or give 'root' another one.",
    )
    assert not home.exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("")
    result = run(tmp_path, directories=DIRECTORIES)
    assert result["msg"] == f"{tmp_path / 'app'} cannot be made: File exists. Free that path, then run again."


def test_a_secret_is_born_once_and_kept(tmp_path: Path) -> None:
    options = {"directories": [{"path": "state"}], "secrets": ["state/secret"]}
    first = run(tmp_path, **options)
    secret = tmp_path / "state" / "secret"
    born = secret.read_bytes()
    assert (len(born), oct(secret.stat().st_mode & 0o7777), first["changed"]) == (32, "0o600", True)
    assert first["diff"]["after"].splitlines()[-1] == f"secret {secret}"
    secret.chmod(0o644)
    assert [run(tmp_path, **options)["changed"] for _attempt in range(2)] == [True, False]
    assert (secret.read_bytes(), oct(secret.stat().st_mode & 0o7777)) == (born, "0o600")
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


def test_check_mode_makes_no_secret(tmp_path: Path) -> None:
    result = run(tmp_path, check_mode=True, secrets=["state/secret"])
    assert (result["changed"], (tmp_path / "state").exists()) == (True, False)
