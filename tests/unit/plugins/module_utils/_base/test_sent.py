# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.sent import SentFile

DIGEST = hashlib.sha256(b"program").hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> str:
    (tmp_path / "content").write_bytes(b"program")
    with tarfile.open(tmp_path / "sent.tar", "w") as packed:
        packed.add(tmp_path / "content", arcname="whatever.pyz")
    return str(tmp_path / "sent.tar")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_was_sent_is_written_once_and_told_by_its_digest(tmp_path: Path, archive: str) -> None:
    path = tmp_path / "program"
    wanted = SentFile(str(path), DIGEST, archive, 0o755)
    assert (wanted.is_in_place, wanted.found, wanted.text) == (False, None, f"SHA-256 {DIGEST}\n")
    wanted.write()
    assert (wanted.is_in_place, wanted.found, path.read_bytes()) == (True, wanted.text, b"program")
    path.chmod(0o700)
    assert not wanted.is_in_place
    wanted.write()
    assert wanted.is_in_place
    os.chown(path, 65534, 65534)
    assert not wanted.is_in_place


def test_an_empty_file_is_not_taken_for_none(tmp_path: Path) -> None:
    wanted = SentFile(str(tmp_path / "program"), hashlib.sha256(b"").hexdigest())
    assert not wanted.is_in_place
