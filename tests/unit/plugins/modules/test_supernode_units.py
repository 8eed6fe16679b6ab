# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of the SuperNodes of a host, with a systemctl that remembers what it was told."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.files import Directory, File
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._gpus import access as _access
from ansible_collections.fedops.flower.plugins.module_utils._gpus.gpu import FoundGpus, Gpu
from ansible_collections.fedops.flower.plugins.module_utils._supernode import place as _place
from ansible_collections.fedops.flower.plugins.module_utils._supernode import units as _units
from ansible_collections.fedops.flower.plugins.module_utils._supernode.sessions import SESSIONS_FILE, Agreement, Session
from ansible_collections.fedops.flower.plugins.module_utils._supernode.units import Units, UnitsError
from ansible_collections.fedops.flower.plugins.module_utils._supernode.wanted import StateOwners

USER = pwd.getpwuid(os.geteuid())
SINGLE = "flower-supernode.service"
APPS = "flower-clientapps.service"
LAUNCHERS = {f"home/bin/flower-{name}": "0o755" for name in ("clientapps", "supernode")}

# Holds a state for each unit, and changes it as the real one would.
SYSTEMCTL = f"""#!{sys.executable}
import json, os, sys
place = os.path.dirname(os.path.abspath(sys.argv[0]))
command, *units = [word for word in sys.argv[1:] if word != "--now"]
with open(place + "/states.json") as stream:
    states = json.load(stream)
if command == "show":
    for unit in units[1:]:
        active, enabled = states.get(unit, ["inactive", ""])
        print(f"ActiveState={{active}}\\nUnitFileState={{enabled}}\\n")
    sys.exit()
with open(place + "/calls", "a") as stream:
    stream.write(" ".join(sys.argv[1:]) + "\\n")
if command in states.get("failing", []):
    sys.exit("Job failed.")
for unit in units:
    state = states.setdefault(unit, ["inactive", ""])
    if command in ("start", "restart"):
        state[0] = "active"
    if command == "enable":
        state[1] = "enabled"
    if command == "disable":
        del states[unit]
with open(place + "/states.json", "w") as stream:
    json.dump(states, stream)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@dataclass
class Systemd:
    path: Path

    @property
    def calls(self) -> list[str]:
        """Return what systemctl was told since the last time this was asked."""
        log = self.path / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    @property
    def states(self) -> dict:
        return json.loads((self.path / "states.json").read_text())

    @states.setter
    def states(self, value: dict) -> None:
        (self.path / "states.json").write_text(json.dumps(value))


@pytest.fixture
def systemd(tmp_path, monkeypatch) -> Systemd:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "systemctl").write_text(SYSTEMCTL)
    (place / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    found = Systemd(place)
    found.states = {}
    return found


@pytest.fixture
def units(home, tmp_path, systemd, run_module, monkeypatch):
    """Run the module; a SuperNode is named by its instance."""
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(_units, "TO_RESTART", str(tmp_path / "pending"))
    monkeypatch.setattr(_place, "SUPERNODE_STATE", str(tmp_path / "lib"))
    monkeypatch.setattr(_access, "make_links", lambda gpus: None)
    monkeypatch.setattr(_access, "load_drivers", lambda: None)
    (home.path / "certificates").mkdir()

    def run(
        *instances: str,
        unit: str = "[Unit]\n",
        apps_unit: str = "[Unit]\n",
        launcher: str = "# Runs it.\n",
        program: bytes = b"program",
        is_sent: bool = True,
        config: dict | None = None,
        leave_after: int = 0,
        gpus: dict | None = None,
        check_mode: bool = False,
    ) -> dict:
        return run_module(
            "supernode_units",
            user=USER.pw_name,
            data_group=USER.pw_name,
            unit=unit,
            apps_unit=unit and apps_unit,
            launcher=launcher,
            program=hashlib.sha256(program).hexdigest(),
            archive=sent(tmp_path, program) if is_sent else None,
            supernodes=[
                {
                    "instance": name,
                    "name": f"ward-{name}",
                    "leave_after": leave_after,
                    "gpus": (gpus or {}).get(name, []),
                    "config": (config or {}).get(name, f"site = {name}\n"),
                    "settings": f"# {name}\n",
                    "apps_settings": f"# apps {name}\n",
                    "data_directory": f"{home.path}/data/{name}" if name else f"{home.path}/data",
                }
                for name in instances
            ],
            systemd_directory=str(tmp_path / "system"),
            check_mode=check_mode,
        )

    return run


def sent(folder: Path, program: bytes) -> str:
    """Return what the controller would send."""
    (folder / "program").write_bytes(program)
    with tarfile.open(folder / "files.tar", "w") as archive:
        archive.add(folder / "program", arcname="program")
    return str(folder / "files.tar")


@pytest.fixture
def files(home, tmp_path):
    """List what is below the home and in the directory of the units, with modes."""

    def listing() -> dict[str, str]:
        found = {}
        for name, folder in (("home", home.path), ("system", tmp_path / "system")):
            for path in sorted(folder.rglob("*")):
                if path.name not in ("venv", "bin", "flwr", "state", "certificates"):
                    found[f"{name}/{path.relative_to(folder)}"] = oct(path.stat().st_mode & 0o777)
        return found

    return listing


def unit(name: str) -> str:
    return f"flower-supernode@{name}.service"


def apps(name: str) -> str:
    return f"flower-clientapps@{name}.service"


def both(*names: str) -> list[str]:
    return [found for name in names for found in (unit(name), apps(name))]


def test_the_only_supernode_of_a_host_has_its_unit_and_its_configuration(units, systemd, files) -> None:
    first = units("")
    assert {key: first[key] for key in ("changed", "restarted", "started", "removed")} == {
        "changed": True,
        "restarted": [],
        "started": [SINGLE, APPS],
        "removed": [],
    }
    assert systemd.calls == ["daemon-reload", f"enable {SINGLE} {APPS}", f"start {SINGLE} {APPS}"]
    assert files() == {
        **LAUNCHERS,
        "home/certificates/supernode.secret": "0o600",
        "home/supernode.toml": "0o640",
        f"system/{APPS}": "0o644",
        f"system/{SINGLE}": "0o644",
    }
    assert units("")["changed"] is False
    assert systemd.calls == []


def test_instances_share_one_unit_and_have_the_rest_to_themselves(units, systemd, files) -> None:
    assert units("a", "b")["started"] == both("a", "b")
    assert systemd.calls == [
        "daemon-reload",
        f"enable {' '.join(both('a', 'b'))}",
        f"start {' '.join(both('a', 'b'))}",
    ]
    assert files() == {
        **LAUNCHERS,
        "home/certificates/supernodes": "0o755",
        **{f"home/certificates/supernodes/{name}.secret": "0o600" for name in "ab"},
        **{f"home/data/{name}": "0o750" for name in "ab"},
        "home/data": "0o755",
        "home/supernodes": "0o755",
        **{f"home/supernodes/{name}": "0o755" for name in "ab"},
        **{f"home/supernodes/{name}/supernode.toml": "0o640" for name in "ab"},
        "system/flower-supernode@.service": "0o644",
        "system/flower-clientapps@.service": "0o644",
        **{f"system/{name}.d": "0o755" for name in both(*"ab")},
        **{f"system/{name}.d/flower.conf": "0o644" for name in both(*"ab")},
    }
    assert units("a", "b")["changed"] is False
    assert systemd.calls == []


def test_only_the_instance_that_has_changed_is_restarted(units, systemd, home) -> None:
    units("a", "b", "c")
    assert systemd.calls
    result = units("a", "b", "c", config={"b": "site = other\n"})
    assert (result["restarted"], result["started"]) == (both("b"), [])
    assert systemd.calls == ["daemon-reload", f"restart {' '.join(both('b'))}"]
    assert result["diff"] == [
        {
            "before_header": f"{home.path}/supernodes/b/supernode.toml",
            "after_header": f"{home.path}/supernodes/b/supernode.toml",
            "before": "site = b\n",
            "after": "site = other\n",
        }
    ]


def test_another_text_of_the_unit_restarts_all_of_its_instances(units, systemd) -> None:
    units("a", "b")
    assert units("a", "b", unit="[Unit]\n# other\n")["restarted"] == both("a", "b")
    assert units("a", "b", unit="[Unit]\n# other\n", apps_unit="# other\n")["restarted"] == both("a", "b")


def test_another_launcher_restarts_every_supernode(units, systemd) -> None:
    units("a", "b")
    assert units("a", "b", launcher="# other\n")["restarted"] == both("a", "b")
    assert units("a", "b", launcher="# other\n")["changed"] is False


def test_another_program_of_the_clientapps_is_asked_for_and_restarts_every_supernode(home, units, systemd) -> None:
    asked = {"changed": False, "needs_archive": True}
    assert units("a", "b", is_sent=False) == asked
    assert systemd.calls == []
    units("a", "b")
    assert units("a", "b", is_sent=False)["changed"] is False
    assert units("a", "b", program=b"other", is_sent=False) == asked
    assert units("a", "b", program=b"other", is_sent=False, check_mode=True)["restarted"] == both("a", "b")
    outcome = units("a", "b", program=b"other")
    digests = [f"SHA-256 {hashlib.sha256(content).hexdigest()}\n" for content in (b"program", b"other")]
    assert outcome["restarted"] == both("a", "b")
    assert [[entry["before"], entry["after"]] for entry in outcome["diff"]] == [digests]
    path = home.path / "bin" / "flower-clientapps"
    assert path.read_bytes() == b"other"
    path.chmod(0o777)
    assert units("a", "b", program=b"other")["restarted"] == both("a", "b")
    assert path.stat().st_mode & 0o777 == 0o755


def test_what_was_stopped_or_disabled_by_hand_is_put_right_and_nothing_else_is_touched(units, systemd) -> None:
    units("a", "b", "c")
    assert systemd.calls
    systemd.states = {**systemd.states, unit("a"): ["failed", "enabled"], unit("b"): ["active", "disabled"]}
    assert units("a", "b", "c")["started"] == [unit("a"), unit("b")]
    assert systemd.calls == [f"enable {unit('b')}", f"start {unit('a')}"]


def test_a_supernode_that_is_being_restarted_by_systemd_is_left_to_it(units, systemd) -> None:
    units("a")
    systemd.states = {unit("a"): ["activating", "enabled"], apps("a"): ["active", "enabled"]}
    assert units("a")["changed"] is False


def test_an_instance_that_is_not_wanted_any_more_is_gone_and_the_others_run_on(units, systemd, files) -> None:
    units("a", "b")
    assert systemd.calls
    result = units("a")
    assert (result["removed"], result["restarted"], result["started"]) == ([unit("b")], [], [])
    assert systemd.calls == [f"disable --now {apps('b')} {unit('b')}", "daemon-reload"]
    assert [path for path in files() if "s/b" in path or "@b" in path] == []
    assert units("a")["changed"] is False


def test_a_host_may_go_from_one_to_several_and_back(units, systemd, files) -> None:
    units("")
    single = files()
    to_several = units("a", "b")
    assert (to_several["removed"], to_several["started"]) == ([SINGLE], both("a", "b"))
    assert set(single) & set(files()) == set(LAUNCHERS)
    back = units("")
    assert (back["removed"], back["started"]) == ([unit("a"), unit("b")], [SINGLE, APPS])
    left = {path for path in files() if path.startswith(("home/data", "home/certificates/supernodes"))}
    assert {path: mode for path, mode in files().items() if path not in left} == single
    assert systemd.states == {name: ["active", "enabled"] for name in (SINGLE, APPS)}


def test_none_leaves_nothing(units, systemd, files) -> None:
    units("a")
    assert units(unit="", launcher="")["removed"] == [unit("a")]
    assert (set(files()), systemd.states) == ({"home/certificates/supernodes", "home/data", "home/data/a"}, {})
    assert units(unit="", launcher="")["changed"] is False


def test_a_removal_that_was_interrupted_goes_on(units, systemd, files) -> None:
    units("a", "b")
    systemd.states = {**systemd.states, "failing": ["disable"]}
    assert f"'systemctl disable --now {apps('b')} {unit('b')}' failed with exit status 1" in units("a")["msg"]
    systemd.states = {name: state for name, state in systemd.states.items() if name != "failing"}
    assert units("a")["removed"] == [unit("b")]
    assert [path for path in files() if "s/b" in path or "@b" in path] == []


@pytest.mark.parametrize("step", ["daemon-reload", "enable", "restart"])
def test_a_restart_that_an_earlier_run_did_not_come_to_is_made_up_for(units, systemd, tmp_path, step) -> None:
    units("a", "b")
    systemd.states = {**systemd.states, unit("a"): ["active", "disabled"], "failing": [step]}
    assert units("a", "b", config={"b": "site = other\n"})["failed"] is True
    systemd.states = {name: state for name, state in systemd.states.items() if name != "failing"}
    rehearsed = units("a", "b", config={"b": "site = other\n"}, check_mode=True)
    assert (rehearsed["restarted"], (tmp_path / "pending").exists()) == (both("b"), True)
    assert units("a", "b", config={"b": "site = other\n"})["restarted"] == both("b")
    assert units("a", "b", config={"b": "site = other\n"})["changed"] is False
    assert not (tmp_path / "pending").exists()


def test_the_secret_is_made_once(units, home) -> None:
    units("a")
    secret = home.path / "certificates" / "supernodes" / "a.secret"
    before = secret.read_text()
    assert len(before) == 64
    units("a", config={"a": "site = other\n"})
    assert secret.read_text() == before
    secret.unlink()
    assert units("a")["restarted"] == both("a")


def test_what_the_account_of_before_has_left_is_taken_over(units, home, tmp_path) -> None:
    former = home.path / "supernodes" / "a" / "app"
    former.mkdir(parents=True)
    (former / "node-id").write_text("17856385283664728171\n")
    (former / "apps").symlink_to("/etc")
    units("a")
    kept = tmp_path / "lib" / "a" / "node-id"
    assert (kept.read_text(), oct(kept.stat().st_mode & 0o777), former.exists()) == (
        "17856385283664728171\n",
        "0o600",
        False,
    )


@pytest.mark.parametrize("planted", ["/etc/shadow", "words", "1" * 100, None])
def test_what_an_account_has_planted_there_is_not(units, home, tmp_path, planted) -> None:
    former = home.path / "supernodes" / "a" / "app"
    former.mkdir(parents=True)
    if planted is None:
        os.mkfifo(former / "node-id")
    elif planted.startswith("/"):
        (former / "node-id").symlink_to(planted)
    else:
        (former / "node-id").write_text(planted)
    assert units("a")["changed"] is True
    assert ((tmp_path / "lib" / "a").exists(), former.exists()) == (False, False)


def test_what_others_add_to_units_is_not_ours(units, tmp_path) -> None:
    theirs = [tmp_path / "system" / f"flower-supernode@{name}.service.d" for name in ("", "x")]
    for folder in theirs:
        folder.mkdir()
        (folder / "override.conf").write_text("")
    assert units("a")["removed"] == []
    assert [(folder / "override.conf").exists() for folder in theirs] == [True, True]


def test_check_mode_tells_and_does_nothing(units, systemd, files) -> None:
    units("a", "b")
    before = files(), systemd.states
    assert systemd.calls
    result = units("a", "c", config={"a": "site = other\n"}, check_mode=True)
    assert (result["restarted"], result["started"], result["removed"]) == (both("a"), both("c"), [unit("b")])
    assert (files(), systemd.states) == before
    assert systemd.calls == []


def test_check_mode_works_on_a_host_without_the_account(run_module, systemd, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_units, "TO_RESTART", str(tmp_path / "pending"))
    supernodes = [{"instance": "a", "config": "", "settings": ""}]
    options = {
        "user": "nobody-of-this-name",
        "unit": "[Unit]\n",
        "apps_unit": "[Unit]\n",
        "launcher": "# Runs it.\n",
        "archive": sent(tmp_path, b""),
        "systemd_directory": str(tmp_path / "system"),
    }
    assert run_module("supernode_units", check_mode=True, supernodes=supernodes, **options)["started"] == both("a")
    failed = run_module("supernode_units", supernodes=supernodes, **options)
    assert failed["msg"] == (
        "The account nobody-of-this-name or the group flower does not exist: run the role fedops.flower.runtime first."
    )


def test_arguments_that_cannot_be_are_told_all_at_once(units, systemd) -> None:
    assert units("", "../a", "b", "b", unit="", launcher="")["msg"].splitlines() == [
        "instance is '../a' but must start with a letter or a digit and hold only those, '_', '.' and '-',"
        " 64 characters at most.",
        "instance 'b' is given twice.",
        "A SuperNode without an instance must be the only one of its host.",
        *(
            f"{name} is empty but supernodes is not. Give the text of their {name}."
            for name in ("unit", "apps_unit", "launcher")
        ),
    ]
    assert systemd.calls == []


def test_a_supernode_that_has_left_is_not_started_until_its_site_agrees_to_more(
    units, systemd, tmp_path, monkeypatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: said.append(text))
    units("a", "b", leave_after=2)
    state = tmp_path / "lib" / "a"
    state.mkdir(parents=True)
    Agreement(2, [Session("x", 3, 1, ended=True), Session("y", 3, 2, ended=True)]).write(str(state / SESSIONS_FILE))
    systemd.states = {**systemd.states, unit("a"): ["inactive", "enabled"], apps("a"): ["inactive", "enabled"]}
    systemd.calls  # noqa: B018
    same = units("a", "b", leave_after=2)
    assert (same["changed"], same["left"]) == (False, ["ward-a"])
    assert said[0].startswith("ward-a: This SuperNode has left: its site has agreed to 2 trainings")
    assert units("a", "b", leave_after=2, unit="[Unit]\n# new\n")["restarted"] == both("b")
    assert systemd.states[unit("a")] == ["inactive", "enabled"]
    more = units("a", "b", leave_after=3, unit="[Unit]\n# new\n")
    assert (more["started"], more["left"]) == (both("a"), [])
    systemd.states = {**systemd.states, unit("a"): ["inactive", "enabled"]}
    assert units("a", "b", unit="[Unit]\n# new\n")["started"] == [unit("a")]  # to all of them


def test_without_systemd_it_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnitsError, match="systemctl does not exist"):
        Units(str(tmp_path), StateOwners(), str(tmp_path))._systemctl("daemon-reload")


def test_a_file_is_written_whole_with_its_owner_or_not_at_all(tmp_path) -> None:
    file = File(str(tmp_path / "a"), "text", 0o640, 0, 65534)
    file.write()
    assert file.is_in_place
    os.chown(file.path, 0, 0)
    assert not file.is_in_place
    with pytest.raises(FileNotFoundError):
        File(str(tmp_path / "missing" / "a"), "text").write()
    blocked = File(str(tmp_path / "folder"), "text")
    Directory(blocked.path).make()
    with pytest.raises(IsADirectoryError):
        blocked.write()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


@pytest.fixture
def two_gpus(monkeypatch) -> FoundGpus:
    """A host with two GPUs, one of which is lost."""
    gpus = [
        Gpu("NVIDIA", str(n), f"GPU-{n}", "H200", f"0000:0{n}:00.0", (f"nvidia{n}",), ("nvidiactl",)) for n in (0, 1)
    ]
    found = FoundGpus([gpus[0], Gpu(**{**vars(gpus[1]), "problem": "GPU 1 is lost."})])
    monkeypatch.setattr(_access, "found_gpus", lambda: found)
    return found


def test_clientapps_see_the_gpus_of_their_supernode_alone(units, systemd, tmp_path, two_gpus, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: said.append(text))
    first = units("a", "b", gpus={"a": ["auto"]})
    assert first["gpus"] == {"ward-a": ["0 (H200, GPU-0)"]}
    assert said == ["GPU 1 is lost."]
    settings = tmp_path / "system" / f"{apps('a')}.d" / "gpus.conf"
    assert "DeviceAllow=/dev/flower/GPU-0 rw\n" in settings.read_text()
    assert not (tmp_path / "system" / f"{apps('b')}.d" / "gpus.conf").exists()
    assert units("a", "b", gpus={"a": ["auto"]})["changed"] is False
    # Taken away again, and only this SuperNode begins anew.
    assert systemd.calls
    rehearsed = units("a", "b", check_mode=True)
    assert (rehearsed["changed"], rehearsed["restarted"]) == (True, both("a"))
    assert settings.exists()
    assert units("a", "b")["restarted"] == both("a")
    assert not settings.exists()
    assert units("a", "b")["changed"] is False


def test_the_only_supernode_of_a_host_has_gpus_as_well(units, systemd, tmp_path, two_gpus) -> None:
    units("", gpus={"": ["0"]})
    settings = tmp_path / "system" / f"{APPS}.d" / "gpus.conf"
    assert "DeviceAllow=/dev/flower/GPU-0 rw\n" in settings.read_text()
    # An operator's own settings stay when ours go.
    (settings.parent / "own.conf").write_text("# own\n")
    units()
    assert [path.name for path in settings.parent.iterdir()] == ["own.conf"]


def test_a_gpu_that_cannot_be_used_is_told_before_anything_changes(units, systemd, files, two_gpus) -> None:
    result = units("a", gpus={"a": ["1", "5"]})
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "ward-a is to use GPU '1': GPU 1 is lost.",
        "ward-a is to use GPU '5', but the host has 0 (H200, GPU-0).",
    ]
    assert (files(), systemd.calls) == ({}, [])


def test_what_names_gpus_at_the_start_of_a_host_goes_with_the_last_use(
    units, systemd, home, tmp_path, two_gpus
) -> None:
    units("a", gpus={"a": ["0"]})
    unit_file, program = tmp_path / "system/flower-gpus.service", home.path / "bin/fedops-gpus.pyz"
    for path in (unit_file, program):
        path.write_text("")
    states = systemd.states
    systemd.states = {**states, "flower-gpus.service": ["active", "enabled"]}
    units("a", gpus={"a": ["0"]})
    assert unit_file.exists()
    assert systemd.calls
    units("a")
    assert "disable --now flower-gpus.service" in systemd.calls
    assert not unit_file.exists()
    assert not program.exists()
