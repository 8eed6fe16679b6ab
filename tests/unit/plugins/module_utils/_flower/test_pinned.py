# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training keeps the app that it has begun with, whatever is deployed in the place of that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import FlwrError
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_record import check_fab, deployed_fab_hash
from ansible_collections.fedops.flower.plugins.module_utils._flower.deployment import AppDeployment
from ansible_collections.fedops.flower.plugins.module_utils._flower.pinned import (
    PinError,
    check_copy,
    copies_to_keep,
    pin,
    pinned_hashes,
    pinned_path,
)

from .test_deployment import Source, deploy, make_home, pack


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def quick(tmp_path: Path) -> AppDeployment:
    return AppDeployment(str(make_home(tmp_path / "home")), "an-app", pack)


def task(path: str) -> str:
    return Path(path, "an_app", "task.py").read_text()


def test_the_app_of_a_training_outlives_the_next_deployment_with_what_its_runs_need(
    quick: AppDeployment, source: Source
) -> None:
    first = deploy(quick, source)["fab_hash"]
    ours = pin(quick.home, "ours", quick.path)
    for text in ("model = 2\n", "model = 3\n", "model = 4\n"):
        source.write("an_app/task.py", text)
        last = deploy(quick, source)["fab_hash"]
    theirs = pin(quick.home, "theirs", quick.path)
    assert (task(ours), task(theirs)) == ("model = 1\n", "model = 4\n")
    assert (os.path.basename(ours), os.path.basename(theirs)) == (first, last)
    assert [deployed_fab_hash(quick.home, path) for path in (ours, theirs, quick.path)] == [first, last, last]
    assert pinned_hashes(quick.home) == {first, last}
    # Where Flower looks for the app of a run: nobody but root could put it there.
    installed = [name.rpartition(".")[2] for name in os.listdir(Path(quick.root, ".flwr", "apps"))]
    assert {first[:8], last[:8]} <= set(installed)


def test_a_training_that_is_asked_for_again_has_the_app_of_now_and_of_the_run_before(
    quick: AppDeployment, source: Source
) -> None:
    hashes = []
    for text in ("model = 2\n", "model = 3\n", "model = 4\n"):
        source.write("an_app/task.py", text)
        hashes.append(deploy(quick, source)["fab_hash"])
        path = pin(quick.home, "ours", quick.path, [hash_[:8] for hash_ in hashes[-2:-1]])
    assert path == pinned_path(quick.home, "ours", quick.path) == pin(quick.home, "ours", quick.path, [hashes[1]])
    assert sorted(os.listdir(os.path.dirname(path))) == sorted([*hashes[1:], *(f"{each}.json" for each in hashes[1:])])


def test_what_somebody_has_changed_is_put_right_from_the_app_or_refused(quick: AppDeployment, source: Source) -> None:
    deploy(quick, source)
    path = pin(quick.home, "ours", quick.path)
    Path(path, "an_app", "task.py").write_text("evil = 1\n")
    assert task(pin(quick.home, "ours", quick.path)) == "model = 1\n"
    Path(quick.path, "an_app", "task.py").write_text("evil = 1\n")
    with pytest.raises(PinError, match="is not as it was deployed"):
        pin(quick.home, "ours", quick.path)


def test_an_app_that_was_deployed_anew_after_the_check_is_not_pinned(quick: AppDeployment, source: Source) -> None:
    checked = deploy(quick, source)["fab_hash"]
    source.write("an_app/task.py", "model = 2\n")
    now = deploy(quick, source)["fab_hash"]
    with pytest.raises(PinError, match=f"its FAB is {now[:8]}, and was {checked[:8]}. Nothing was begun"):
        pin(quick.home, "ours", quick.path, fab_hash=checked)
    assert pinned_hashes(quick.home) == set()
    assert task(pin(quick.home, "ours", quick.path, fab_hash=now)) == "model = 2\n"


def changed(path: Path) -> None:
    (path / "an_app/task.py").write_text("evil = 1\n")


def one_more(path: Path) -> None:
    (path / "an_app/more.py").write_text("evil = 1\n")


def one_less(path: Path) -> None:
    (path / "an_app/task.py").unlink()


def for_all_to_write(path: Path) -> None:
    (path / "an_app/task.py").chmod(0o666)


@pytest.mark.parametrize("harm", [changed, one_more, one_less, for_all_to_write])
def test_a_copy_that_is_not_what_root_has_recorded_is_refused_and_not_kept(
    quick: AppDeployment, source: Source, harm: Callable[[Path], None]
) -> None:
    deploy(quick, source)
    path = pin(quick.home, "ours", quick.path)
    check_copy(path)
    check_copy(quick.path)  # which is no copy
    place = os.path.relpath(path, quick.home)
    names, problems = copies_to_keep(quick.home)
    assert {f"{place}.json", f"{place}/an_app/task.py", f"{place}/pyproject.toml"} <= set(names)
    assert problems == []
    harm(Path(path))
    with pytest.raises(FlwrError, match="is not the app that was put aside for this training: its files have the hash"):
        check_copy(path)
    assert copies_to_keep(quick.home) == ([], [f"{place} is not in the backup: it is not what was put aside there."])


def test_a_copy_of_an_earlier_release_is_taken_as_it_is(quick: AppDeployment, source: Source) -> None:
    deploy(quick, source)
    path = pin(quick.home, "ours", quick.path)
    os.unlink(f"{path}.json")
    check_copy(path)
    names, (problem,) = copies_to_keep(quick.home)
    assert names == []
    assert problem.endswith("nothing is recorded of it. Train again.")
    pin(quick.home, "ours", quick.path)
    assert copies_to_keep(quick.home)[1] == []


def test_a_run_of_any_other_fab_than_the_training_began_with_is_stopped(quick: AppDeployment, source: Source) -> None:
    fab_hash = deploy(quick, source)["fab_hash"]
    path, stopped = pin(quick.home, "ours", quick.path), []
    check_fab(quick.home, path, "1", fab_hash[:8], stopped.append)
    with pytest.raises(FlwrError, match="Run 2 was stopped: its FAB is 00000000, but what is deployed of"):
        check_fab(quick.home, path, "2", "00000000", stopped.append)
    assert stopped == ["2"]


@pytest.mark.parametrize("place", ["mode", "name", "elsewhere"])
def test_a_folder_that_others_can_write_or_that_is_no_such_says_nothing_of_its_hash(
    quick: AppDeployment, source: Source, place: str
) -> None:
    deploy(quick, source)
    path = Path(pin(quick.home, "ours", quick.path))
    if place == "mode":
        path.chmod(0o777)
    elif place == "name":
        path = path.rename(path.with_name("x" * 64))
    else:
        path = path.rename(Path(quick.home, path.name))
    assert deployed_fab_hash(quick.home, str(path)) is None


def test_an_app_of_which_nothing_is_known_is_taken_as_it_is(quick: AppDeployment) -> None:
    assert pinned_path(quick.home, "ours", "/srv/app") == pin(quick.home, "ours", "/srv/app") == "/srv/app"
    assert pinned_hashes(quick.home) == set()
