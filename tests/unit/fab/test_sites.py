# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site is who its registered key says; what it claims counts only where nothing else is known."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fedops_kit.sites import Site, Sites


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "supernodes.json"
    path.write_text(
        json.dumps(
            {
                "supernodes": [
                    {"name": "supernode1", "fingerprint": "aa", "node_id": 11},
                    {"name": "supernode2", "fingerprint": "bb", "node_id": 22, "site": "a hospital"},
                ]
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("names", "claims", "expected"),
    [
        ({}, {11: "b", 22: "a"}, {11: Site("b", "b", 11), 22: Site("a", "a", 22)}),
        ({}, {11: "b", 22: "b"}, {11: Site("", "node 11", 11), 22: Site("", "node 22", 22)}),
        ({}, {11: "b\n", 22: "b\r"}, {11: Site("", "node 11", 11), 22: Site("", "node 22", 22)}),
        ({}, {11: ""}, {11: Site("", "node 11", 11)}),
        ({11: "one", 22: "two"}, {11: "two", 22: "!"}, {11: Site("one", "one", 11), 22: Site("two", "two", 22)}),
        ({11: "one"}, {11: "", 22: "!"}, {11: Site("one", "one", 11), 22: Site("", "node 22", 22)}),
        ({}, {11: "a\x1b[2J\u202e"}, {11: Site("a\\x1b[2J\\u202e", "a\\x1b[2J\\u202e", 11)}),
    ],
)  # fmt: skip
def test_without_a_record_the_superlinks_names_count_and_then_what_nobody_else_claims(
    names: dict[int, str], claims: dict[int, str], expected: dict[int, Site]
) -> None:
    sites = Sites(None)
    sites.see(names)
    assert sites.identify(claims.items()) == expected


def test_nodes_that_were_registered_under_one_name_are_told_apart() -> None:
    sites = Sites(None)
    sites.see({1: "north", 2: "north", 3: "south", 4: " "})
    found = sites.identify((node, "") for node in (1, 2, 3, 4))
    assert [found[node].name for node in (1, 2, 3, 4)] == ["north (node 1)", "north (node 2)", "south", "node 4"]
    assert sorted(found, key=lambda node: found[node]) == [4, 1, 2, 3]


def test_the_record_of_root_counts_and_no_claim(registry: Path) -> None:
    sites = Sites(str(registry))
    sites.see({11: "another", 33: "three"})
    assert sites.identify({11: "!", 22: "supernode1", 33: "!", 44: "supernode2"}.items()) == {
        11: Site("supernode1", "supernode1", 11),
        22: Site("a hospital", "supernode2", 22),
        33: Site("three", "three", 33),
        44: Site("", "node 44", 44),
    }


def test_the_record_is_read_again_for_a_node_that_joins(registry: Path) -> None:
    sites = Sites(str(registry))
    assert sites.name(11) == "supernode1"
    registry.write_text(json.dumps({"supernodes": [{"name": "supernode3", "node_id": 33}]}))
    assert (sites.name(33), sites.name(44)) == ("supernode3", "node 44")


def test_a_node_is_in_the_order_of_its_label_and_never_of_its_claim(registry: Path) -> None:
    sites = Sites(str(registry))
    ordered = sorted(sites.identify({22: "zzz", 11: "!", 99: "a"}.items()).values())
    assert [site.name for site in ordered] == ["node 99", "supernode2", "supernode1"]


def link(path: Path) -> None:
    path.rename(path.with_suffix(".there"))
    path.symlink_to(path.with_suffix(".there"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def large(path: Path) -> None:
    os.truncate(path, 17 << 20)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


@pytest.mark.parametrize(
    "harm",
    [
        link, pipe, large, Path.unlink, text("{"), text("[" * 200_000), text("[]"), text('{"supernodes": 3}'),
        text('{"supernodes": [{"name": 3, "node_id": 11}]}'), text('{"supernodes": [{"name": "a", "node_id": []}]}'),
        text('{"supernodes": [3]}'), text('{"supernodes": [{"node_id": 11}]}'),
    ],
)  # fmt: skip
def test_a_record_that_is_none_names_nobody(registry: Path, harm: Callable[[Path], None]) -> None:
    harm(registry)
    assert Sites(str(registry)).identify([(11, "!")]) == {11: Site("", "node 11", 11)}
