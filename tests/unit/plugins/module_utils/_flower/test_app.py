# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a Flower app's folder, and which files are taken from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import (
    App,
    AppError,
    declaring,
    digest,
    read_app,
    source_files,
)

from ....apps import LEAST

PYPROJECT = f"{LEAST}[tool.flwr.app.config.fedyogi]\neta = 0.01\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "an_app").mkdir()
    (tmp_path / "an_app" / "server.py").write_text("app = 1\n")
    return tmp_path


def test_an_app_is_read_with_its_nested_config_flattened_by_dots(folder: Path) -> None:
    assert read_app(str(folder)) == App(
        path=str(folder),
        publisher="somebody",
        name="an-app",
        version="1.2.3",
        config={"num-rounds": 3, "fedyogi.eta": 0.01},
    )


@pytest.mark.parametrize(
    ("pyproject", "said"),
    [
        (None, "it has no pyproject.toml"),
        ("not toml [", "cannot be read"),
        (
            "",
            "lacks [project] name, [project] version, [tool.flwr.app] publisher, "
            "[tool.flwr.app.components] serverapp, [tool.flwr.app.components] clientapp",
        ),
        (PYPROJECT.replace('"an-app"', "7"), "lacks [project] name."),
        (
            PYPROJECT.replace("[tool.flwr.app.components]", "[tool.flwr.other]"),
            "lacks [tool.flwr.app.components] server",
        ),
        ("tool = 3\nproject = 4\n", "lacks [project] name"),
    ],
)
def test_a_folder_that_is_no_app_is_refused_with_the_reason(tmp_path: Path, pyproject: str | None, said: str) -> None:
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    with pytest.raises(AppError) as refused:
        read_app(str(tmp_path))
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_only_source_files_are_taken(folder: Path) -> None:
    for name in (
        "README.md",
        "model.npz",
        ".gitignore",
        ".git/config.py",
        "env/pyvenv.cfg",
        "env/lib.py",
        "an_app/__pycache__/x.py",
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (folder / "link.py").symlink_to(folder / "README.md")
    assert list(source_files(str(folder))) == [".gitignore", "README.md", "an_app/server.py", "pyproject.toml"]


def test_an_overlay_replaces_and_joins_files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "task.py"
    other.write_text("model = 2\n")
    files = source_files(str(folder), {"an_app/server.py": str(other), "an_app/task.py": str(other)})
    assert files == {
        "an_app/server.py": str(other),
        "an_app/task.py": str(other),
        "pyproject.toml": str(folder / "pyproject.toml"),
    }


def test_a_missing_overlay_file_is_named(folder: Path) -> None:
    with pytest.raises(AppError, match=r"/nowhere/task.py is to become an_app/task.py of the app"):
        source_files(str(folder), {"an_app/task.py": "/nowhere/task.py"})


def test_the_digest_tells_names_and_contents_apart(folder: Path) -> None:
    before = digest(source_files(str(folder)))
    assert digest(source_files(str(folder))) == before
    (folder / "an_app" / "server.py").rename(folder / "an_app" / "client.py")
    renamed = digest(source_files(str(folder)))
    (folder / "an_app" / "client.py").write_text("app = 2\n")
    changed = digest(source_files(str(folder)))
    assert len({before, renamed, changed}) == 3


KNOBS = """
import numpy
KNOBS: dict = {"strength": {"default": 0.1, "maximum": 1}, "deep.er": True, "fedyogi.eta": {"minimum": 0}}
raise SystemExit("this file is never run")
"""

DECLARED = "config]\nstrength = 0.1\ndeep.er = true\n"


@pytest.fixture
def tuned(folder: Path) -> Path:
    (folder / "an_app" / "task.py").write_text(KNOBS)
    return folder


def test_the_knobs_of_a_task_are_read_without_running_it(tuned: Path) -> None:
    app = read_app(str(tuned))
    assert app.config == {"num-rounds": 3, "fedyogi.eta": 0.01, "strength": 0.1, "deep.er": True}
    assert app.undeclared == ("strength", "deep.er")
    assert app.knobs["fedyogi.eta"].minimum == 0


def test_an_overlay_may_bring_the_task_or_the_pyproject(folder: Path) -> None:
    task, pyproject = folder / "mine.py", folder / "mine.toml"
    task.write_text('KNOBS = {"strength": 1}')
    pyproject.write_text(LEAST + "depth = 2\n")
    overlay = {"an_app/task.py": str(task), "pyproject.toml": str(pyproject)}
    assert read_app(str(folder), overlay).config == {"num-rounds": 3, "depth": 2, "strength": 1}
    with pytest.raises(AppError, match="/nowhere is to become a file of the app, but there is no such file"):
        read_app(str(folder), {"an_app/task.py": "/nowhere"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PYPROJECT, PYPROJECT.replace("config]\n", DECLARED, 1)),
        (PYPROJECT.replace("\n", "\r\n"), PYPROJECT.replace("config]\n", DECLARED, 1)),
        (
            LEAST.replace("[tool.flwr.app.config]\nnum-rounds = 3\n", "[tool.flwr.app.config.fedyogi]\neta = 1\n\n"),
            LEAST.replace(
                "[tool.flwr.app.config]\nnum-rounds = 3\n",
                "[tool.flwr.app.config.fedyogi]\neta = 1\n\n[tool.flwr.app.config]\nstrength = 0.1\ndeep.er = true\n",
            ),
        ),
        (PYPROJECT.replace("app.config]", "app.'config']").replace("config.fed", "'config'.fed"), None),
        (PYPROJECT + "[tool.flwr.app.config.deep]\nother = 1\n", None),
    ],
)  # fmt: skip
def test_what_is_deployed_declares_the_knobs(tuned: Path, before: str, after: str | None) -> None:
    (tuned / "pyproject.toml").write_text(before, newline="")
    (tuned / "an_app" / "task.py").write_text(KNOBS.replace(', "fedyogi.eta": {"minimum": 0}', ""))
    if after is None:
        with pytest.raises(AppError, match="leaves no place for strength, deep.er, which the task declares as knobs"):
            declaring(read_app(str(tuned)))
    else:
        assert declaring(read_app(str(tuned))) == after


def test_a_table_of_knobs_that_says_nothing_useful_is_refused_with_all_of_its_flaws(folder: Path) -> None:
    task = folder / "an_app" / "task.py"
    task.write_text("KNOBS = {'client-lr': 0.1, 'a b': 1, 'x': {'default': 2, 'maximum': 1}}")
    with pytest.raises(AppError) as refusal:
        read_app(str(folder))
    assert str(refusal.value).splitlines() == [
        f"{task}: KNOBS['client-lr'] is a training variable already; read it in settings, or choose another name.",
        f"{task}: KNOBS['a b'] must be called by letters, digits, hyphens and underscores, parts joined with dots.",
        f"{task}: KNOBS['x'] has the default 2, which must be at most 1.",
    ]
