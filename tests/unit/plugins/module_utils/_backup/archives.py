# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes and archives of them, and archives of anybody's, for the tests beside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup import archive as _archive
from ansible_collections.fedops.flower.plugins.module_utils._backup import contents as _contents
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import Seal


def new_seal() -> Seal:
    key = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    recipient = next(line.split()[-1] for line in key.splitlines() if "public key" in line)
    return Seal(recipients=[recipient], identity=key)


SEAL = new_seal()
NUMBERS = {"flower": 49999, "flower-superlink": 49998, "flower-control": 49997}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts")
FILES = {
    "certificates/server.key": ("key", 0),
    "certificates/server.crt": ("certificate", 0),
    "certificates/superexec.secret": ("s", 0),
    "records/supernodes.json": ("{}", 0),
    "trainings/quiesced.json": ("{}", 49997),
    "trainings/a/ledger.json": ("{}", 49997),
    "published/a/history.jsonl": ("{}", 49999),
    "published/a/privacy.jsonl": ("{}", 49999),
    "published/a/previous/20261126T032015.000123Z/result.json": ("{}", 49999),
}
NAMES = sorted([*FILES, "state/state.db"])


def give(path: Path, owner: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner, owner)


def nodes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM node").fetchone()[0]


def create(home: Path, seal: Seal = SEAL) -> str:
    path = str(home.parent / "backup" / "flower.sealed")
    _archive.create(path, str(home), seal)
    return path


def facts(base: Path) -> dict[str, tuple[int, int, str]]:
    found = {str(path.relative_to(base)): path.lstat() for path in base.rglob("*")}
    return {name: (about.st_uid, about.st_gid, oct(about.st_mode & 0o7777)) for name, about in sorted(found.items())}


def plant_link(path: Path) -> None:
    path.symlink_to("/etc/shadow")


def sealed(tmp_path: Path, *entries: tuple, contents: object = None, cut: int = 0) -> str:
    """Seal an archive of anybody's: names, contents, and what of tarfile.TarInfo is other than usual."""
    raw = io.BytesIO()
    listed = {}
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content, changes in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
            listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "mode": 0o600, "account": True}
        if contents is not False:
            text = json.dumps({"version": 1, "files": listed, "databases": []} if contents is None else contents)
            info = tarfile.TarInfo(_contents.CONTENTS)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    path = tmp_path / "anybodys.sealed"
    content = raw.getvalue()
    with SEAL.writing(str(path)) as stream:
        stream.write(content[: len(content) - cut])
    return str(path)


GOOD = ("certificates/server.key", b"key", {})
