# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage.disk_search import ENDS, Ask, find, is_blank
from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import DiskError

SIGNATURE = {"type": "ext4", "label": "flower-ckpt", "uuid": "1-2"}


@pytest.fixture
def ask(tmp_path):
    """A host with two disks, of which the second carries a file system, and one that the host has no node for."""
    rows = []
    for name in ("vdb", "vdc"):
        (tmp_path / name).write_bytes(bytes(4 * ENDS))
        rows.append({"path": str(tmp_path / name), "type": "disk", "size": 4 * ENDS, "serial": f" {name}-serial "})
    rows += [{"path": str(tmp_path / "gone"), "type": "disk", "size": 1}, {"path": "/", "type": "rom", "size": 1}]

    def run(command: Sequence[str]) -> tuple[int, str, str]:
        if command[0] == "lsblk":
            return 0, json.dumps({"blockdevices": rows}), ""
        return 0, json.dumps({"signatures": [SIGNATURE] if command[-1].endswith("vdc") else []}), ""

    return Ask(run)


@pytest.mark.parametrize(
    ("wanted", "name"), [("SERIAL=vdb-serial", "vdb"), ("LABEL=flower-ckpt", "vdc"), ("UUID=1-2", "vdc")]
)
def test_a_disk_is_found_by_what_it_is_called(ask, wanted, name) -> None:
    assert Path(find(ask, wanted).path).name == name


def test_a_disk_is_found_by_a_link_to_it(ask, tmp_path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "vdc")
    found = find(ask, str(tmp_path / "link"))
    assert (Path(found.path).name, found.file_system.uuid, found.blank) == ("vdc", "1-2", True)


def test_a_disk_that_is_not_there_is_told_with_those_that_are(ask, tmp_path) -> None:
    with pytest.raises(DiskError, match="this host has no such disk") as caught:
        find(ask, "SERIAL=other")
    assert "vdb-serial" in str(caught.value)
    assert "gone" not in str(caught.value)


def test_a_tool_that_fails_is_told_in_its_own_words() -> None:
    with pytest.raises(DiskError, match="lsblk --json .* failed: no such tool. Is util-linux installed"):
        find(Ask(lambda command: (127, "", "no such tool\n")), "/dev/vdb")


@pytest.mark.parametrize(("place", "blank"), [(0, False), (ENDS - 1, False), (2 * ENDS, True), (4 * ENDS - 1, False)])
def test_a_disk_is_blank_when_both_its_ends_are(tmp_path, place, blank) -> None:
    content = bytearray(4 * ENDS)
    content[place] = 1
    (tmp_path / "disk").write_bytes(content)
    assert is_blank(str(tmp_path / "disk"), len(content)) is blank
