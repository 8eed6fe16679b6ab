# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Flower app: the run configuration that it declares, and its copy of the knowledge."""

from __future__ import annotations

import json
import re
from pathlib import Path

from module_utils._base.notation import to_toml
from module_utils._config.continuity import first_default
from module_utils._config.table import LOCAL, VARIABLES
from module_utils._config.variable import Variable

from . import NOTICE, between, continuity, licence

PYPROJECT = "files/fab/pyproject.toml"
SETTINGS = "files/fab/fedops_app/settings.py"
FIELDS = {"client_lr": "learning_rate"}  # as tasks know a variable, where that is not its name
GALAXY = "galaxy.yml"
KNOWLEDGE = "files/fab/fedops_kit/knowledge"
BEGIN = f"# --- begin: {NOTICE} ---\n"
END = "# --- end of the generated part ---\n"
COPIED = (
    "_config/variable",
    "_config/code",
    "_config/table",
    "_config/continuity",
    "_config/strategies",
    "_config/values",
    "_config/sizing",
    "_config/rules",
    "_config/knobs",
    "_config/situation",
    "_config/training",
    "_config/synonyms",
    "_config/kit",
    "_config/stopping",
    "_config/purposes",
    "_config/schedules",
    "_config/steering",
    "_config/accounting",
    "_config/privacy",
    "_config/privacy_rules",
    "_base/errors",
    "_base/jsonable",
    "_base/home",
    "_base/notation",
    "_base/pseudonyms",
    "_base/reading",
    "_base/runtimes",
    "_checkpoint/npy",
    "_checkpoint/npz",
    "_checkpoint/manifest",
    "_checkpoint/names",
    "_checkpoint/checkpoint",
    "_checkpoint/lock",
    "_checkpoint/verification",
    "_checkpoint/plain",
    "_checkpoint/directory",
    "_checkpoint/trainings",
    "_checkpoint/safetensors",
    "_checkpoint/models",
    "_checkpoint/side_files",
    "_checkpoint/bfloat16",
    "_checkpoint/tensors",
)  # fmt: skip


def files(root: Path) -> dict[str, str]:
    pyproject = between((root / PYPROJECT).read_text("utf-8"), BEGIN, END, _config(), PYPROJECT)
    knowledge = _knowledge(root / "plugins/module_utils", continuity.files(root))
    begin, end = "    # begin: local (tools/generate.py writes it)\n", "    # end: local\n"
    fields = "".join(_field(row) for row in VARIABLES if row.group == LOCAL)
    settings = between((root / SETTINGS).read_text("utf-8"), begin, end, fields, SETTINGS)
    return {PYPROJECT: pyproject, SETTINGS: settings, **knowledge, f"{KNOWLEDGE}/version.py": _version(root)}


def _field(row: Variable) -> str:
    """What a client is told, as a field of a dataclass."""
    default = json.dumps(row.default) if row.type == "str" else row.default
    name = FIELDS.get(row.name, row.name)
    return f'    {name}: {row.type} = field(default={default}, metadata={{"key": "{row.key}"}})\n'


def _version(root: Path) -> str:
    """The kit has the version of the collection that it comes with."""
    found = re.search(r"^version: (\S+)$", (root / GALAXY).read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{GALAXY} has no version.")
    notice = NOTICE.replace("plugins/module_utils/_config/table.py", GALAXY)
    return f'{licence("Apache-2.0")}# {notice}\n"""The version of the kit."""\n\nVERSION = "{found.group(1)}"\n'


def _config() -> str:
    """Flower refuses a key that is missing here.

    It fills in what a run configuration leaves out: a key that was not there yet when a training began.
    """
    lines = "".join(f"{row.key} = {to_toml(first_default(row, ''))}\n" for row in VARIABLES)
    earlier = "".join(f"{key} = {to_toml(type(row.default)())}\n" for row in VARIABLES for key in row.keys[1:])
    comment = "# Earlier names, which a training that goes on may have; empty: not given.\n"
    return f"[tool.flwr.app.config]\n{lines}{comment}{earlier}"


def _knowledge(source: Path, renewed: dict[str, str]) -> dict[str, str]:
    copies = {
        "__init__.py": '"""What the collection knows of training variables, strategies and checkpoints: a copy."""\n'
    }
    for name in COPIED:
        text = renewed.get(f"plugins/module_utils/{name}.py") or (source / f"{name}.py").read_text("utf-8")
        copies[f"{name}.py"] = text[text.index('"""') :]
    return {f"{KNOWLEDGE}/{name}": _header(name) + text for name, text in copies.items()}


def _header(name: str) -> str:
    notice = NOTICE if name == "__init__.py" else NOTICE.replace("_config/table.py", name)
    return f"{licence('Apache-2.0')}# {notice}\n"
