# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the collection brings are apps that Flower builds, each under its own name."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context, merged
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import (
    PYPROJECT,
    declaring,
    read_app,
    source_files,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import for_app
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import (
    OWN_APP,
    OWN_TASK,
    USE_CASES,
    UseCaseError,
    overlay_of,
    variable_problems,
)

ROOT = Path(__file__).resolve().parents[5]
OTHERS = sorted(USE_CASES.keys() - {OWN_TASK})
every = pytest.mark.parametrize("name", OTHERS)


@pytest.mark.parametrize("name", [OWN_TASK, "", None])
def test_digits_are_the_app_as_it_is(name: str | None) -> None:
    assert overlay_of(name, OWN_APP) == {}
    assert overlay_of(name, "/anywhere", {"a.py": "/b.py"}) == {"a.py": "/b.py"}


@every
def test_files_of_ones_own_come_before_those_of_the_task(name: str) -> None:
    found = overlay_of(name, OWN_APP, {"fedops_app/task.py": "/mine.py", "fedops_app/more.py": "/more.py"})
    assert found == {
        "fedops_app/task.py": "/mine.py",
        "fedops_app/more.py": "/more.py",
        PYPROJECT: f"{OWN_APP[: -len('files/fab')]}files/use_cases/{name}/{PYPROJECT}",
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("anomaly_detection", "Did you mean anomaly-detection?"),
        ("LLM-fine-tuning", "Did you mean llm-fine-tuning?"),
        ("radiology", "For a task of your own, leave it unset and set app_overlay."),
        ("x" * 500, "For a task of your own"),
        (5, "For a task of your own"),
    ],
)
def test_a_task_that_there_is_not_is_told_with_the_nearest(name: object, hint: str) -> None:
    with pytest.raises(UseCaseError, match="must be one of digits, image-classification, ") as caught:
        overlay_of(name)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 300


@every
def test_a_task_of_ours_does_not_fit_another_app(name: str) -> None:
    with pytest.raises(UseCaseError, match=f"app_use_case is {name} but app_path is /my/app"):
        overlay_of(name, "/my/app")


@every
def test_flower_builds_it_under_its_own_name_with_its_knobs(name: str, tmp_path: Path) -> None:
    overlay = overlay_of(name)
    app = read_app(OWN_APP, overlay)
    assert (app.app_id, sorted(app.undeclared)) == (f"fedops/fedops-{name}", sorted(app.knobs))
    source = tmp_path / "app"
    for inside, path in source_files(OWN_APP, overlay).items():
        (source / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, source / inside)
    declared = declaring(app, overlay)
    assert declared is not None
    (source / PYPROJECT).write_text(declared)
    quiet = {"FLWR_HOME": str(tmp_path / ".flwr"), "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    command = [str(Path(sys.executable).with_name("flwr")), "build", "--app", str(source)]
    subprocess.run(command, cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **quiet}, check=True)
    (fab,) = tmp_path.glob(f"fedops.fedops-{name}.*.fab")
    with zipfile.ZipFile(fab) as archive:
        assert archive.read("fedops_app/task.py") == Path(overlay["fedops_app/task.py"]).read_bytes()
        assert "fedops_kit/exact.py" in archive.namelist()
        config = tomllib.loads(archive.read(PYPROJECT).decode())["tool"]["flwr"]["app"]["config"]
    assert config.keys() == read_app(OWN_APP).config.keys() | app.knobs.keys()


@every
def test_it_is_another_training_than_that_of_digits_and_proven_like_it(name: str) -> None:
    training = Training.from_variables({})
    own = for_app(read_app(OWN_APP), training, {})
    other = for_app(read_app(OWN_APP, overlay_of(name)), training, {})
    assert own.takes_all
    assert other.takes_all
    assert own.configuration_hash == training.configuration_hash != other.configuration_hash


@every
def test_what_it_needs_is_declared_and_locked_where_tests_get_it(name: str) -> None:
    folder = ROOT / "files/use_cases" / name
    dependencies = tomllib.loads((folder / PYPROJECT).read_text())["project"]["dependencies"]
    assert dependencies[: len(USE_CASES[name].packages)] == list(USE_CASES[name].packages)
    if USE_CASES[name].packages:
        pinned = {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
        assert {package.partition(">")[0] for package in USE_CASES[name].packages} <= pinned


def test_the_role_offers_them_all() -> None:
    specs = yaml.safe_load((ROOT / "roles/app/meta/argument_specs.yml").read_text())
    assert specs["argument_specs"]["main"]["options"]["app_use_case"]["choices"] == list(USE_CASES)


def test_a_learning_rate_that_would_destroy_adapters_is_told_before_a_host_is_touched() -> None:
    assert variable_problems("llm-fine-tuning", {"client_lr": 0.1}) == [
        "fl_client_lr is 0.1 but must be at most 0.01 with app_use_case llm-fine-tuning: AdamW moves every weight"
        " about so"
        " far in each step. Set it to 0.0002, for example."
    ]
    assert variable_problems("llm-fine-tuning", {"client_lr": 0.0002}) == []
    assert variable_problems("anomaly-detection", {"client_lr": 0.1}) == variable_problems("", {"client_lr": 5}) == []


@pytest.mark.parametrize("name", ["fl_use_case", "FL_USE_CASE"])
def test_its_name_is_no_variable_of_a_training_and_no_mistake(name: str) -> None:
    given = merged({name: "llm-fine-tuning"}, {}) if name.isupper() else {name: "llm-fine-tuning"}
    assert check(given) == []
    assert Training.from_variables(given).values == Training.from_variables({}).values
    assert from_context({"FL_USE_CASE": "anomaly-detection"}) == {"fl_use_case": "anomaly-detection"}
