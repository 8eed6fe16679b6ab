# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the layout of a host: the tables of docs/security.md and docs/files.md, and defaults of roles."""

from __future__ import annotations

import json
import re
from pathlib import Path

from module_utils._base import layout
from module_utils._base.home import HOME
from module_utils._base.runtimes import DEPLOYED
from module_utils._flower.assumptions import QUIET
from module_utils._release.releases import KEPT
from module_utils._storage.backends import BACKENDS
from module_utils._storage.disks import FILE_SYSTEMS

from . import between

PAGE, FILES_PAGE = "docs/security.md", "docs/files.md"
# It runs on hosts, without the collection.
LAUNCHER = "roles/superlink/files/flwr.py"
# Role and variable of each default that is the layout's, or that of what lies there.
DEFAULTS: dict[str, dict[str, str | int]] = {
    "runtime": {
        "runtime_home": HOME,
        "runtime_user": layout.APPS.name,
        "runtime_uid": layout.APPS.number,
        "runtime_gid": layout.APPS.number,
        "runtime_releases_kept": KEPT,
    },
    "superlink": {port.variable: port.number for port in layout.PORTS if layout.SUPERLINK_HOST in port.on},
    "supernode": {port.variable: port.number for port in layout.PORTS if layout.SUPERNODE_HOST in port.on},
    "model_worker": {port.variable: port.number for port in layout.PORTS if layout.WORKER_HOST in port.on},
    "model_registry": {port.variable: port.number for port in layout.PORTS if layout.REGISTRY_HOST in port.on},
}
# Role and variable of each that is one row of a table, by the rows.
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "runtime": {"runtime_kind": DEPLOYED},
    "checkpoints": {"checkpoints_backend": tuple(BACKENDS), "checkpoints_disk_filesystem": tuple(FILE_SYSTEMS)},
}
HOSTS = {
    layout.SUPERLINK_HOST: "SuperLink",
    layout.SUPERNODE_HOST: "SuperNode",
    layout.REGISTRY_HOST: "registry",
    layout.WORKER_HOST: "worker",
}


def files(root: Path) -> dict[str, str]:
    text = (root / PAGE).read_text("utf-8")
    for name, table in (("accounts", _accounts()), ("folders", _folders())):
        text = between(text, f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n", table, PAGE)
    page = (root / FILES_PAGE).read_text("utf-8")
    for name, table in (("folders", _made()), ("files", _files()), ("units", _units()), ("ports", _ports())):
        page = between(page, f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n", table, FILES_PAGE)
    quiet = f"QUIET = {json.dumps(dict(QUIET))}\n"
    launcher = between(
        (root / LAUNCHER).read_text("utf-8"),
        "# begin: quiet (tools/generate.py writes it)\n",
        "# end: quiet\n",
        quiet,
        LAUNCHER,
    )
    return {PAGE: text, FILES_PAGE: page, LAUNCHER: launcher, **_defaults(root)}


def _defaults(root: Path) -> dict[str, str]:
    """The defaults and the choices of roles, in the lines that hand-written files have for them."""
    written = {}
    for role, values in DEFAULTS.items():
        in_specs = r"(?m)^(      {name}:\n(?:        .*\n)*?        default: ).*$"
        for path, line in (
            (f"roles/{role}/defaults/main.yml", r"(?m)^({name}: ).*$"),
            (f"roles/{role}/meta/argument_specs.yml", in_specs),
        ):
            text = (root / path).read_text("utf-8")
            for name, value in values.items():
                text, found = re.subn(line.format(name=name), rf"\g<1>{value}", text)
                if found != 1:
                    raise SystemExit(f"{path} must hold the default of {name} once.")
            written[path] = text
    for role, rows in CHOICES.items():
        path = f"roles/{role}/meta/argument_specs.yml"
        text = written.get(path) or (root / path).read_text("utf-8")
        for name, choices in rows.items():
            line = rf"(?m)^(      {name}:\n(?:        .*\n)*?        choices: ).*$"
            text, found = re.subn(line, rf"\g<1>[{', '.join(choices)}]", text)
            if found != 1:
                raise SystemExit(f"{path} must hold the choices of {name} once.")
        written[path] = text
    return written


def _accounts() -> str:
    rows = ["| Account | Number | On | What for |", "|---|---|---|---|"]
    for account in layout.ACCOUNTS:
        hosts = " and ".join(host for kind, host in HOSTS.items() if account in layout.ON[kind])
        name = f"`{account.name}` (a group)" if account.is_group else f"`{account.name}`"
        rows.append(f"| {name} | {account.number} | {hosts} | {account.purpose} |")
    return "\n".join(rows) + "\n"


def _folders() -> str:
    rows = ["| Folder | Owner | Group | Mode | What it holds |", "|---|---|---|---|---|"]
    for entry in layout.FOLDERS:
        owner, group = (account.name if account else "root" for account in (entry.owner, entry.group))
        rows.append(f"| `{entry.path}` | {owner} | {group} | {entry.mode:04o} | {entry.holds} |")
    return "\n".join(rows) + "\n"


def _hosts(on: tuple[str, ...]) -> str:
    return " and ".join(HOSTS[kind] for kind in HOSTS if kind in on)


def _made() -> str:
    rows = ["| Folder | On | Made by | After a teardown |", "|---|---|---|---|"]
    for entry in layout.FOLDERS:
        stays = {layout.SOFTWARE: "gone", layout.STAYS: "stays"}.get(entry.fate, f"stays without `{entry.fate}`")
        rows.append(f"| `{entry.path}` | {_hosts(entry.on)} | {entry.by or 'role `runtime`'} | {stays} |")
    return "\n".join(rows) + "\n"


def _files() -> str:
    rows = ["| File | What it holds |", "|---|---|"]
    rows += [f"| `{entry.path}` | {entry.holds} |" for entry in layout.FILES]
    return "\n".join(rows) + "\n"


def _units() -> str:
    rows = ["| Unit | On | What it does |", "|---|---|---|"]
    rows += [f"| `{unit.name}` | {_hosts(unit.on)} | {unit.does} |" for unit in layout.UNITS]
    return "\n".join(rows) + "\n"


def _ports() -> str:
    rows = ["| Port | Variable | Who listens, and for whom |", "|---|---|---|"]
    rows += [f"| {port.number} | `{port.variable}` | {port.at} |" for port in layout.PORTS]
    return "\n".join(rows) + "\n"
