# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kit in an app of one's own: what is added to it, which apps are refused, and that the FAB has all of it."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.kit import KIT_ROWS, has_kit, kit_default, kit_key
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import AppError, read_app, source_files
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_kit import (
    kit_files,
    missing_of_kit,
    pyproject_with_kit,
    with_kit,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import contents
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import KIT
from flwr.cli.build import build_fab_from_disk

from ....apps import LEAST, WHOLE

APPS = Path(__file__).resolve().parents[4] / "apps"
KEYS = {kit_key(row): kit_default(row) for row in KIT_ROWS}
USING = "from fedops_kit import keep\n"


def app_of(folder: Path, pyproject: str = LEAST, **files: str) -> tuple:
    (folder / "an_app").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(pyproject)
    for name, text in {"an_app/server.py": USING, "an_app/client.py": "", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return read_app(str(folder)), source_files(str(folder))


def test_the_app_declares_the_keys_of_the_kit_beside_its_own(tmp_path: Path) -> None:
    kept = with_kit(*app_of(tmp_path))
    assert kept.config == {"num-rounds": 3, **KEYS}
    assert has_kit(kept.config)


@pytest.mark.parametrize(
    ("files", "pyproject", "expected"),
    [
        ({"fedops_kit/__init__.py": ""}, LEAST, r"the app an-app has fedops_kit/__init__\.py of its own"),
        ({"fedops_kit.py": ""}, LEAST, r"the app an-app has fedops_kit\.py of its own"),
        ({}, LEAST + "[tool.flwr.app.config.fedops]\nx = 1\n", r"the app an-app declares fedops\.x in its"),
        ({}, LEAST + "fedops = 1\n", r"the app an-app declares fedops in its"),
        (
            {"an_app/server.py": ""},
            LEAST,
            r"nothing in the app an-app uses the kit\. Write two lines into its ServerApp",
        ),
    ],
)
def test_an_app_is_refused_by_name(tmp_path: Path, files: dict[str, str], pyproject: str, expected: str) -> None:
    with pytest.raises(AppError, match=f"^app_kit is true, but .*{expected}"):
        with_kit(*app_of(tmp_path, pyproject, **files))


LAYOUTS = {
    "a table": LEAST,
    "no table": LEAST.partition("[tool.flwr.app.config]")[0],
    "an inline table": LEAST.partition("[tool.flwr.app.config]")[0].replace(
        'publisher = "somebody"\n', 'publisher = "somebody"\nconfig = { lr = 0.1, model = { width = 3 } }\n'
    ),
    "dotted keys": LEAST.partition("[tool.flwr.app.config]")[0].replace(
        'publisher = "somebody"\n', 'publisher = "somebody"\nconfig.lr = 0.1\nconfig."a b" = "c"\n'
    ),
    "nested tables": LEAST + "[tool.flwr.app.config.model]\nwidth = 3\n[tool.flwr.app.config.model.deep]\nx = true\n",
    "another table after it": LEAST
    + '[tool.ruff]\nselect = [["a"], ["b\\"", "ä\\n"]]\n[[tool.x]]\nwhen = 2020-01-01\n',
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gets_the_table_and_says_otherwise_what_it_said(text: str) -> None:
    before, after = tomllib.loads(text), tomllib.loads(pyproject_with_kit(text))
    own = after["tool"]["flwr"]["app"]["config"].pop("fedops")
    assert {f"fedops.{key}": value for key, value in own.items()} == KEYS
    before["tool"]["flwr"]["app"].setdefault("config", {})
    assert after == before


def put_together(folder: Path, app: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the sources of an app with the kit, and the files of the FAB that Flower builds of them."""
    shutil.copytree(app, folder, ignore=shutil.ignore_patterns("__pycache__"))
    pyproject = pyproject_with_kit((folder / "pyproject.toml").read_text())
    (folder / "pyproject.toml").write_text(pyproject)
    for name, full in kit_files(KIT).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(full, folder / name)
    files = source_files(str(folder))
    return {name: Path(full).read_bytes() for name, full in files.items()}, contents(build_fab_from_disk(folder))


@pytest.mark.parametrize("name", ["quickstart-numpy", "quickstart-sklearn", "quickstart-pytorch"])
def test_its_fab_has_the_kit_with_its_knowledge(tmp_path: Path, name: str) -> None:
    sources, fab = put_together(tmp_path / name, APPS / name)  # the one in PyTorch names what its FAB includes
    assert missing_of_kit(sources, fab) is None
    assert fab["fedops_kit/knowledge/_config/kit.py"] == (Path(KIT) / "knowledge/_config/kit.py").read_bytes()
    section = tomllib.loads(fab["pyproject.toml"].decode())["tool"]["flwr"]["app"]
    before = tomllib.loads((APPS / name / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    assert (section["publisher"], section["components"]) == (before["publisher"], before["components"])


@pytest.mark.parametrize("steering", ["fab-exclude", ".gitignore"])
def test_a_file_that_is_left_out_is_found(tmp_path: Path, steering: str) -> None:
    whole = WHOLE.replace('publisher = "somebody"\n', 'publisher = "somebody"\nfab-exclude = ["**/knowledge/**"]\n')
    app_of(tmp_path / "app", whole if steering == "fab-exclude" else WHOLE, LICENSE="")
    if steering == ".gitignore":
        (tmp_path / "app/.gitignore").write_text("knowledge/\n")
    assert missing_of_kit(*put_together(tmp_path / "built", tmp_path / "app")).startswith("fedops_kit/knowledge/")
