# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run ends between two rounds when all trainings are to stand still; the next one goes on as if nothing had been."""

from __future__ import annotations

import errno
import os
from io import FileIO

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import endings
from ansible_collections.fedops.flower.plugins.module_utils._training import quiesce_order
from flwr.app import Message
from simulated import Federation

from fedops_kit import grid, npz, publish
from fedops_kit.errors import QuiescedError


def order(federation: Federation) -> None:
    (federation.root / "trainings").mkdir(exist_ok=True)
    (federation.root / "trainings" / "quiesced.json").write_text("{}")


def lift(federation: Federation) -> None:
    (federation.root / "trainings" / "quiesced.json").unlink()


def ordered_in(federation: Federation, number: int) -> dict:
    """Give the order in the middle of a round."""

    def on_the_way(site: str, message: Message) -> None:
        config = message.content.config_records.get("config", {}) if message.has_content() else {}
        if config.get("server-round") == number:
            order(federation)

    return {"on_the_way": on_the_way}


def rounds(federation: Federation) -> list[tuple[int, object]]:
    return [(line["round"], line["checkpoint"]) for line in federation.published("history.jsonl")]


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam"])
def test_the_round_under_way_is_finished_and_saved_and_the_end_has_the_same_bytes(
    federation: Federation, strategy: str
) -> None:
    federation.train("straight", strategy=strategy, checkpoint_interval=4)
    with pytest.raises(QuiescedError, match=r"^Quiesced after round 2 of 6\. It goes on from there when .*resume\)\.$"):
        federation.train(strategy=strategy, checkpoint_interval=4, grid=ordered_in(federation, 2))
    assert rounds(federation)[-1] == (2, "checkpoint_round_2.npz")
    failure = federation.published("failure.json")
    assert (failure["reason"], failure["message"][:8]) == ("quiesced", "Quiesced")
    assert not (federation.root / "trainings" / "default" / "result.json").exists()
    lift(federation)
    federation.train(strategy=strategy, checkpoint_interval=4)
    assert federation.arrays(6) == federation.arrays(6, "straight")


def test_the_last_round_ends_the_training_as_always(federation: Federation) -> None:
    federation.train(num_rounds=2, grid=ordered_in(federation, 2))
    assert federation.published("result.json")["rounds"] == 2


def test_a_run_that_begins_while_all_stand_still_trains_nothing(federation: Federation) -> None:
    order(federation)
    with pytest.raises(QuiescedError, match="Quiesced after round 0 of 6"):
        federation.train()
    assert federation.last.log == []


def test_a_run_that_waits_for_nodes_ends_at_once(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_REALLY_WAITING", 0.0)
    order(federation)
    with pytest.raises(QuiescedError):
        federation.train(grid={"offline": {"site01"}})
    assert federation.last.log == []


def test_a_model_that_cannot_be_saved_is_not_given_up(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    write, saves = npz.write, iter(range(1, 100))

    def failing(stream: FileIO, arrays: object) -> npz.Written:
        if next(saves) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(stream, arrays)

    monkeypatch.setattr(npz, "write", failing)
    with pytest.raises(QuiescedError, match="Quiesced after round 3 of 6"):
        federation.train(grid=ordered_in(federation, 2))
    assert rounds(federation) == [(1, "checkpoint_round_1.npz"), (2, None), (3, "checkpoint_round_3.npz")]


def test_a_training_without_checkpoints_says_that_it_begins_anew(federation: Federation) -> None:
    with pytest.raises(
        QuiescedError, match=r"Quiesced after round 1 of 6\. It keeps no checkpoints .* begins anew when"
    ):
        federation.train(checkpoint_enabled=False, grid=ordered_in(federation, 1))


def test_the_app_and_the_supervisor_mean_the_same() -> None:
    assert publish.QUIESCED == quiesce_order.QUIESCE_MARKER
    assert QuiescedError.reason == endings.ALL_QUIESCED.word
