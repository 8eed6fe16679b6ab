# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker against a registry and a server on the loopback: what is good is served, and nothing else ever."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._delivery import following, worker
from ansible_collections.fedops.flower.plugins.module_utils._delivery.channels import Channel
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._delivery.reader import RegistryAwayError, RegistryReader
from ansible_collections.fedops.flower.plugins.module_utils._delivery.server import ModelServer
from ansible_collections.fedops.flower.plugins.module_utils._delivery.slots import Slots

from ...packages import BASE, certified, packed
from ...registry import Files, Model, World, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def packages(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("rounds")
    return [packed(folder / str(number), authority, number=number) for number in (1, 2, 3)]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "registry")


@pytest.fixture
def promote(world, authority):
    """Put a package into the registry, and have the channel name it."""
    serials = iter(range(1, 100))

    def promote(package: Path, **change) -> str:
        name = package.name.removesuffix(".tar.gz")
        for part in ("packages", "channels"):
            (world.folder / "tiny" / part).mkdir(parents=True, exist_ok=True)
        for ending in ("", ".sig", ".crt"):
            shutil.copy(f"{package}{ending}", world.folder / "tiny" / "packages")
        found = verify_package(str(package), Trust(authority.pem))
        said = Channel("tiny", "stable", name, found.sha256, package.stat().st_size, next(serials), "now")
        content = replace(said, **change).sealed(authority.signer())
        (world.folder / "tiny" / "channels" / "stable.json").write_bytes(content)
        return name

    return promote


@pytest.fixture
def follow(world, authority, tmp_path, monkeypatch):
    """Return a worker as it is started anew each time, and what it has said."""
    monkeypatch.setattr(worker, "_LOOK", 0.01)
    monkeypatch.setattr(worker, "_BACK_SECONDS", 0.2)
    said: list[str] = []
    (tmp_path / "state").mkdir()
    with serving(Files, world) as registry, serving(Model, world) as model:

        def follow(token: str = "", base: str | None = None, **given):
            server = ModelServer(model, "secret", {"inputs": [1]}, given.pop("check", ""), 5.0)
            one = worker.Worker(
                "tiny", "stable", RegistryReader(registry, None, token), server, Slots(str(tmp_path / "state")),
                Trust(authority.pem, base), watch_seconds=0.05, say=said.append, **given,
            )  # fmt: skip
            one.pass_once()
            return json.loads((tmp_path / "state" / "state.json").read_text())

        follow.said, follow.state = said, tmp_path / "state"
        yield follow


def incoming(follow) -> list[str]:
    return sorted(os.listdir(follow.state / "incoming"))


def test_what_the_channel_names_is_served(follow, promote, world, packages) -> None:
    name = promote(packages[0])
    told = follow()
    assert (world.serving, told["serving"], told["problem"], told["refused"]) == (name, name, None, [])
    assert os.readlink(follow.state / "models" / "current") == name
    assert (follow.state / "models" / name / "manifest.json").is_file()
    assert (incoming(follow), world.reloads) == ([], [(name, "Bearer secret")])
    second = promote(packages[1])
    told = follow()
    assert (told["serving"], told["previous"], world.serving) == (second, name, second)
    third = promote(packages[2])
    follow()
    kept = {path.name for path in (follow.state / "models").iterdir()}
    assert kept == {second, third, "current", "previous"}


def test_nothing_is_fetched_while_the_channel_has_not_changed(follow, promote, world, packages) -> None:
    promote(packages[0])
    follow()
    world.asked.clear()
    follow()
    assert [path for path, _headers in world.asked] == ["/tiny/channels/stable.json"]
    assert "If-None-Match" in world.asked[0][1]


def test_a_download_goes_on_where_it_was_cut_off(follow, promote, world, packages) -> None:
    name = promote(packages[0])
    file = packages[0].name
    size = packages[0].stat().st_size
    for cut in (1000, 700):
        world.cut_after[file] = cut
        told = follow()
        assert (told["serving"], "bytes are missing" in told["problem"]) == (None, True)
    world.asked.clear()
    assert follow()["serving"] == name
    (asked,) = (headers for path, headers in world.asked if path.endswith(".tar.gz"))
    assert asked["Range"] == "bytes=1700-"
    assert size > 1700


def test_a_damaged_package_is_refused_and_fetched_again_later(follow, promote, world, packages, monkeypatch) -> None:
    good = promote(packages[0])
    follow()
    bad = promote(packages[1])
    place = world.folder / "tiny" / "packages" / packages[1].name
    content = bytearray(place.read_bytes())
    content[700] ^= 1
    place.write_bytes(content)
    told = follow()
    (refused,) = told["refused"]
    assert (told["serving"], world.serving, refused["package"]) == (good, good, bad)
    assert "its bytes are not those that the channel names" in refused["reason"]
    assert follow.said[-1] == f"{bad} is refused: {refused['reason']}. {good} is served."
    shutil.copy(packages[1], place)
    assert follow()["serving"] == good  # not yet
    later = time.time() + 100
    monkeypatch.setattr("time.time", lambda: later)
    assert follow()["serving"] == bad


def test_a_package_of_another_base_or_authority_is_refused_with_its_reason(follow, promote, packages, tmp_path) -> None:
    other = packed(tmp_path / "other", certified(tmp_path / "other-ca", "ca"), number=1)
    with pytest.raises(Exception, match="not of the authority"):
        promote(other)
    promote(packages[0])
    told = follow(base="c" * 64)
    assert "it is for the base model org/tiny" in told["refused"][0]["reason"]
    assert told["serving"] is None
    assert follow(base=BASE["sha256"])["serving"] is None  # until later


@pytest.mark.parametrize("fault", ["unloadable", "ill"])
def test_a_model_that_does_not_do_is_taken_back_and_not_tried_again(follow, promote, world, packages, fault) -> None:
    good = promote(packages[0])
    follow()
    bad = promote(packages[1])
    getattr(world, fault).add(bad)
    told = follow()
    assert (told["serving"], world.serving, told["refused"][0]["package"]) == (good, good, bad)
    assert ("it is ill" in told["refused"][0]["reason"]) is (fault == "ill")
    before = len(world.reloads)
    follow()
    assert len(world.reloads) == before
    getattr(world, fault).clear()
    promote(packages[1])  # meant once more: another switch
    assert follow()["serving"] == bad


def test_the_first_model_that_does_not_do_is_not_loaded_at_the_next_start(follow, promote, world, packages) -> None:
    world.ill.add(promote(packages[0]))
    told = follow()
    assert (told["serving"], (follow.state / "models" / "current").is_symlink()) == (None, False)
    assert "there is none to go back to" in told["refused"][0]["reason"]


def test_the_check_of_the_user_decides_before_and_after(follow, promote, world, packages, tmp_path) -> None:
    check = tmp_path / "check"
    check.write_text('#!/bin/sh\necho "$1 $(basename "$2")" >> "$0.log"\nexec test ! -e "$0.no-$1"\n')
    check.chmod(stat.S_IRWXU)
    first = promote(packages[0])
    follow(check=str(check))
    assert (tmp_path / "check.log").read_text().splitlines()[:2] == [f"before {first}", f"after {first}"]
    for moment, package in (("before", packages[1]), ("after", packages[2])):
        (tmp_path / f"check.no-{moment}").touch()
        promote(package)
        told = follow(check=str(check))
        assert (told["serving"], world.serving) == (first, first)
        assert f"check {moment} ended with 1" in told["refused"][-1]["reason"]
        (tmp_path / f"check.no-{moment}").unlink()


def test_a_worker_that_was_killed_after_a_switch_looks_once_more(follow, promote, world, packages) -> None:
    good = promote(packages[0])
    follow()
    bad = promote(packages[1])
    world.ill.add(bad)

    class KilledError(BaseException):
        pass

    def kill(_seconds: float) -> None:
        raise KilledError

    state = follow.state / "state.json"
    with pytest.raises(KilledError):
        follow(sleep=kill)
    told = json.loads(state.read_text())
    state.write_text(json.dumps({**told, "unproven": bad}))  # the end of a process has no time to clean up
    assert (world.serving, os.readlink(follow.state / "models" / "current")) == (bad, bad)
    told = follow()
    assert (world.serving, told["serving"], told["refused"][0]["package"]) == (good, good, bad)


def test_a_server_that_comes_back_without_the_model_is_told_again(follow, promote, world, packages) -> None:
    name = promote(packages[0])
    follow()
    world.serving = None
    follow()
    assert world.serving == name


def test_a_channel_that_goes_back_is_refused(follow, promote, world, packages) -> None:
    promote(packages[0])
    old = (world.folder / "tiny" / "channels" / "stable.json").read_bytes()
    second = promote(packages[1])
    follow()
    (world.folder / "tiny" / "channels" / "stable.json").write_bytes(old)
    told = follow()
    assert told["serving"] == second
    assert "an earlier one than was read before" in told["problem"]


def test_a_registry_that_is_away_or_does_not_know_us_is_told_and_asked_again(follow, promote, world, packages) -> None:
    name = promote(packages[0])
    world.token = "right"
    assert "is answered 401: it does not know this host" in follow()["problem"]
    assert len(follow.said) == 1
    follow()
    assert len(follow.said) == 1  # once
    told = follow(token="right")
    assert (told["serving"], told["problem"]) == (name, None)
    assert "right" not in json.dumps(told)


def test_a_redirect_is_not_followed_with_the_token(follow, promote, world, packages) -> None:
    promote(packages[0])
    world.token, world.moved = "right", "http://127.0.0.1:9/elsewhere"
    assert "is answered 302" in follow(token="right")["problem"]


def test_more_bytes_than_the_channel_says_are_not_taken(follow, promote, world, packages) -> None:
    promote(packages[0], size=1000)
    assert "is larger than its channel says" in follow()["problem"]


def test_a_server_that_is_told_by_the_link_is_waited_for_and_gone_back_from(follow, promote, world, packages) -> None:
    """Its unit is restarted by systemd when the link has moved; here that happens while the worker sleeps."""

    def restart(_seconds: float) -> None:
        name = os.readlink(follow.state / "models" / "current")
        world.serving = None if name in world.unloadable else name

    good = promote(packages[0])
    assert follow(wait_seconds=1.0, sleep=restart)["serving"] == good
    assert (follow.state / "switched").read_text() == f"{good}\n"
    bad = promote(packages[1])
    world.unloadable.add(bad)
    told = follow(wait_seconds=0.3, sleep=restart)
    assert (told["serving"], world.serving, told["refused"][0]["package"]) == (good, good, bad)
    assert (follow.state / "switched").read_text() == f"{good}\n"
    assert world.reloads == []


def test_the_program_does_a_pass_by_its_configuration(
    promote, world, packages, authority, tmp_path, monkeypatch
) -> None:
    name = promote(packages[0])
    (tmp_path / "state").mkdir()
    (tmp_path / "registry.token").write_text("right\n")
    world.token = "right"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with serving(Files, world) as registry, serving(Model, world) as model:
        given = {
            "registry": registry, "model": "tiny", "channel": "stable", "authority": str(authority.certificate),
            "tls_authority": "", "certificate": "", "state": str(tmp_path / "state"), "base_sha256": "", "interval": 30,
            "server": model, "mode": "reload", "probe": None, "check": "", "load_seconds": 5, "watch_seconds": 0,
        }  # fmt: skip
        (tmp_path / "worker.json").write_text(json.dumps(given))
        assert following.main([str(tmp_path / "worker.json"), "--once"]) == 0
    assert world.serving == name


def test_a_registry_of_nobody_is_away() -> None:
    with pytest.raises(RegistryAwayError, match="is away"):
        RegistryReader("http://127.0.0.1:9", None).read("x", 10)
