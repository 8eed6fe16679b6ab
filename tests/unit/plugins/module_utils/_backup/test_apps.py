# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of apps in an archive, which are held against what root has recorded of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup import apps as _apps
from ansible_collections.fedops.flower.plugins.module_utils._backup import archive as _archive
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import restore as _restore
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import digest_of
from ansible_collections.fedops.flower.plugins.module_utils._flower.pinned import check_copy

from .archives import NAMES, SEAL, create, sealed

APP_FILES = {
    "pyproject.toml": b"[project]",
    "an_app/task.py": b"model = 1",
    "an_app/.hidden": b"",
    "an_app/..two dots/a b.txt": b"x",
    "an_app/\u00fcber.py": b"y",
}
COPY = f"app/of_trainings/a/{'0f' * 32}"


def recorded(files: dict[str, bytes], fab_hash: str = "0f" * 32) -> bytes:
    return json.dumps({"fab_hash": fab_hash, "checksum": digest_of(files)}).encode()


def test_every_app_is_held_against_its_record(tmp_path: Path) -> None:
    _apps.check_apps({"certificates/server.key": {"sha256": "0" * 64}}, "a.sealed")  # none is there
    (tmp_path / "record").write_bytes(recorded(APP_FILES))
    entries = {f"{COPY}/{name}": {"sha256": hashlib.sha256(text).hexdigest()} for name, text in APP_FILES.items()}
    entries[f"{COPY}.json"] = {"sha256": "", "staged": str(tmp_path / "record")}
    _apps.check_apps(entries, "a.sealed")
    del entries[f"{COPY}/pyproject.toml"]
    with pytest.raises(_database.ArchiveError, match=r"^a.sealed holds another app as"):
        _apps.check_apps(entries, "a.sealed")


def put_aside(home: Path, files: dict[str, bytes] | None = None, record: bytes | None = None) -> None:
    for name, content in (APP_FILES if files is None else files).items():
        (home / COPY / name).parent.mkdir(parents=True, exist_ok=True)
        (home / COPY / name).write_bytes(content)
    (home / f"{COPY}.json").write_bytes(recorded(APP_FILES) if record is None else record)


def test_the_app_of_a_training_comes_back_with_what_root_has_recorded_of_it(home: Path, tmp_path: Path) -> None:
    put_aside(home)
    path, fresh = create(home), tmp_path / "fresh"
    names = [f"{COPY}.json", *(f"{COPY}/{name}" for name in APP_FILES)]
    assert set(_restore.restore(path, str(fresh), SEAL)) == {*NAMES, *names}
    assert {name: (fresh / COPY / name).read_bytes() for name in APP_FILES} == APP_FILES
    check_copy(str(fresh / COPY))
    assert _restore.restore(path, str(fresh), SEAL) == []


@pytest.mark.parametrize(
    ("files", "record", "said"),
    [
        ({**APP_FILES, "evil.pth": b"import os"}, None, "it is not what was put aside there."),
        (APP_FILES, b"{}", "nothing is recorded of it. Train again."),
        (
            APP_FILES,
            recorded(APP_FILES, "1f" * 32),
            "nothing is recorded of it. Train again.",
        ),
    ],
)
def test_an_app_that_is_not_what_was_recorded_is_not_kept_and_told(
    home: Path, tmp_path: Path, files: dict, record: bytes | None, said: str
) -> None:
    put_aside(home, files, record)
    path = str(tmp_path / "backup.sealed")
    assert f"{COPY} is not in the backup: {said}" in _archive.create(path, str(home), SEAL).problems
    assert _restore.restore(path, str(tmp_path / "fresh"), SEAL) == NAMES


@pytest.mark.parametrize(
    ("record", "files"),
    [
        (None, APP_FILES),
        (b"{}", APP_FILES),
        (b"[", APP_FILES),
        (recorded(APP_FILES, "1f" * 32), APP_FILES),
        (recorded(APP_FILES), {**APP_FILES, "an_app/task.py": b"evil = 1"}),
        (recorded(APP_FILES), {**APP_FILES, "evil.pth": b"import os"}),
        (recorded(APP_FILES), {"pyproject.toml": APP_FILES["pyproject.toml"]}),
    ],
)
def test_an_archive_with_another_app_than_it_says_is_refused_by_name(
    tmp_path: Path, record: bytes | None, files: dict
) -> None:
    base = tmp_path / "fresh"
    entries = [(f"{COPY}/{name}", content, {}) for name, content in files.items()]
    records = [] if record is None else [(f"{COPY}.json", record, {})]
    path = sealed(tmp_path, ("certificates/superexec.secret", b"s", {}), *entries, *records)
    with pytest.raises(_database.ArchiveError, match=f"holds another app as {COPY} than was put aside there for its"):
        _restore.restore(path, str(base), SEAL)
    assert list(base.rglob("*")) == []
