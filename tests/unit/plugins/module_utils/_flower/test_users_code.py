# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files decide that a training is another one: those of the user, and none that the collection brings."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import use_cases, users_code
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import PYPROJECT
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import OWN_APP, USE_CASES, overlay_of
from ansible_collections.fedops.flower.plugins.module_utils._flower.users_code import code_hash

from ....apps import LEAST

TASK = "fedops_app/task.py"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "an_app").mkdir(parents=True)
    (folder / PYPROJECT).write_text(LEAST)
    (folder / "an_app" / "model.py").write_text("LAYERS = 3\n")
    return folder


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection of another release, in which every file of ours has changed."""
    collection = tmp_path / "collection"
    for folder in ("files/fab", "files/use_cases"):
        shutil.copytree(Path(use_cases.COLLECTION, folder), collection / folder)
    for path in (collection / "files").rglob("*.py"):
        path.write_text(path.read_text() + "\n# mended\n")
    for module in (use_cases, users_code):
        monkeypatch.setattr(module, "COLLECTION", str(collection))
        monkeypatch.setattr(module, "OWN_APP", str(collection / "files/fab"))
    return collection


def test_each_file_of_ones_own_app_counts_by_its_name_and_its_bytes(app: Path) -> None:
    hashes = [code_hash(str(app))]
    (app / "an_app" / "model.py").write_text("LAYERS = 4\n")
    hashes.append(code_hash(str(app)))
    (app / "an_app" / "model.py").rename(app / "an_app" / "net.py")
    hashes.append(code_hash(str(app)))
    (app / "prompts.md").write_text("You are a nurse.")
    hashes.append(code_hash(str(app)))
    assert len(set(hashes)) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", found) for found in hashes)


@pytest.mark.parametrize(
    ("name", "old", "new", "other"),
    [
        (PYPROJECT, "num-rounds = 3", "num-rounds = 30", False),  # how long
        (PYPROJECT, "num-rounds = 3", "num-rounds = 3\ndepth = 2", True),  # which a run has that is given none
        (PYPROJECT, 'version = "1.2.3"', 'version = "1.2.4"', False),
        (PYPROJECT, "an_app.server:app", "an_app.other:app", True),
        (PYPROJECT, "[tool.flwr.app]\n", '[tool.flwr.app]\nfab-exclude = ["an_app/model.py"]\n', True),
        ("README.md", "", "How to", False),
        ("LICENSE", "", "MIT", False),
    ],
)
def test_of_what_is_about_the_app_only_what_decides_which_code_runs_counts(
    app: Path, name: str, old: str, new: str, other: bool
) -> None:
    before = code_hash(str(app))
    text = (app / name).read_text() if (app / name).exists() else ""
    assert old in text
    (app / name).write_text(text.replace(old, new) if old else new)
    assert (code_hash(str(app)) != before) == other


def test_a_file_of_an_overlay_counts_in_the_place_of_the_apps(app: Path, tmp_path: Path) -> None:
    before, mine = code_hash(str(app)), tmp_path / "mine.py"
    mine.write_text("LAYERS = 3\n")
    assert code_hash(str(app), {"an_app/model.py": str(mine)}) == before
    mine.write_text("LAYERS = 5\n")
    assert code_hash(str(app), {"an_app/model.py": str(mine)}) != before


def test_a_task_of_ones_own_is_the_users_and_the_rest_of_our_app_is_not(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("one")
    hashes = [code_hash(OWN_APP), code_hash(OWN_APP, {TASK: str(mine)})]
    mine.write_text("two")
    hashes.append(code_hash(OWN_APP, {TASK: str(mine)}))
    hashes += [code_hash(OWN_APP, overlay_of(name)) for name in USE_CASES if name != use_cases.OWN_TASK]
    assert len(set(hashes)) == 3 + len(USE_CASES) - 1


def test_an_upgrade_of_the_collection_makes_no_training_another_one(
    upgraded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("one")
    theirs = str(upgraded / "files/fab")

    def hashes() -> list[str]:
        names = [code_hash(use_cases.OWN_APP, overlay_of(name, use_cases.OWN_APP)) for name in USE_CASES]
        return [*names, code_hash(use_cases.OWN_APP, {TASK: str(mine)})]

    after = hashes()
    assert code_hash(theirs) == after[0]
    monkeypatch.undo()
    assert hashes() == after
