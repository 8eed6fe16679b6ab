# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands of what is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._alerts import conditions
from ansible_collections.fedops.flower.plugins.module_utils._alerts.judgement import (
    DAY,
    SeenCertificate,
    SeenSite,
    SeenStorage,
    SeenTraining,
    Sight,
    Thresholds,
    standing,
)

NOW = 1_800_000_000.0
LIMITS = Thresholds(waiting=600, offline=300, certificate_days=21, free_percent=10)
AT_WORK = SeenTraining("default", "running", "1", run_id="7", round=4)


def words(seen: Sight, before: tuple[str, ...] = ()) -> list[str]:
    return [condition.kind.word for condition in standing(seen, LIMITS, before)]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("failed", "training_failed"),
        ("given_up", "training_given_up"),
        ("refused", "training_refused"),
        ("halted", "training_halted"),
        ("waiting", "training_waiting"),
    ],
)
def test_a_training_that_does_not_train_is_told_of(state, word) -> None:
    training = SeenTraining("default", state, "1", reason="why", detail="Because of that.", run_id="7")
    (condition,) = standing(Sight(NOW, (training,)), LIMITS)
    assert (condition.kind.word, condition.training, condition.reason, condition.run_id) == (
        word,
        "default",
        "why",
        "7",
    )
    assert condition.text.startswith(("The training default ", "Nobody supervises the training default "))
    assert condition.text.endswith("Because of that.")


@pytest.mark.parametrize("state", ["running", "starting", "idle", "restarting", "completed", "stopped", "quiesced"])
def test_a_training_that_trains_or_is_to_rest_is_nothing_to_be_told(state) -> None:
    assert words(Sight(NOW, (SeenTraining("default", state),))) == []


def test_only_a_wait_and_a_lost_supervisor_are_given_time() -> None:
    states = ("failed", "given_up", "refused", "halted", "waiting")
    seen = Sight(NOW, tuple(SeenTraining(state.replace("_", "-"), state) for state in states))
    assert [condition.patience for condition in standing(seen, LIMITS)] == [0, 0, 0, 60, 600]


def test_the_next_order_to_train_that_fails_is_another_condition_and_a_longer_wait_is_none() -> None:
    failed, waiting = SeenTraining("default", "failed", "1"), SeenTraining("default", "waiting", "1")

    def key(training: SeenTraining) -> str:
        return standing(Sight(NOW, (training,)), LIMITS)[0].key

    assert key(failed) != key(replace(failed, order="2"))
    assert key(waiting) == key(replace(waiting, order="2", reason="superlink"))


def test_a_site_is_missed_only_while_something_is_trained() -> None:
    sites = (SeenSite("a", "online"), SeenSite("b", "offline", NOW - 50), SeenSite("c", "registered"))
    (condition,) = standing(Sight(NOW, (AT_WORK,), sites), LIMITS)
    assert (condition.kind, condition.site) == (conditions.SITE_OFFLINE, "b")
    assert (condition.since, condition.patience) == (NOW - 50, 300)
    assert words(Sight(NOW, (replace(AT_WORK, state="completed"),), sites)) == []


def test_a_site_that_fails_because_it_is_offline_is_told_of_once() -> None:
    training = replace(AT_WORK, failing=("a", "b"))
    found = standing(Sight(NOW, (training,), (SeenSite("a", "online"), SeenSite("b", "offline"))), LIMITS)
    assert [(one.kind.word, one.site) for one in found] == [("site_failing", "a"), ("site_offline", "b")]


def test_a_checkpoint_that_is_not_saved_is_told_of_until_the_training_is_over() -> None:
    training = replace(AT_WORK, checkpoint_problem="No space left on device.")
    (condition,) = standing(Sight(NOW, (training,)), LIMITS)
    assert condition.text == "Round 4 of default is not saved. No space left on device."
    assert words(Sight(NOW, (replace(training, state="completed"),))) == []


@pytest.mark.parametrize(
    ("free", "before", "expected"),
    [
        (9.9, (), ["storage_low"]),
        (10.0, (), []),
        (11.9, ("storage_low   /c",), ["storage_low"]),  # no news with each file that comes and goes
        (12.0, ("storage_low   /c",), []),
        (None, (), ["storage_silent"]),
    ],
)
def test_storage_that_is_short_or_silent_is_told_of(free, before, expected) -> None:
    seen = Sight(NOW, storages=(SeenStorage("/c", free),))
    assert words(seen, before) == expected


def test_nobody_is_told_of_storage_where_that_is_asked() -> None:
    seen = Sight(NOW, storages=(SeenStorage("/c", 0.0),))
    assert standing(seen, replace(LIMITS, free_percent=0)) == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [(21.1, []), (20.9, ["certificate_ends"]), (0.1, ["certificate_ends"]), (-1, ["certificate_expired"])],
)
def test_a_certificate_is_told_of_before_it_ends_and_when_it_has(days, expected) -> None:
    seen = Sight(NOW, certificates=(SeenCertificate("certificate of the SuperLink", "/c.crt", NOW + days * DAY),))
    assert words(seen) == expected


def test_what_a_certificate_is_told_of_is_a_sentence() -> None:
    seen = Sight(NOW, certificates=(SeenCertificate("certificate of the SuperLink", "/c.crt", NOW + 2.5 * DAY),))
    (condition,) = standing(seen, LIMITS)
    assert condition.text == ("The certificate of the SuperLink ends in 2 days, on 2027-01-17 20:00 UTC: /c.crt.")


def test_a_warning_of_a_certificate_is_not_over_when_it_has_ended() -> None:
    ended = Sight(NOW, certificates=(SeenCertificate("certificate of the SuperLink", "/c.crt", NOW - 1),))
    (before,) = standing(replace(ended, at=NOW - DAY), LIMITS)
    assert [one.kind.word for one in standing(ended, LIMITS, {before.key})] == [
        "certificate_ends",
        "certificate_expired",
    ]
