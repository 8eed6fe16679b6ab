# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases side by side and the link to the one in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import (
    RELEASE_MARKER,
    Releases,
    release_name,
)


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(str(tmp_path / "venv"))


def build(releases: Releases, *names: str) -> None:
    for name in names:
        path = Path(releases.make_room(name))
        path.mkdir()
        (path / RELEASE_MARKER).write_text("flwr==1.41.0\n")


def test_a_release_has_the_version_and_what_tells_it_from_others_in_its_name() -> None:
    names = [
        release_name("1.41.0", "abc", "/usr/bin/python3 3.11"),
        release_name("1.41.0", "abd", "/usr/bin/python3 3.11"),
        release_name("1.41.0", "abc", "/usr/bin/python3 3.13"),
        release_name(None, "abc", "/usr/bin/python3 3.11"),
    ]
    assert len(set(names)) == 4
    assert [name[:12] for name in names[:3]] == ["flwr-1.41.0-"] * 3
    assert names[3] == names[0].replace("flwr-1.41.0", "venv")


def test_what_is_not_whole_is_never_used(releases: Releases) -> None:
    Path(releases.make_room("a")).mkdir()
    with pytest.raises(ValueError, match="is not a whole release"):
        releases.switch("a")
    assert (releases.current, os.path.lexists(releases.link)) == (None, False)


def test_the_link_is_there_at_every_moment(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    build(releases, "a", "b")
    releases.switch("a")
    replaced = []

    def replace(source: str, target: str) -> None:
        replaced.append((os.readlink(source), os.readlink(target)))
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    releases.switch("b")
    assert replaced == [("releases/b", "releases/a")]
    assert (releases.current, os.listdir(os.path.dirname(releases.link))) == ("b", ["releases", "venv"])


@pytest.mark.parametrize("target", ["releases/gone", "/elsewhere", "elsewhere/a"])
def test_a_link_to_anything_else_is_no_release_and_is_replaced(releases: Releases, target: str) -> None:
    os.symlink(target, releases.link)
    assert releases.current is None
    build(releases, "a")
    releases.switch("a")
    assert releases.current == "a"


@pytest.mark.parametrize(
    ("kept", "keep", "surplus"),
    [
        (1, [], ["a", "b", "half"]),
        (2, [], ["a", "half"]),
        (3, [], ["half"]),
        (2, ["a", "half"], ["half"]),
        (2, ["b"], ["a", "half"]),
        (1, ["a"], ["b", "half"]),
    ],
)
def test_those_in_use_last_are_kept_and_what_was_cut_short_is_not(
    releases: Releases, kept: int, keep: list[str], surplus: list[str]
) -> None:
    build(releases, "a", "b", "c")
    Path(releases.make_room("half")).mkdir()
    for name in ("c", "a", "b", "c"):
        releases.switch(name)
    for moment, name in enumerate(("a", "b", "c"), start=1):
        os.utime(os.path.join(releases.path(name), RELEASE_MARKER), (moment, moment))
    assert sorted(releases.surplus("c", kept, keep)) == surplus
    releases.remove(surplus)
    assert sorted(releases.names()) == sorted({"a", "b", "c", "half"} - set(surplus))


def test_a_release_was_in_use_up_to_the_switch_away_from_it(releases: Releases) -> None:
    build(releases, "a", "b", "c")
    releases.switch("a")
    for name in "abc":
        os.utime(os.path.join(releases.path(name), RELEASE_MARKER), (1, 1))
    releases.switch("b")
    assert releases.surplus("b", 2) == ["c"]


def test_an_environment_in_the_place_of_the_link_becomes_a_release(releases: Releases) -> None:
    build(releases, "a")
    os.rename(releases.path("a"), releases.link)
    releases.adopt()
    name = releases.current
    assert name is not None
    assert name.startswith("flwr-1.41.0-")
    assert name.endswith("-moved")
    releases.adopt()
    assert releases.current == name


def test_half_an_environment_in_the_place_of_the_link_makes_way(releases: Releases) -> None:
    os.mkdir(releases.link)
    build(releases, "a")
    releases.switch("a")
    assert releases.current == "a"
    assert [releases.is_built(name) for name in releases.surplus("a", 2)] == [False]
