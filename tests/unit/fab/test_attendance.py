# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that goes on waits for the sites that took part, and says in what it deviates when they are not the same."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from simulated import Federation, Killed, SimulatedGrid

from fedops_kit.grid import SteadyGrid

ROUNDS = 6
ANY = {"min_available_clients": 2, "num_rounds": ROUNDS}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[SteadyGrid]:
    """The grids that were waited at, a second each, which does not pass."""
    seen: list[SteadyGrid] = []
    clock = [0.0]

    def pause(steady: SteadyGrid) -> None:
        steady._while_waiting()
        clock[0] += 1.0
        seen.append(steady)

    monkeypatch.setattr(SteadyGrid, "pause", pause)
    monkeypatch.setattr("fedops_kit.attendance.time", SimpleNamespace(monotonic=lambda: clock[0]))
    return seen


def lose(federation: Federation, number: int, where: str = "lost", grid: dict | None = None, **asked: object) -> None:
    with pytest.raises(Killed):
        federation.train(where, grid={"killed_in_round": number, **(grid or {})}, **{**ANY, **asked})


def trained_by(grid: SimulatedGrid, number: int) -> list[str]:
    return sorted(site for kind, which, site in grid.log if (kind, which) == ("train", number))


def told(federation: Federation) -> tuple[object, object]:
    result = federation.published("result.json")
    return result["exact"], result.get("deviation")


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam"])
def test_sites_that_come_back_one_by_one_end_with_the_bytes_of_an_undisturbed_training(
    federation: Federation, pauses: list, monkeypatch: pytest.MonkeyPatch, strategy: str, number: int
) -> None:
    asked = {**ANY, "strategy": strategy, "fraction_train": 0.7, "rejoin_timeout": 3}
    federation.train("straight", **asked)
    lose(federation, number, **asked)
    away = set(federation.names[2:])
    pause = SteadyGrid.pause

    def one_comes(steady: SteadyGrid) -> None:
        pause(steady)
        if len(pauses) % 2 == 0:
            away.pop()

    monkeypatch.setattr(SteadyGrid, "pause", one_comes)
    federation.train("lost", grid={"offline": away}, **asked)
    assert len(pauses) == 10  # each that comes renews the three seconds
    assert federation.arrays(ROUNDS, "lost") == federation.arrays(ROUNDS, "straight")
    assert told(federation) == (True, None)
    assert all(line["exact"] for line in federation.published("history.jsonl"))


def test_a_site_that_stays_away_is_told_and_the_rest_goes_on(
    federation: Federation, pauses: list, caplog: pytest.LogCaptureFixture
) -> None:
    lose(federation, 3)
    lose(federation, 5, grid={"offline": {"site02"}}, rejoin_timeout=20)
    assert len(pauses) == 20
    lose(federation, 5, grid={"offline": {"site02"}}, rejoin_timeout=20)
    assert len(pauses) == 20  # it took no part in what the checkpoint holds
    assert "Round 3 waits for site02, which took part before the run was lost: for 20 seconds" in caplog.text
    assert "Round 3 goes on without site02." in caplog.text
    # It is back, which is not what an undisturbed training had in rounds 3 and 4.
    pauses.clear()
    resumed = federation.train("lost", **ANY)
    assert not pauses
    assert len(trained_by(resumed, 5)) == 7
    why = "it was trained without site02, which took part before"
    assert told(federation) == (False, {"round": 3, "why": why})
    lines = {line["round"]: line for line in federation.published("history.jsonl")}
    assert [lines[number]["exact"] for number in sorted(lines)] == [True, True, False, False, False, False]
    assert lines[3]["deviation"] == {
        "missing": ["site02"], "new": [], "renamed": [], "reordered": False, "why": why,
    }  # fmt: skip
    assert "deviation" not in lines[2]
    manifest = json.loads((federation.checkpoints("lost") / "checkpoint_latest.json").read_text())
    assert manifest["deviation"] == {"exact": False, "round": 3, "why": why}


def test_nothing_is_waited_for_with_a_timeout_of_zero_and_it_is_told_all_the_same(
    federation: Federation, pauses: list
) -> None:
    lose(federation, 2)
    federation.train("lost", grid={"offline": {"site00", "site06"}}, **ANY, rejoin_timeout=0)
    assert not pauses
    assert told(federation)[1]["why"] == "it was trained without site00 and site06, which took part before"


def test_a_round_that_is_trained_a_third_time_is_held_against_the_first(federation: Federation, pauses: list) -> None:
    asked = {"checkpoint_interval": 4}
    federation.train("straight", **ANY, **asked)
    lose(federation, 2, **asked)
    lose(federation, 3, grid={"offline": {"site02"}}, **asked)
    federation.train("lost", **ANY, **asked)  # nothing of the rounds without the site is left
    assert federation.arrays(ROUNDS, "lost") == federation.arrays(ROUNDS, "straight")
    assert told(federation) == (True, None)


def test_a_new_site_is_told(federation: Federation, pauses: list) -> None:
    lose(federation, 3, grid={"offline": {"site04"}})
    federation.train("lost", **ANY)
    assert not pauses
    why = "it was trained with site04, which did not take part before"
    assert told(federation) == (False, {"round": 3, "why": why})


def test_a_renamed_site_is_told_and_not_waited_for(federation: Federation, pauses: list) -> None:
    lose(federation, 3)
    shutil.copytree(federation.root / "data/site02", federation.root / "data/west")
    federation.names[2] = "west"
    federation.train("lost", **ANY)
    assert not pauses
    why = "it was trained with west that was called site02"
    assert told(federation) == (False, {"round": 3, "why": why})


def test_a_site_with_another_number_is_the_same_site(federation: Federation, pauses: list) -> None:
    lose(federation, 3)
    federation.train("lost", nodes_seed=9, **ANY)
    assert not pauses
    assert told(federation) == (True, None)


def fails_in(*rounds: int) -> dict[str, Callable]:
    return {"fails": lambda site, number, attempt: site == "site02" and number in rounds}


@pytest.mark.parametrize(("before", "now", "exact"), [((), (2,), False), ((2,), (2,), True), ((2,), (), False)])
def test_a_site_that_fails_in_a_round_that_was_finished_before_makes_it_another_one(
    federation: Federation, before: tuple, now: tuple, exact: bool
) -> None:
    asked = {"checkpoint_interval": 5}
    lose(federation, 4, grid=fails_in(*before), **asked)
    federation.train("lost", grid=fails_in(*now), **ANY, **asked)
    assert told(federation)[0] is exact
    if not exact:
        assert told(federation)[1]["round"] == 2


@pytest.mark.parametrize(("before", "exact"), [((), False), ((1, 2, 3), True)])
def test_a_failure_in_the_round_that_was_lost_counts_where_the_site_did_well_before(
    federation: Federation, before: tuple, exact: bool
) -> None:
    lose(federation, 3, grid=fails_in(*before))
    federation.train("lost", grid=fails_in(3), **ANY)
    assert told(federation)[0] is exact


def test_an_undisturbed_training_is_exact_whoever_comes_and_goes(federation: Federation, pauses: list) -> None:
    federation.train(grid={"offline": {"site01"}}, **ANY)
    assert not pauses
    assert told(federation) == (True, None)


def test_a_training_with_more_rounds_waits_for_the_sites_of_its_last_one(federation: Federation, pauses: list) -> None:
    federation.train(**{**ANY, "num_rounds": 3})
    federation.train(grid={"offline": {"site01"}}, **ANY, rejoin_timeout=2)
    assert len(pauses) == 2
    assert told(federation)[1]["round"] == 4


ODD_ROLL = '{"rounds": [{"round": 1e999, "online": [], "counted": true}]}'  # which Python reads as infinite


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"rounds": 1}', '{"rounds": [{"round": "x"}]}', ODD_ROLL, "\x00" * 40]
)
def test_where_nobody_knows_who_took_part_it_is_not_claimed(
    federation: Federation, pauses: list, content: str | None
) -> None:
    lose(federation, 3)
    path = federation.root / "trainings/default/roster.json"
    if content is None:
        path.unlink()
    else:
        found = json.loads(path.read_text())
        path.write_text(content if "rounds" not in content else json.dumps({**found, **json.loads(content)}))
    federation.train("lost", **ANY)
    assert told(federation) == (None, {"round": 3, "why": "who took part before is not known on this host"})


def test_what_was_trained_before_is_nothing_to_a_training_that_begins_anew(
    federation: Federation, pauses: list
) -> None:
    lose(federation, 3)
    federation.train("lost", grid={"offline": {"site01"}}, **ANY, resume="never")
    federation.train("elsewhere", grid={"offline": {"site02"}}, **ANY)  # that one had its result
    assert not pauses
    assert told(federation) == (True, None)


def test_the_roster_holds_what_may_be_repeated_and_stays_small(federation: Federation) -> None:
    lose(federation, 6, checkpoint_interval=2)
    entries = json.loads((federation.root / "trainings/default/roster.json").read_text())["rounds"]
    assert [entry["round"] for entry in entries] == [4, 5, 6]
    assert ["online" in entry for entry in entries] == [True, False, False]
    assert [entry["counted"] for entry in entries] == [True, True, None]


def test_while_it_waits_a_file_says_for_whom(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(federation, 3)
    away, seen = {"site01", "site05"}, []
    path = federation.root / "trainings/default/waiting.json"

    def pause(steady: SteadyGrid) -> None:
        seen.append(json.loads(path.read_text()))
        away.clear()

    monkeypatch.setattr(SteadyGrid, "pause", pause)
    federation.train("lost", grid={"offline": away}, **ANY)
    (waiting,) = seen
    assert {key: waiting[key] for key in ("round", "sites", "seconds", "run_id")} == {
        "round": 3, "sites": ["site01", "site05"], "seconds": 30.0, "run_id": str(federation.runs),
    }  # fmt: skip
    assert not path.exists()


def test_a_roster_that_cannot_be_kept_does_not_end_a_training(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    replace = os.rename

    def full(source: str, target: str) -> None:
        if target.endswith("roster.json"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.rename", full)
    federation.train(**{**ANY, "num_rounds": 2})
    assert "roster.json cannot be written: No space left on device" in caplog.text


@pytest.fixture
def superlink_dies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Have the SuperLink of a living run die in a round, before or after it has the replies; return a grid for it."""
    away: set[str] = set()

    def dies(number: int, sites: set[str], with_replies: bool) -> dict:
        exchange, done = SteadyGrid.send_and_receive, []

        def send_and_receive(self: SteadyGrid, messages: object, *, timeout: float | None = None) -> list:
            asked = list(messages)
            train = [each for each in asked if each.metadata.message_type == "train"]
            hit = train and not done and train[0].content.config_records["config"]["server-round"] == number
            if hit:
                done.append(number)
                self.outages += 2
                away.update(sites if with_replies else ())
            found = list(exchange(self, asked, timeout=timeout))
            if hit:
                away.update(sites)
            return found

        monkeypatch.setattr(SteadyGrid, "send_and_receive", send_and_receive)
        pause = SteadyGrid.pause

        def one_comes(steady: SteadyGrid) -> None:
            pause(steady)
            if returning := sorted(away & returns):
                away.discard(returning[0])

        monkeypatch.setattr(SteadyGrid, "pause", one_comes)
        return {"offline": away, "unavailable": lambda site, number, attempt: site in away}

    returns: set[str] = set()
    dies.returns = returns
    return dies


@pytest.mark.parametrize("with_replies", [True, False])
@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam"])
def test_a_superlink_that_restarts_under_a_living_run_costs_no_byte(
    federation: Federation, pauses: list, superlink_dies: Callable, strategy: str, with_replies: bool
) -> None:
    asked = {**ANY, "strategy": strategy, "fraction_train": 0.7}
    federation.train("straight", **asked)
    away = set(federation.names[2:])
    superlink_dies.returns.update(away)
    grid = federation.train("alive", grid=superlink_dies(3, away, with_replies), **asked)
    assert len(pauses) == len(away)
    assert federation.arrays(ROUNDS, "alive") == federation.arrays(ROUNDS, "straight")
    assert told(federation) == (True, None)
    lines = {line["round"]: line for line in federation.published("history.jsonl")}
    assert [line["failures"] for line in lines.values()] == [0] * ROUNDS
    assert lines[3]["attempts"] == (2 if with_replies else 1)
    assert max(map(trained_by(grid, 3).count, federation.names)) == (2 if with_replies else 1)


@pytest.mark.parametrize("with_replies", [True, False])
def test_who_does_not_come_back_to_a_superlink_is_told_and_the_rest_goes_on(
    federation: Federation,
    pauses: list,
    superlink_dies: Callable,
    with_replies: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    superlink_dies.returns.add("site05")
    federation.train("alive", grid=superlink_dies(3, {"site02", "site05"}, with_replies), **ANY, rejoin_timeout=7)
    first = 3 if with_replies else 4
    assert len(pauses) == 8  # site05, and then in vain
    assert f"Round {first} waits for site02 and site05, which took part before the SuperLink was away" in caplog.text
    assert ("replies were lost. Asked again: site05." in caplog.text) is with_replies
    assert told(federation) == (False, {"round": first, "why": "it was trained without site02, which took part before"})


def test_a_site_that_leaves_a_living_run_is_not_waited_for(federation: Federation, pauses: list) -> None:
    """Without an outage of the SuperLink it goes as it pleases."""
    away: set[str] = set()
    leaves = {"offline": away, "on_the_way": lambda site, message: away.add("site02")}
    federation.train(grid=leaves, **ANY)
    assert not pauses
    assert told(federation) == (True, None)
