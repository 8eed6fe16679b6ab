# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that documents show of measurements."""

from __future__ import annotations

import pytest
from faces import figures, pace


def row(system: str, median: float | None, **more: object) -> dict:
    seconds = {"median": median, "lower_quartile": median, "upper_quartile": median} if median else None
    return {
        **{"system": system, "megabytes": 44, "arrays": 1, "seconds": seconds, "load_average": 0.5, "phases": None},
        **{"server_megabytes": 300, "site_megabytes": 200},
        **more,
    }


def drill(name: str, delay: float, **more: object) -> dict:
    return {
        **{
            "drill": name,
            "next_round": 3.0,
            "delay": delay,
            "submitted": None,
            "online": None,
            "lost": [],
            "failed": [],
        },
        **{"repeated": [], "target": 10, "counts": "delay", "round": 4},
        **more,
    }


def exercise(*drills: dict) -> dict:
    return {"supernodes": 3, "rounds": 9, "round_seconds": 5.3, "problems": [], "results": list(drills)}


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_rounds_are_told_beside_how_many_times_as_long_they_take() -> None:
    content = {"machine": {"cores": 2}, "results": [row("fedops", 3.0), row("NVFlare", 2.0), row("bare Flower", None)]}
    heads, _rule, cells = lines(pace.rounds(content))
    assert heads == ["Model", "this collection", "NVFlare 2.9 (ours ÷ it)", "bare Flower (ours ÷ it)"]
    assert cells == ["44 MB in 1 array", "3.0 s", "2.0 s (1.50)", "failed"]


def test_a_system_that_was_left_out_is_not_said_to_have_failed() -> None:
    many = {"arrays": 400}
    results = [row("fedops", 3.0), row("bare Flower", 30.0), row("fedops", 3.0, **many)]
    assert lines(pace.rounds({"results": results}))[-1] == ["44 MB in 400 arrays", "3.0 s", "not measured"]


def test_a_drill_stands_beside_itself_on_busy_hosts() -> None:
    quiet = exercise(drill("SIGKILL of nginx", 1.0), drill("a drill that is new", 2.0))
    busy = exercise(drill("SIGKILL of nginx", 4.0, repeated=[3]))
    heads, _rule, first, second = lines(figures._drills(quiet, busy))
    assert heads[3:] == [
        "Delay",
        "Delay, busy",
        "Rounds lost",
        "Rounds lost, busy",
        "Counted",
        "Counted, busy",
        "Target",
    ]
    assert first[3:] == ["1.0 s", "4.0 s", "0", "1", "delay 1.0 s", "delay 4.0 s", "10 s"]
    assert second[3:] == ["2.0 s", "", "0", "", "delay 2.0 s", "", "10 s"]


@pytest.mark.parametrize("submitted", [None, 4.0])
def test_what_a_target_counts_may_not_have_been_seen(submitted: float | None) -> None:
    told = lines(figures._drills(exercise(drill("a drill", 1.0, counts="submitted", submitted=submitted))))[-1]
    assert told[-2:] == [f"submitted after {submitted} s" if submitted else "not seen", "10 s"]
