# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the newest round tells of its sites, by name or without."""

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import SiteNames
from ansible_collections.fedops.flower.plugins.module_utils._training.sites import UNNAMED, last_sites, without_names

WORD = "site-aaaaaaaaaaaa"
NAMES = SiteNames([{"name": "ward", "pseudonym": WORD, "node_id": "1", "host": "box"}, {"name": "old", "node_id": "2"}])


def test_the_sites_of_the_newest_round_have_their_names_and_are_in_their_order() -> None:
    history = [
        {"round": 1, "sites": [{"site": "gone"}]},
        {"round": 2, "sites": [{"site": WORD, "reason": f"{WORD} is silent"}, {"site": "node 2", "loss": 1.0}]},
    ]
    assert last_sites(history, NAMES) == [{"site": "old", "loss": 1.0}, {"site": "ward", "reason": "ward is silent"}]
    assert last_sites(history, SiteNames([]))[1]["site"] == WORD
    assert last_sites([], NAMES) == last_sites([{"round": 1}], NAMES) == []


def test_of_a_picture_only_the_host_of_the_superlink_keeps_its_name() -> None:
    picture = {
        "superlink": {"host": "box", "problem": "ward is away"},
        "supernodes": [
            {"name": "ward", "pseudonym": WORD, "node_id": "1", "status": "online", "site": "A", "host": "box"},
            {"name": "new", "node_id": None, "status": "not registered"},
            {"name": None, "node_id": "9", "status": "online"},
        ],
        "supernode_problems": ["2 SuperNodes are registered that the inventory does not name: a, b.", "box: killed"],
        "trainings": [{"waiting_for": ["ward", "old"], "num_rounds": 3}],
    }
    found = without_names(picture, NAMES)
    assert found["superlink"] == {"host": "box", "problem": f"{WORD} is away"}
    assert [node["name"] for node in found["supernodes"]] == [WORD, UNNAMED, None]
    assert {node["host"] for node in found["supernodes"]} == {None}
    assert found["supernode_problems"] == [f"{WORD}: killed"]
    assert found["trainings"] == [{"waiting_for": [WORD, "node 2"], "num_rounds": 3}]
