# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise: an interrupted training ends with the same bytes as an uninterrupted one, for every strategy."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from simulated import Federation, Killed

from fedops_kit.knowledge._checkpoint.directory import inspect
from fedops_kit.knowledge._config.strategies import STRATEGIES

ROUNDS = 6
KILLS, ROUNDS_TO_KILL = 20, 36  # a kill after one round on the average, so that twenty never see the end
SIGNS_OF_A_ROUND = 28  # seven sites, each asked to train and to evaluate, and each answer
PARAMETERS = {"Krum": {"num_malicious": 2}, "Bulyan": {"num_malicious": 1}, "MultiKrum": {"num_nodes_to_select": 3}}

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def variables(strategy: str) -> dict[str, object]:
    return {"strategy": strategy, **PARAMETERS.get(strategy, {})}


@every_strategy
@pytest.mark.parametrize("killed_in_round", [1, 4])
def test_a_killed_and_resumed_training_ends_with_the_bytes_of_an_undisturbed_one(
    federation: Federation, strategy: str, killed_in_round: int
) -> None:
    federation.train("straight", **variables(strategy))
    with pytest.raises(Killed):
        federation.train("killed", grid={"killed_in_round": killed_in_round}, **variables(strategy))
    resumed = federation.train("killed", **variables(strategy))
    assert next(number for kind, number, dummy in resumed.log if kind == "train") == killed_in_round
    assert federation.arrays(ROUNDS, "killed") == federation.arrays(ROUNDS, "straight")


@every_strategy
def test_twenty_kills_at_random_moments_leave_the_bytes_of_an_undisturbed_training(
    federation: Federation, strategy: str
) -> None:
    settings = {"num_rounds": ROUNDS_TO_KILL, "checkpoint_keep_last": 3, **variables(strategy)}
    federation.train("straight", **settings)
    chance = random.Random(f"kills of {strategy}")  # the moments differ all the same: time passes differently
    reached = [train_and_kill(federation, settings, chance) for _kill in range(KILLS)]
    assert reached == sorted(reached)  # never back behind what was saved
    assert 0 < reached[-1] < ROUNDS_TO_KILL
    resumed = federation.train("killed", **settings)
    assert next(number for _kind, number, _site in resumed.log) == reached[-1] + 1
    assert federation.arrays(ROUNDS_TO_KILL, "killed") == federation.arrays(ROUNDS_TO_KILL, "straight")
    assert not list(federation.checkpoints("killed").glob("*.partial"))


def train_and_kill(federation: Federation, settings: dict[str, object], chance: random.Random) -> int:
    """Train in a process of its own and kill that soon; return the newest round that can be resumed from."""
    signs, told = os.pipe()
    child = os.fork()
    if not child:
        tell(federation, settings, told)
    os.close(told)
    for _sign in range(chance.randrange(2 * SIGNS_OF_A_ROUND)):
        os.read(signs, 1)
    time.sleep(chance.random() * 0.01)  # into the training of a site, the aggregation, or the save
    os.kill(child, signal.SIGKILL)
    os.close(signs)
    _child, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL  # it was not finished, and had not failed
    newest = inspect(str(federation.checkpoints("killed"))).latest
    return newest.round if newest else 0


def tell(federation: Federation, settings: dict[str, object], told: int) -> None:
    """Train, and give a sign at each message. Never returns: this process is a copy of pytest's."""
    try:
        federation.train("killed", grid={"on_the_way": lambda _site, _message: os.write(told, b".")}, **settings)
    finally:
        os._exit(1)


@every_strategy
def test_node_numbers_and_the_order_of_arrival_do_not_matter(federation: Federation, strategy: str) -> None:
    federation.train("one", nodes_seed=1, grid={"arrival_seed": 1}, num_rounds=3, **variables(strategy))
    federation.train("two", nodes_seed=2, grid={"arrival_seed": 2}, num_rounds=3, **variables(strategy))
    assert federation.arrays(3, "one") == federation.arrays(3, "two")


def test_a_sampled_training_resumes_with_the_same_samples(federation: Federation) -> None:
    sampled = {"fraction_train": 0.5, "fraction_evaluate": 0.5}
    straight = federation.train("straight", **sampled)
    with pytest.raises(Killed):
        federation.train("killed", grid={"killed_in_round": 4}, **sampled)
    resumed = federation.train("killed", nodes_seed=5, **sampled)
    later = [(kind, number, site) for kind, number, site in straight.log if number >= 4]
    assert sorted(resumed.log) == sorted(later)
    assert len({site for *dummy, site in straight.log}) > 3  # it does not ask the same three every time
    assert federation.arrays(ROUNDS, "killed") == federation.arrays(ROUNDS, "straight")


def test_a_lengthened_training_continues_as_if_it_had_always_been_long(federation: Federation) -> None:
    federation.train("straight", strategy="FedAdam")
    federation.train("lengthened", strategy="FedAdam", num_rounds=2)
    resumed = federation.train("lengthened", strategy="FedAdam")
    assert {number for dummy, number, dummy_site in resumed.log} == {3, 4, 5, 6}
    assert federation.arrays(ROUNDS, "lengthened") == federation.arrays(ROUNDS, "straight")


def test_another_seed_is_another_model(federation: Federation) -> None:
    federation.train("one", num_rounds=1)
    federation.train("two", num_rounds=1, seed=43)
    assert federation.arrays(1, "one") != federation.arrays(1, "two")
