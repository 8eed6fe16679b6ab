# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A round taken apart: its phases follow the last reply, and add up to the round."""

from __future__ import annotations

import pytest
from federation import BenchmarkError
from phases import PHASES, Exchange, rounds_of

SECONDS = {  # of every phase of the round in the example, for the node that answers last
    "send": 0.5,
    "supernode_pause": 2.5,
    "to_supernode": 0.25,
    "superexec_pause": 0.75,
    "python_and_flower": 2.0,
    "to_clientapp": 0.125,
    "app_import": 0.25,
    "training": 1.0,
    "from_clientapp": 0.125,
    "from_supernode": 0.5,
    "serverapp_pause": 1.5,
    "to_serverapp": 0.5,
    "aggregation": 0.25,
    "save": 0.75,
}
LENGTH = sum(SECONDS.values())


def moments(begin: float) -> dict[str, float]:
    """Return when each phase ends."""
    ends = {}
    for name, seconds in SECONDS.items():
        begin += seconds
        ends[name] = begin
    return ends


def client(ends: dict[str, float], earlier: float = 0.0) -> dict[str, float]:
    names = {"started": "superexec_pause", "main": "python_and_flower", "pulled": "to_clientapp"}
    names |= {"called": "app_import", "answered": "training", "pushed": "from_clientapp"}
    return {name: ends[phase] - earlier for name, phase in names.items()}


def lines(ends: dict[str, float], earlier: float = 0.0) -> list[tuple[float, str]]:
    said = {"supernode_pause": "Receiving: train message (ID: 1)", "to_supernode": "INFO :  Received successfully"}
    said["from_supernode"] = "INFO :      Sent successfully"
    return [(ends[phase] - earlier, text) for phase, text in said.items()]


def exchange(rounds: int = 1) -> Exchange:
    """Two nodes; the second answers a tenth of a second before the first."""
    server, clients, nodes = [], {"a": [], "b": []}, {"a": [], "b": []}
    for number in range(rounds):
        begin = 1000 + number * LENGTH
        ends = moments(begin)
        server += [
            {"what": "push", "begun": begin, "ended": ends["send"], "number": 2},
            {"what": "pull", "begun": ends["from_supernode"] - 0.3, "ended": ends["serverapp_pause"], "number": 1},
            {"what": "pull", "begun": ends["serverapp_pause"], "ended": ends["to_serverapp"], "number": 1},
            {"what": "save", "begun": ends["aggregation"], "ended": ends["save"], "number": 1},
        ]
        for host, earlier in (("a", 0.0), ("b", 0.1)):
            clients[host].append(client(ends, earlier))
            nodes[host] += lines(ends, earlier)
    server.append({"what": "push", "begun": 1000 + rounds * LENGTH, "ended": 1001 + rounds * LENGTH, "number": 2})
    return Exchange(server, clients, nodes)


def test_the_phases_are_those_of_the_last_reply() -> None:
    (found,) = rounds_of(exchange())
    assert found.seconds == pytest.approx(LENGTH)
    assert found.phases == pytest.approx(SECONDS)
    assert list(found.phases) == list(PHASES)


def test_every_round_but_the_last_is_returned() -> None:
    found = rounds_of(exchange(rounds=3))
    assert [each.seconds for each in found] == pytest.approx([LENGTH] * 3)


def test_a_node_that_was_not_asked_is_not_looked_at() -> None:
    recorded = exchange()
    recorded.clients["b"].clear()
    recorded.supernodes["b"].clear()
    assert rounds_of(recorded)[0].phases == pytest.approx(SECONDS)


def test_what_is_said_late_makes_no_phase_negative() -> None:
    recorded = exchange()
    moment, text = recorded.supernodes["a"].pop()
    recorded.supernodes["a"].append((moment + 2.2, text))  # after the ServerApp has the reply
    (found,) = rounds_of(recorded)
    assert min(found.phases.values()) >= 0
    assert sum(found.phases.values()) == pytest.approx(LENGTH)


def test_a_supernode_that_says_nothing_is_told() -> None:
    recorded = exchange()
    recorded.supernodes["a"].pop()
    with pytest.raises(BenchmarkError, match="did not say 'Sent successfully' within a round"):
        rounds_of(recorded)


def test_a_serverapp_that_tells_of_no_reply_is_told() -> None:
    recorded = exchange()
    pushes = [event for event in recorded.server if event["what"] == "push"]
    with pytest.raises(BenchmarkError, match="The ServerApp pulled no reply in a round"):
        rounds_of(Exchange(pushes, recorded.clients, recorded.supernodes))


def test_a_round_in_which_nobody_trained_is_told() -> None:
    recorded = exchange()
    for events in recorded.clients.values():
        events.clear()
    with pytest.raises(BenchmarkError, match="No ClientApp ran in a round"):
        rounds_of(recorded)
