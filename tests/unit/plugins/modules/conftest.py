# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from contextlib import contextmanager

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import manifest as _manifest
from ansible_collections.fedops.flower.plugins.module_utils._storage import ground


@pytest.fixture
def tmp_path(open_path):
    return open_path


@pytest.fixture
def anchored(tmp_path, monkeypatch):
    """A root directory of its own, in which nothing is mounted; C(mount) says that something is."""
    root, mounted = tmp_path / "root", tmp_path / "mountinfo"
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    mounted.touch()
    monkeypatch.setattr(ground, "ANCHOR", str(root))
    monkeypatch.setattr(ground, "MOUNTS", str(mounted))

    def mount(point, source="/dev/vdb", kind="ext4", device="8:16", part="/") -> None:
        with mounted.open("a") as stream:
            stream.write(f"36 25 {device} {part} {point} rw,noatime shared:1 - {kind} {source} rw\n")

    return root, mount


@pytest.fixture
def squashed(monkeypatch):
    """An export that squashes root, of mode 0755: root lists the files, and only the account opens them."""
    became = []

    opened = _manifest.opened

    def of_root(path: str) -> object:
        if not became:
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    @contextmanager
    def account():
        became.append(True)
        yield

    monkeypatch.setattr(_manifest, "opened", of_root)
    monkeypatch.setattr(identity, "as_checkpoint_owner", account)
    return became
