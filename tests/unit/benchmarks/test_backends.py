# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves are made in turn and compared turn by turn."""

from __future__ import annotations

from pathlib import Path

import backends
import pytest
import saves


def test_every_storage_is_compared_with_the_basis_turn_by_turn() -> None:
    found = backends.compared({"ext4": [1.0, 2.0, 4.0], "nfs": [2.0, 6.0, 8.0]})
    assert found["ext4"]["ratio"]["median"] == 1.0
    assert found["nfs"]["ratio"]["median"] == 2.0  # of 2, 3 and 2, not 6 by 2
    assert found["nfs"]["seconds"]["median"] == 6.0


def test_checkpoints_are_saved_in_every_directory_each_time_beginning_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    saving = saves.saving
    monkeypatch.setattr(saves, "saving", lambda *known, **more: order.append(known[1].name) or saving(*known, **more))
    directories = {name: tmp_path / name for name in ("ext4", "nfs")}
    seconds = saves.in_turn(saves.make_model(400), 3, directories)
    assert order == ["nfs", "ext4", "ext4", "nfs", "nfs", "ext4", "ext4", "nfs"]
    assert {name: len(taken) for name, taken in seconds.items()} == {"ext4": 3, "nfs": 3}
    for directory in directories.values():
        names = sorted(path.name for path in directory.iterdir() if path.name.startswith("checkpoint_round_"))
        assert names == [f"checkpoint_round_{number}.{end}" for number in (3, 4) for end in ("json", "npz")]
