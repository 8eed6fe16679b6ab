# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.beside import beside_inventory
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import SiteNames
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_ANSIBLE
from ansible_collections.fedops.flower.plugins.module_utils._report import (
    anomalies,
    anomaly,
    charts,
    comparison,
    figures,
    report,
    rounds,
    sites,
    story,
    style,
    svg,
    tables,
)
from ansible_collections.fedops.flower.plugins.module_utils._report.page import page

from . import stories

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
NOBODY = SiteNames([])
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} \x1b[31m\x00 \u202e \"'&"
VOID = {"meta", "br"}


def told(found: list[dict[str, Any]], folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the story of a history."""
    stories.write(folder, found)
    read = rounds.read(str(folder), None)
    return {
        "training": "default",
        "asked": {"mode": "once", "num_rounds": 40, "run_config": stories.effective()["run_config"]},
        "supervision": stories.memory(),
        "effective": stories.effective(),
        "result": None,
        "failure": None,
        "runs": [{"run_id": "1", "time": "2026-11-30T07:59:50+00:00", "num_rounds": 40, "fab_hash": "f"}],
        "problems": [],
        **story.of_rounds(read),
        **changes,
    }


def made(found: list[dict[str, Any]], folder: Path, **changes: Any) -> dict[str, Any]:
    return report.build(told(found, folder, **changes), NOBODY)


class Reader(HTMLParser):
    """Reads a page as a browser does: every tag must be closed in order; text and attributes are kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(found: dict[str, Any]) -> Reader:
    """Return the page of a report as it is read, and hold the report to its schema."""
    jsonschema.validate(json.loads(report.written(found)), SCHEMA)
    reader = Reader(page(found))
    assert reader.open == []
    assert not reader.tags & {"script", "img", "link", "iframe", "object", "a", "image", "use"}
    assert not reader.attributes & {"href", "src", "onload", "onclick", "xlink:href"}
    return reader


def kinds(found: dict[str, Any]) -> set[str]:
    return {one["kind"] for one in found["anomalies"]}


def test_a_training_that_went_well_has_nothing_remarkable(tmp_path) -> None:
    found = made(stories.lines(8, 4), tmp_path)
    text = " ".join(read(found).words)
    assert found["anomalies"] == []
    assert (found["outcome"]["best_round"], found["outcome"]["last_round"]) == (8, 8)
    assert "Nothing remarkable was found." in text
    assert "Every reply counted." in text
    assert found["left_out"] == []


def test_everything_that_went_wrong_is_told_with_its_round_and_what_to_try(tmp_path) -> None:
    lost = {
        "time": "2026-11-30T08:01:30+00:00",
        "reason": "serverapp_gone",
        "detail": "Gone.",
        "run_id": "1",
        "round": 14,
    }
    found = made(stories.eventful(), tmp_path, supervision=stories.memory(lost))
    text = " ".join(read(found).words)
    rows = {one["kind"]: (one["round"], one["variable"]) for one in found["anomalies"]}
    assert rows == {
        "not_saved": (33, "fl_checkpoint_path"),
        "drop_out": (24, "fl_round_timeout"),
        "no_effect": (None, "fl_client_lr"),
        "points_away": (1, "fl_strategy"),
        "run_lost": (14, ""),
        "holes": (7, ""),
        "all_zero": (1, ""),
        "spike": (18, "fl_spike_factor"),
        "repeated": (30, "fl_round_timeout"),
        "far": (None, "fl_max_update_norm"),
        "slow": (None, "fl_local_epochs"),
        "rejected": (10, "fl_max_update_norm"),
    }
    assert "site-000abcdefghi has not counted since round 24" in text
    assert [event["kind"] for event in found["timeline"]] == [
        "run_submitted",
        "run_lost",
        "resumed",
        "repeated",
        "not_saved",
        "saved_again",
    ]
    # Two replies with other numbers in the same reason are one row.
    rejected = [one for one in found["not_counted"] if one["kind"] == "rejected"]
    assert [(one["count"], one["first"], one["last"]) for one in rejected] == [(2, 10, 20)]


def test_what_is_serious_is_told_first(tmp_path) -> None:
    weights = [one["weight"] for one in made(stories.eventful(), tmp_path)["anomalies"]]
    assert set(weights) == {anomaly.SERIOUS, anomaly.NOTABLE}
    assert weights == sorted(weights, key=[anomaly.SERIOUS, anomaly.NOTABLE].index)


def test_every_variable_that_is_to_be_looked_at_exists() -> None:
    folder = Path(anomalies.__file__).parent
    named = {name for path in folder.glob("*.py") for name in re.findall(r"\bfl_[a-z_]+[a-z]", path.read_text("utf-8"))}
    assert named - set(BY_ANSIBLE) == set()


@pytest.mark.parametrize(
    ("change", "kind", "number"),
    [
        (lambda each: each.update(loss=None) if each["round"] == 4 else None, "no_number", 4),
        (lambda each: each.update(loss=None, accuracy=None), "no_evaluation", 1),
        (lambda each: each.update(update_norm=0.0) if each["round"] > 5 else None, "no_step", 6),
        (lambda each: each.update(aggregated=False) if each["round"] == 3 else None, "skipped", 3),
        (lambda each: each.update(loss=each["loss"] if each["round"] < 6 else 0.7), "plateau", 31),
        (lambda each: each.update(loss=abs(each["round"] - 10) / 11 + 1), "worse_since", 10),
        (lambda each: each.update(loss=0.0), "all_zero", 1),
        (lambda each: each.update(deviation={"why": "x"}) if each["round"] == 9 else None, "not_exact", 9),
    ],
)  # fmt: skip
def test_the_course_of_a_training_is_judged(tmp_path, change, kind, number) -> None:
    found = made(stories.lines(40, 3, change=change), tmp_path)
    read(found)
    assert [one["round"] for one in found["anomalies"] if one["kind"] == kind] == [number]


def test_a_training_that_failed_in_round_1_tells_its_story(tmp_path) -> None:
    failure = {
        "run_id": "1",
        "reason": "failed",
        "message": f"Round 1 failed: {HOSTILE}",
        "time": "2026-11-30T08:00:01+00:00",
    }
    supervision = stories.memory(state="failed", reason="app", detail=failure["message"])
    found = made([], tmp_path, supervision=supervision, failure=failure)
    text = " ".join(read(found).words)
    assert [one["kind"] for one in found["anomalies"]] == ["not_finished"]
    assert "before any round was finished" in text
    assert "correct the app or its data" in text
    assert "<script>alert(1)</script> {{ 7 * 7 }} \\x1b[31m" in text


def test_nothing_that_sites_write_is_more_than_text(tmp_path) -> None:
    def change(each: dict[str, Any]) -> None:
        each["metrics"][HOSTILE] = 0.5
        each["checkpoint"] = HOSTILE
        for site in each["sites"][:2]:
            site.update(site=HOSTILE, state=HOSTILE, loss="x", update_norm=[1], evaluation=7, metrics={"a": {}})
        each["sites"] += [None, 7, {"site": 3}, {"state": "counted"}]
        stories.out(each, 2, "rejected", HOSTILE)
        stories.out(each, 2, "failed", HOSTILE * 50)

    found = made(
        stories.lines(12, 5, change=change),
        tmp_path,
        effective=stories.effective(app=HOSTILE, run_config={HOSTILE: HOSTILE}),
    )
    reader = read(found)
    text = page(found)
    assert "script" not in reader.tags
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\u2066-\u2069]", text)
    assert "<script>alert(1)" in "".join(reader.words)


def test_nothing_that_a_host_says_is_more_than_text(tmp_path) -> None:
    whole = told(stories.eventful(12), tmp_path, supervision=stories.memory({"run_id": "1", "reason": "x"}))
    whole["supervision"]["restart_reasons"][0]["round"] = HOSTILE
    for group in whole["not_counted"]:
        group["first"] = [HOSTILE]
    found = report.build({**whole, "training": HOSTILE}, NOBODY)
    assert "\x1b" not in page(found)
    assert "script" not in Reader(page(found)).tags


def test_a_round_that_says_how_often_it_was_begun_in_words_keeps_no_report_from_being_made(tmp_path) -> None:
    found = stories.lines(4, 2, change=lambda each: each.update(attempts="3" if each["round"] == 2 else 1))
    assert [row["round"] for row in made(found, tmp_path)["rounds"]] == [1, 3, 4]


def test_lines_that_are_broken_or_of_another_kind_are_left_out_and_told(tmp_path) -> None:
    found = stories.lines(6, 2)
    found[2]["loss"] = "low"
    stories.write(tmp_path, found)
    history = tmp_path / "history.jsonl"
    text = history.read_text().replace('"loss": ', '"loss": NaN, "was": ', 1)
    history.write_text(
        "[]\nnull\n" + text + '{"event": "round_finished"}\n' + "x" * (2 << 20) + "\n" + text.splitlines()[0][:40]
    )
    read_back = rounds.read(str(tmp_path), None)
    assert [row["round"] for row in read_back.rounds] == [1, 2, 4, 5, 6]
    assert "3 in all are left out" in read_back.problem
    assert "loss" not in read_back.rounds[0]


def test_a_round_that_was_trained_again_counts_once_and_another_training_not(tmp_path) -> None:
    found = stories.lines(4, 2)
    stories.write(tmp_path, [*found[:3], {**found[2], "run_id": "2", "loss": 9.0}, {**found[3], "run_id": "9"}])
    read_back = rounds.read(str(tmp_path), None, {"1", "2"})
    assert [(row["round"], row["run_id"]) for row in read_back.rounds] == [(1, "1"), (2, "1"), (3, "2")]
    assert read_back.again == 1


def test_what_the_first_release_has_left_can_be_reported(tmp_path) -> None:
    recorded = ROOT / "tests" / "unit" / "recorded" / "published" / "ward"
    read_back = rounds.read(str(recorded), None)
    effective = json.loads((recorded / "effective.json").read_text())
    found = report.build({"training": "ward", "effective": effective, **story.of_rounds(read_back)}, NOBODY)
    read(found)
    assert [row["round"] for row in found["rounds"]] == [1, 2]
    assert found["left_out"] == [
        "The history says nothing of single sites: it is of an earlier release, or of an app that tells none."
    ]


def test_an_earlier_report_with_values_of_another_kind_is_compared_as_far_as_it_goes(tmp_path) -> None:
    story_of_today = told(stories.lines(6, 2), tmp_path)
    odd = {"early_stopping": "loss", "strategy": 7, "run_config": []}
    earlier = report.build(story_of_today, NOBODY) | {"rounds": [{"round": 1}], "effective": odd}
    found = report.build(story_of_today, NOBODY, baseline=report.read_back(report.written(earlier), "x.json"))
    assert (found["comparison"]["metric"], found["comparison"]["other"]["strategy"]) == ("loss", None)
    assert found["comparison"]["differences"] == []


def test_sites_are_called_as_is_asked(tmp_path) -> None:
    names = SiteNames(
        [{"name": "hospital-a", "pseudonym": "site-k3vq6dxt2m4a", "node_id": "1", "site": "", "host": "host-a"}]
    )

    def change(each: dict[str, Any]) -> None:
        each["sites"][0]["site"] = "site-k3vq6dxt2m4a"
        stories.out(each, 0, "failed", "no answer of site-k3vq6dxt2m4a")

    lost = {"time": "t", "reason": "too_few_nodes", "detail": "Missing: hospital-a.", "run_id": "1", "round": 1}
    heard = told(stories.lines(3, 2, change=change), tmp_path, supervision=stories.memory(lost))
    hidden, real = (report.written(report.build(heard, names, real)) for real in (False, True))
    assert "hospital-a" not in hidden
    assert "site-k3vq6dxt2m4a" in hidden
    assert "site-k3vq6dxt2m4a" not in real
    assert "hospital-a" in real


def test_the_same_story_gives_the_same_bytes(tmp_path) -> None:
    heard = told(stories.eventful(), tmp_path)
    first, second = (report.build(json.loads(json.dumps(heard)), NOBODY) for dummy in range(2))
    assert page(first) == page(second)
    assert report.written(first) == report.written(second)


def test_a_thousand_rounds_of_fifty_sites_stay_below_five_megabytes(tmp_path) -> None:
    found = made(stories.lines(1000, 50), tmp_path)
    text = page(found)
    assert len(text.encode()) < 1_000_000
    assert len(report.written(found)) < 5_000_000
    assert (len(found["rounds"]), len(found["by_site"]["rounds"]), len(found["by_site"]["sites"])) == (1000, 1000, 50)
    assert "Each column stands for 5 rounds" in text
    assert "Each point is the mean of 9 rounds." in text


def test_of_very_many_sites_only_so_many_rounds_are_told_one_by_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rounds, "MOST_CELLS", 60)
    monkeypatch.setattr(rounds, "MOST_SITES_TOLD", 10)
    found = made(stories.lines(24, 12), tmp_path)
    assert found["by_site"]["rounds"] == [4, 8, 12, 16, 20, 24]
    assert found["left_out"] == [
        "Figures of single sites are those of every 4th round; totals of sites count these alone.",
        "2 sites more took part than are told of one by one.",
    ]


def test_a_training_is_compared_with_another_one(tmp_path) -> None:
    other = made(
        stories.lines(30, 3), tmp_path / "a", effective=stories.effective(run_config={"client-lr": 0.2, "seed": 1})
    )
    kept = report.read_back(report.written({**other, "training": "first"}), "first.json")
    heard = told(stories.lines(40, 3), tmp_path / "b")
    found = report.build(heard, NOBODY, baseline=kept)
    text = " ".join(read(found).words)
    compared = found["comparison"]
    assert (compared["training"], compared["metric"], compared["other"]["rounds"]) == ("first", "loss", 30)
    assert ["client-lr", "0.1", "0.2"] in compared["differences"]
    assert compared["this"]["best"] == min(row["loss"] for row in found["rounds"])
    assert compared["reached_in_round"] is None or compared["this"]["best"] <= compared["other"]["best"]
    assert "With first, drawn as a dashed line below." in text


def test_two_trainings_without_a_common_metric_are_not_compared_by_it(tmp_path) -> None:
    empty = report.build({"training": "empty"}, NOBODY)
    found = comparison.compared(made(stories.lines(3, 2), tmp_path), empty)
    assert found["sentences"] == ["One of the two has no loss, so that they cannot be compared by it."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no report of a training"),
        ("[]", "is no report of a training"),
        ('{"format": "fedops.flower/report"}', "is no report of a training"),
        ('{"format": "fedops.flower/report", "version": 2}', "is a report of version 2"),
        ('{"format": "fedops.flower/report", "version": 1, "training": "a"}', "is a damaged report"),
        ('{"format": "fedops.flower/report", "version": 1, "training": "a", "rounds": [{}]}', "is a damaged report"),
    ],
)
def test_what_is_no_report_is_refused_as_a_baseline(text, said) -> None:
    with pytest.raises(report.BadReportError, match=said):
        report.read_back(text, "x.json")


def test_phases_are_those_of_the_history_or_what_can_be_told_without(tmp_path) -> None:
    with_phases = made(stories.lines(2, 2), tmp_path / "a")
    assert figures.phases(with_phases["rounds"])[2] == {
        "training": 2.4, "aggregation": 0.3, "evaluation": 0.2, "saving": 0.1, figures.BETWEEN: pytest.approx(2.9)
    }  # fmt: skip
    without = made(stories.lines(2, 2, change=lambda each: each.pop("phases")), tmp_path / "b")
    assert figures.phases(without["rounds"])[1] == {figures.TRAINING: 2.1, figures.REST: pytest.approx(1.0)}


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.0001, 0.0002), (-5, 1e6), (3, 3), (0, 7), (0, 5e-324)])
def test_ticks_are_few_and_inside(low, high) -> None:
    found = svg.ticks(low, high)
    assert 1 <= len(found) <= 6
    assert all(low - 1e-9 * abs(high) <= value <= high * (1 + 1e-9) for value in found)


def test_a_curve_keeps_its_lowest_and_its_highest_value() -> None:
    points = [(float(at), float((at * 7919) % 1000)) for at in range(5000)]
    shown, width = figures.thinned(points, 200)
    assert len(shown) <= 202
    assert width == 50
    assert {min(points, key=lambda point: point[1])[1], max(points, key=lambda point: point[1])[1]} <= {
        y for _x, y in shown
    }


def test_every_class_of_a_picture_has_a_style(tmp_path) -> None:
    found = made(stories.eventful(), tmp_path)
    used = set(
        re.findall(r'class="[^"]*"', charts.participation(found) + charts.time_line(found) + charts.seconds(found))
    )
    names = {name for each in used for name in each[7:-1].split()} - {"cell", "dot", "fill", "line"}
    assert {name for name in names if f".{name}" not in style.STYLE and name not in ("tick", "key")} == set()


def test_totals_count_what_became_of_each_site(tmp_path) -> None:
    rows = {row["site"]: row for row in sites.totals(made(stories.eventful(), tmp_path))}
    first = rows["site-000abcdefghi"]
    assert (first["counted"], first["failed"], first["rejected"], first["last_round"]) == (22, 16, 0, 24)


def test_a_table_of_nothing_is_nothing() -> None:
    assert tables.table(("a",), []) == ""
    assert tables.table(("<a>",), [(None,)]).count("&lt;a&gt;") == 1


@pytest.mark.parametrize(("sources", "expected"), [(["/x/hosts.yml"], "/inv/reports"), (["/inv"], "/inv/reports")])
def test_reports_lie_beside_the_inventory(sources, expected) -> None:
    assert beside_inventory("/inv", sources, "reports") == expected


def test_nothing_is_put_into_a_directory_that_is_an_inventory(tmp_path) -> None:
    inside = tmp_path / "inventory" / "eu"
    inside.mkdir(parents=True)
    assert beside_inventory(str(inside), [str(tmp_path / "inventory")], "reports") == str(tmp_path / "reports")
    assert beside_inventory("", [], "reports") == ""
