# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._tracking import installation

ARGUMENTS = {"training": "default", "trackers": ["mlflow"], "service": "[Unit]\n", "options": {"uri": "https://a"}}
SECRET = "a-token-of-ours"


class Systemd:
    """A systemd that does what it is told."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.calls: list[str] = []

    def show(self, *names: str) -> list[Unit]:
        return [
            Unit(name, "loaded", "active" if name in self.running else "inactive", enabled=name in self.running)
            for name in names
        ]

    def control(self, *arguments: str) -> str:
        self.calls.append(" ".join(arguments))
        unit = arguments[-1]
        if arguments[0] == "start":
            self.running.add(unit)
        elif arguments[0] in ("stop", "disable"):
            self.running.discard(unit)
        return ""


@pytest.fixture
def systemd(monkeypatch, tmp_path) -> Systemd:
    found = Systemd()
    monkeypatch.setattr(installation, "show_units", found.show)
    monkeypatch.setattr(installation, "control", found.control)
    (tmp_path / "units").mkdir()
    monkeypatch.setattr(installation, "unit_file", lambda name: str(tmp_path / "units" / name))
    monkeypatch.setattr(installation, "TRACKED", str(tmp_path / "states"))
    return found


@pytest.fixture
def place(home):
    found = home.path / "trackers"
    found.mkdir()
    return found


def listed(path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def test_a_tracker_follows_a_training_and_another_one_and_none(run_module, systemd, place, tmp_path) -> None:
    secrets = {"token": SECRET, "username": ""}
    first = run_module("tracker", **ARGUMENTS, secrets=secrets)
    assert (first["changed"], first["changed_trackers"]) == (True, ["mlflow"])
    assert systemd.running == {"flower-tracker-mlflow.service"}
    assert listed(place) == ["mlflow.json", "mlflow.secret"]
    assert (place / "mlflow.secret").stat().st_mode & 0o777 == 0o600
    assert json.loads((place / "mlflow.secret").read_text()) == {"token": SECRET}
    assert SECRET not in (place / "mlflow.json").read_text() + json.dumps(first)
    assert run_module("tracker", **ARGUMENTS, secrets=secrets)["changed"] is False

    assert run_module("tracker", **{**ARGUMENTS, "training": "other"}, sites="real", secrets=secrets)["changed"] is True
    told = json.loads((place / "mlflow.json").read_text())
    assert told["trainings"] == {
        "default": {"place": "", "sites": "pseudonyms"},
        "other": {"place": "", "sites": "real"},
    }

    (place / "mlflow").mkdir(0o700)  # with the umask of a careful root
    assert run_module("tracker", **ARGUMENTS, secrets=secrets)["changed"] is True
    assert (place / "mlflow").stat().st_mode & 0o777 == 0o755
    gone = {"training": "default", "trackers": ["mlflow", "csv"], "state": "absent"}
    assert run_module("tracker", **gone)["changed_trackers"] == ["mlflow"]
    assert systemd.running == {"flower-tracker-mlflow.service"}  # of the other training
    assert run_module("tracker", **gone)["changed"] is False
    assert run_module("tracker", **{**gone, "training": "other"})["changed"] is True
    assert (systemd.running, listed(place), listed(tmp_path / "units")) == (set(), [], [])
    assert not (place / "mlflow").exists()
    assert run_module("tracker", **{**gone, "training": "other"})["changed"] is False


@pytest.mark.parametrize(
    "change", [{"service": "[Unit]\n# another\n"}, {"options": {"uri": "https://b"}}, {"secrets": {"token": "another"}}]
)
def test_what_differs_has_it_stopped_first_so_that_a_cut_run_is_made_good(
    run_module, systemd, place, monkeypatch, change
) -> None:
    run_module("tracker", **ARGUMENTS)
    control = systemd.control

    def cut(*arguments: str) -> str:
        if arguments[0] == "daemon-reload":
            raise installation.SystemdError("the connection is lost.")
        return control(*arguments)

    monkeypatch.setattr(installation, "control", cut)
    assert run_module("tracker", **{**ARGUMENTS, **change})["failed"] is True
    assert systemd.running == set()
    monkeypatch.setattr(installation, "control", control)
    assert run_module("tracker", **{**ARGUMENTS, **change})["changed"] is True
    assert systemd.running == {"flower-tracker-mlflow.service"}


def test_check_mode_changes_nothing(run_module, systemd, place, tmp_path) -> None:
    assert run_module("tracker", check_mode=True, **ARGUMENTS)["changed"] is True
    assert (systemd.calls, listed(place), listed(tmp_path / "units")) == ([], [], [])
    run_module("tracker", **ARGUMENTS)
    before = listed(place)
    gone = {"training": "default", "trackers": ["mlflow"], "state": "absent"}
    assert run_module("tracker", check_mode=True, **gone)["changed"] is True
    assert listed(place) == before


def test_whoever_asks_is_told_how_far_each_is_and_which_does_not_run(
    run_module, systemd, place, home, tmp_path
) -> None:
    assert installation.standing(str(home.path)) == []
    run_module("tracker", **ARGUMENTS)
    run_module("tracker", **{**ARGUMENTS, "trackers": ["csv"]})
    state: dict[str, Any] = {"trainings": {"default": {"told": 3, "newest": 5}, "old": {}}, "problem": "away"}
    (tmp_path / "states" / "mlflow").mkdir(parents=True)
    (tmp_path / "states" / "mlflow" / "state.json").write_text(json.dumps(state))
    systemd.running.discard("flower-tracker-csv.service")
    mlflow, table = installation.standing(str(home.path))
    assert (mlflow["name"], mlflow["problem"]) == ("mlflow", "away")
    assert [(row["name"], row["told"], row["newest"]) for row in mlflow["trainings"]] == [("default", 3, 5)]
    assert "flower-tracker-csv.service is inactive" in table["problem"]
    (tmp_path / "states" / "mlflow" / "state.json").write_text('{"trainings": 5}')
    assert installation.standing(str(home.path))[0]["trainings"][0]["told"] is None
