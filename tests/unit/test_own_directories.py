# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate that holds every test to its own directories (conftest.py) sees what it is there for."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import pytest

SHARED_BY_ALL = Path(tempfile.gettempdir())  # before a session has its own


def test_a_mode_that_is_changed_and_left_so_fails(tmp_path: Path, unchanged) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(AssertionError, match="0o41755"), unchanged([tmp_path]):
        tmp_path.chmod(0o1755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give directories away")
def test_a_directory_that_is_given_away_fails(tmp_path: Path, unchanged) -> None:
    with pytest.raises(AssertionError, match="54321"), unchanged([tmp_path]):
        os.chown(tmp_path, 54321, -1)


def test_files_that_come_and_go_in_them_are_no_change(tmp_path: Path, unchanged) -> None:
    with unchanged([tmp_path]):
        (tmp_path / "file").write_text("")


def test_a_file_that_is_left_where_temporary_files_go_fails(tmp_path: Path, cleared) -> None:
    with pytest.raises(AssertionError, match="flower-app-left"), cleared(tmp_path):
        (tmp_path / "flower-app-left").touch()


def test_temporary_files_go_to_a_directory_of_the_session() -> None:
    assert tempfile.gettempdir() == os.environ["TMPDIR"] != str(SHARED_BY_ALL)


@pytest.mark.parametrize("place", [SHARED_BY_ALL, Path(__file__).parents[2], Path.home()])
def test_it_watches_what_all_tests_share(request, place) -> None:
    conftest = next(
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == str(Path(__file__).with_name("conftest.py"))
    )
    assert Path(place).resolve() in {path.resolve() for path in conftest.SHARED}


def test_a_log_of_flower_that_is_left_quieter_fails_once(telling) -> None:
    with pytest.raises(AssertionError), telling():
        logging.getLogger("flwr").setLevel(logging.CRITICAL)
    with telling():
        pass
