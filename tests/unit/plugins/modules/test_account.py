# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making directories for accounts that exist, so that the machine keeps those that it has."""

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


ROOT = {"name": "root", "uid": 0, "gid": 0}


def run(home: Path, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module in a process of its own, as Ansible does on a host."""
    arguments = {"accounts": [ROOT], "home": str(home), "_ansible_check_mode": check_mode, **options}
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
    {"path": "state", "owner": 3001, "group": 3002},
    {"path": "data", "mode": "0555"},
]


def modes(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): oct(path.stat().st_mode & 0o7777) for path in sorted(home.rglob("*"))}


def owners(path: Path) -> tuple[int, int, str]:
    found = path.lstat()
    return found.st_uid, found.st_gid, oct(found.st_mode & 0o7777)


def test_all_directories_are_made_in_one_execution_and_left_alone_in_the_next(tmp_path: Path) -> None:
    home = tmp_path / "flower"
    first = run(home, directories=DIRECTORIES)
    names = ("", "app", "app/.flwr", "state", "data")
    made = "".join(f"directory {home / name}\n" for name in names)
    made = made.replace(f"{home}/\n", f"{home}\n")
    assert first == {"changed": True, "fresh": True, "old": [], "diff": {"before": "", "after": made}}
    assert modes(home) == {"app": "0o750", "app/.flwr": "0o700", "data": "0o555", "state": "0o750"}
    assert owners(home / "state") == (3001, 3002, "0o750")
    second = run(home, directories=DIRECTORIES)
    assert second == {"changed": False, "fresh": False, "old": [], "diff": {"before": "", "after": ""}}


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


@pytest.mark.parametrize(
    ("variable", "told"), [("", "runtime_gid"), ("runtime_accounts['a']", "runtime_accounts['a']")]
)
def test_a_number_of_somebody_else_is_refused_before_anything_is_made(tmp_path: Path, variable: str, told: str) -> None:
    home = tmp_path / "flower"
    stranger = {"name": "nobody-of-this-name", "uid": 0, "gid": 0, "variable": variable}
    result = run(home, accounts=[ROOT, stranger])
    assert (result["failed"], result["msg"].splitlines()[0]) == (
        True,
        "gid is 0 but that number belongs to 'root' on this host. "
        f"Set {told} to a number that is free, or give 'root' another one.",
    )
    assert not home.exists()


def test_accounts_groups_and_memberships_are_told_before_they_are_made(tmp_path: Path) -> None:
    wanted = [
        {"name": "t-apps", "uid": 40999, "gid": 40999},
        {"name": "t-control", "uid": 40997, "gid": 40997, "home": "control", "groups": ["t-apps"]},
        {"name": "t-clientapps", "gid": 40994},
    ]
    result = run(tmp_path, check_mode=True, accounts=wanted)
    assert result["diff"]["after"].splitlines()[:6] == [
        "group t-apps",
        "user t-apps",
        "group t-control",
        "user t-control",
        "group t-clientapps",
        "member t-control of t-apps",
    ]


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (lambda path: path.write_text(""), "is no directory"),
        (os.mkfifo, "is no directory"),
        (lambda path: os.chown(path.mkdir() or path, 4444, 4444), "belongs to the user 4444, and is not taken from"),
    ],
)
def test_what_is_in_the_way_is_named_and_left(tmp_path: Path, put: Any, message: str) -> None:
    put(tmp_path / "app")
    before = owners(tmp_path / "app")
    result = run(tmp_path, directories=DIRECTORIES)
    assert message in result["msg"]
    assert result["msg"].startswith(f"{tmp_path / 'app'} ")
    assert result["msg"].endswith("Free that path, then run again.")
    assert owners(tmp_path / "app") == before


def test_a_link_that_an_account_could_have_made_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    before = owners(tmp_path / "victim")
    home = tmp_path / "flower"
    (home / "app").mkdir(parents=True)
    os.chown(home / "app", 65534, 65534)
    (home / "app" / ".flwr").symlink_to(tmp_path / "victim")
    item = {"path": "app/.flwr", "owner": 3001, "group": 3001, "mode": "0777"}
    result = run(home, directories=[item])
    assert "has a link on its way, .flwr, that somebody else than root could have made" in result["msg"]
    assert owners(tmp_path / "victim") == before


def test_a_link_of_root_is_followed(tmp_path: Path) -> None:
    home = tmp_path / "flower"
    home.mkdir()
    (tmp_path / "big-disk").mkdir(mode=0o700)
    (home / "state").symlink_to(tmp_path / "big-disk")
    run(home, directories=DIRECTORIES)
    assert owners(tmp_path / "big-disk") == (3001, 3002, "0o750")
    assert (home / "state").is_symlink()
    assert not run(home, directories=DIRECTORIES)["changed"]


def test_what_another_of_the_accounts_had_is_left_to_it_and_given_over_when_asked(tmp_path: Path) -> None:
    old = {"name": "games", "uid": 5, "gid": 60}
    accounts = [ROOT, old]
    tmp_path.chmod(0o700)
    (tmp_path / "state" / "deep").mkdir(parents=True)
    (tmp_path / "state" / "state.db").write_text("rows")
    (tmp_path / "state" / "link").symlink_to("/etc/passwd")
    (tmp_path / "secret").write_text("")
    os.link(tmp_path / "secret", tmp_path / "state" / "hard")
    for path in (tmp_path / "state", *(tmp_path / "state").rglob("*")):
        os.chown(path, 5, 60, follow_symlinks=False)
    os.chmod(tmp_path / "state" / "state.db", 0o4777)
    items = [{"path": "state", "owner": 3001, "group": 3002}, {"path": "state/deep/new"}]
    first = run(tmp_path, accounts=accounts, directories=items)
    assert (first["changed"], first["old"]) == (True, [str(tmp_path / "state")])  # the home has got its mode
    assert owners(tmp_path / "state" / "state.db") == (5, 60, "0o4777")
    assert not (tmp_path / "state" / "deep" / "new").exists()
    holder = subprocess.Popen(["sleep", "60"], user=5)
    try:
        second = run(tmp_path, accounts=accounts, directories=items, migrate=True)
        assert (second["changed"], second["old"]) == (True, [])
        assert holder.wait(5) == -9
    finally:
        holder.kill()
    assert owners(tmp_path / "state") == (3001, 3002, "0o750")
    assert owners(tmp_path / "state" / "state.db") == (3001, 3002, "0o755")
    assert owners(tmp_path / "state" / "deep") == (3001, 3002, "0o755")
    assert owners(tmp_path / "state" / "hard")[:2] == (5, 60)
    assert owners(tmp_path / "state" / "link")[:2] == (5, 60)
    third = run(tmp_path, accounts=accounts, directories=items, migrate=True)
    assert not third["changed"]


def test_a_secret_is_born_once_and_kept(tmp_path: Path) -> None:
    options = {"directories": [{"path": "state"}], "secrets": ["state/secret"]}
    first = run(tmp_path, **options)
    secret = tmp_path / "state" / "secret"
    born = secret.read_bytes()
    assert (len(born), owners(secret), first["changed"]) == (32, (0, 0, "0o600"), True)
    assert first["diff"]["after"].splitlines()[-1] == f"secret {secret}"
    secret.chmod(0o644)
    os.chown(secret, 0, 12)
    assert [run(tmp_path, **options)["changed"] for _attempt in range(2)] == [True, False]
    assert (secret.read_bytes(), owners(secret)) == (born, (0, 0, "0o600"))
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


def test_a_secret_that_somebody_else_made_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("known")
    os.chown(tmp_path / "secret", 5, 60)
    result = run(tmp_path, secrets=["secret"])
    assert result["msg"].startswith(f"{tmp_path / 'secret'} belongs to the user 5, which must not write it.")


def test_check_mode_makes_no_secret(tmp_path: Path) -> None:
    result = run(tmp_path, check_mode=True, secrets=["state/secret"])
    assert (result["changed"], (tmp_path / "state").exists()) == (True, False)
