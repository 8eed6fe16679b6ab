# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.belongings import make_directories, make_secret


def test_a_rehearsal_tells_what_is_missing_and_makes_nothing(tmp_path) -> None:
    home = tmp_path / "home"
    wanted = [{"path": "state", "owner": 1234, "group": 1234, "mode": "0700"}]
    told = make_directories(str(home), wanted, {1234}, migrate=False, check_mode=True)
    assert told == ([f"directory {home}", f"directory {home}/state"], [])
    assert make_secret(str(tmp_path / "secret"), check_mode=True)
    assert list(tmp_path.iterdir()) == []
