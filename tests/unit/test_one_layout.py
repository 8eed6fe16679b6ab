# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the layout says what lies where: nothing makes a folder that it does not name, and nothing repeats it."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import ACCOUNTS, FOLDERS, HOME, PARTS, PORTS

ROOT = Path(__file__).resolve().parents[2]
NAMED = {entry.path for entry in FOLDERS}
TASKS = sorted(itertools.chain(ROOT.glob("roles/*/tasks/*.yml"), ROOT.glob("playbooks/**/*.yml")))
PLUGINS = sorted(
    itertools.chain(*(ROOT.glob(f"plugins/{kind}/**/*.py") for kind in ("module_utils", "modules", "action")))
)

# Who makes folders, and where: below a folder of the table, or in a place that is given.
GIVEN = "what it is told to make, which comes from the table or from the operator"
CONTROLLER = "the controller"
MAKERS = {
    "action/checkpoint_backup.py": CONTROLLER,
    "action/model_export.py": CONTROLLER,
    "action/model_package.py": CONTROLLER,
    "action/model_publish.py": CONTROLLER,
    "action/training_report.py": CONTROLLER,
    "module_utils/_base/belongings.py": GIVEN,
    "module_utils/_flower/simulated.py": GIVEN,
    "module_utils/_backup/archive.py": GIVEN,
    "module_utils/_backup/checkpoints.py": GIVEN,
    "module_utils/_backup/restore.py": GIVEN,
    "module_utils/_base/files.py": GIVEN,
    "module_utils/_base/guarded.py": GIVEN,
    "module_utils/_base/identity.py": "/etc/flower",
    "module_utils/_base/text_files.py": GIVEN,
    "module_utils/_delivery/averaging.py": GIVEN,
    "module_utils/_delivery/registry.py": "/var/lib/flower-registry",
    "module_utils/_delivery/slots.py": "/var/lib/flower-worker",
    "module_utils/_flower/fab.py": "app",
    "module_utils/_flower/pinned.py": "app/of_trainings",
    "module_utils/_gpus/devices.py": "/dev/flower",
    "module_utils/_mirror/fetch.py": "checkpoints",
    "module_utils/_mirror/program.py": "/var/lib/flower-mirror",
    "module_utils/_publish/directory.py": CONTROLLER,
    "module_utils/_publish/environment.py": CONTROLLER,
    "module_utils/_release/releases.py": "releases",
    "module_utils/_release/restore_point.py": "/var/backups/flower/upgrades",
    "module_utils/_storage/ground.py": GIVEN,
    "module_utils/_storage/mount_guard.py": GIVEN,
    "module_utils/_storage/own_steps.py": GIVEN,
    "module_utils/_storage/relocation.py": GIVEN,
    "module_utils/_supernode/ledger.py": "records",
    "module_utils/_supernode/units.py": "/var/lib/flower-supernode",
    "module_utils/_supervisor/control.py": "supervisor",
    "module_utils/_tracking/program.py": "/var/lib/private/flower-trackers",
    "module_utils/_tracking/to_tensorboard.py": "/var/lib/private/flower-trackers",
    "module_utils/_training/export.py": "checkpoints",
    "module_utils/_training/folder.py": "trainings",
    "module_utils/_training/initial.py": "initial",
    "module_utils/_training/split.py": "published",
}


def tasks(found: Any, where: str = "") -> Iterator[tuple[dict, str]]:
    """Yield the tasks of a file, also those in plays and blocks, each with the host that it is delegated to."""
    for item in found if isinstance(found, list) else []:
        on = item.get("delegate_to", where)
        yield item, on
        for part in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always", "handlers"):
            yield from tasks(item.get(part), on)


def variables() -> dict[str, Any]:
    """Return what roles call their places."""
    files = [yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/vars/main.yml")]
    return {name: value for file in files for name, value in file.items()}


def made_by_tasks() -> list[tuple[str, str]]:
    found = [(path, task, on) for path in TASKS for task, on in tasks(yaml.safe_load(path.read_text()))]
    return [
        (str(path.relative_to(ROOT)), str(task["ansible.builtin.file"]["path"]))
        for path, task, on in found
        if task.get("ansible.builtin.file", {}).get("state") == "directory"
        and on != "localhost"
        # A simulation has a folder of its user's, and nothing on a host.
        and "simulation" not in path.parts
    ]


def test_a_task_makes_only_folders_of_the_layout() -> None:
    made = made_by_tasks()
    known = variables()
    resolved = [(file, re.sub(r"{{ (__\w+) }}", lambda m: str(known.get(m[1], m[0])), path)) for file, path in made]
    assert len(made) == 6
    assert [
        pair
        for pair in resolved
        if not re.fullmatch(r"{{ (delivery|runtime|_|__training_alert)_places\.f(older|ile)s.+ }}", pair[1])
    ] == []


def test_a_unit_has_systemd_make_only_folders_of_the_layout() -> None:
    places = {
        "State": "/var/lib",
        "Cache": "/var/cache",
        "Runtime": "/run",
        "Logs": "/var/log",
        "Configuration": "/etc",
    }
    texts = [path.read_text() for path in ROOT.glob("roles/*/templates/*.j2")]
    made = [(kind, name) for text in texts for kind, name in re.findall(r"(?m)^(\w+)Directory=([\w-]+)", text)]
    made = [f"{places[kind]}/{name}" for kind, name in made if kind in places]
    assert len(made) == 10
    assert set(made) <= NAMED


def makes_folders(path: Path) -> bool:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
    return bool(names & {"mkdir", "makedirs", "make_directory"})


def test_every_module_that_makes_folders_makes_those_of_the_layout() -> None:
    assert {str(path.relative_to(ROOT / "plugins")) for path in PLUGINS if makes_folders(path)} == MAKERS.keys()
    assert set(MAKERS.values()) - {GIVEN, CONTROLLER} <= NAMED


def code(path: Path) -> str:
    """Return what a file does, without what it says of itself."""
    text = path.read_text()
    if path.suffix != ".py":
        return re.sub(r"(?m)(^|\s)#.*$", "", text)
    tree = ast.parse(text)
    documentation = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        node.body = [
            part
            for part in body
            if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            and not (isinstance(part, ast.Assign) and documentation & {getattr(t, "id", "") for t in part.targets})
        ]
    return "\n".join(repr(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))


ELSEWHERE = sorted(path for path in NAMED if path.startswith("/") and "flower" in path)
REPEATED = re.compile(
    "|".join(
        [
            rf"(?<![\w./-]){re.escape(HOME)}\b",
            *(re.escape(path) for path in ELSEWHERE),
            *(rf"\b{account.number}\b" for account in ACCOUNTS),
            *(rf"\b{port.number}\b" for port in PORTS),
            # Accounts that have the names of units: where somebody runs as one of them.
            *(rf"^(?:User|Group)={account.name}$" for account in PARTS.values()),
            *(rf"\b(?:owner|group): {account.name}$" for account in PARTS.values()),
            # Certificates of a host; those of the authority lie on the controller.
            r"certificates/(?:ca|server)\.",
            r"certificates(?: \| [\w.]+)? }}/(?:ca|server)\.",
        ]
    ),
    re.MULTILINE,
)
# Where the table itself stands, or what is generated from it or names places of its own.
TABLES = {"plugins/module_utils/_base/home.py", "plugins/module_utils/_base/layout.py"}
GENERATED = {
    f"roles/{role}/defaults/main.yml"
    for role in ("model_registry", "model_worker", "runtime", "superlink", "supernode")
}
GENERATED |= {"playbooks/vars/backup.yml"}
READ = sorted(
    itertools.chain(
        TASKS,
        PLUGINS,
        *(ROOT.glob(f"roles/*/{part}/**/*.yml") for part in ("vars", "defaults", "handlers")),
        ROOT.glob("roles/*/templates/*.j2"),
    )
)


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in READ])
def test_nothing_repeats_the_layout(path: str) -> None:
    text = re.sub(r"_places\.folders\['[^']+'\]", "", code(ROOT / path))  # that looks something up
    assert path in TABLES | GENERATED or not REPEATED.findall(text)


INSTALLED = re.compile(r"\binstall -o (\S+) -g (\S+) .* " + re.escape(HOME) + r"/(\S+)")


def test_what_docs_have_an_operator_put_on_a_host_belongs_to_whom_the_layout_says() -> None:
    """A file in the wrong account's name is one that the service cannot open."""
    folders = {entry.path: entry for entry in FOLDERS}
    commands = [
        found for page in sorted(ROOT.glob("docs/*.md")) for found in INSTALLED.findall(page.read_text("utf-8"))
    ]
    assert commands
    for owner, group, path in commands:
        parent = next(folders[str(place)] for place in Path(path).parents if str(place) in folders)
        belongs = tuple(account.name if account else "root" for account in (parent.owner, parent.group))
        assert (owner, group) == belongs, path
