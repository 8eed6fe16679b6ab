# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of privacy against Flower's own classes: the same where those keep their promise, and where they do
not, what they do instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp.mod import LocalDpMod
from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideAdaptiveClipping,
    DifferentialPrivacyServerSideFixedClipping,
    FedAdam,
    FedAvg,
    FedMedian,
    FedTrimmedAvg,
    Krum,
    Strategy,
)
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from fedops_kit import private as kit
from fedops_kit.arithmetic import Arithmetic, arithmetics
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.privacy import ADAPTIVE, FIXED, influence
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.training import Training
from fedops_kit.noise import FreshNoise, SeededNoise, noised
from fedops_kit.site_noise import SiteNoise

SHAPES = {"weight": (7, 5), "bias": (5,), "deep": (2, 1, 3)}
NORMS = (0.2, 0.6, 0.9, 1.1, 3.0, 20.0)


@pytest.fixture(autouse=True)
def a_task() -> None:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both draw from NumPy's global generator."""

    class Global:
        def normal(self, count: int) -> NDArray:
            return np.random.normal(0.0, 1.0, count)

    monkeypatch.setattr(kit, "noise_for", lambda *_of: Global())
    monkeypatch.setattr("fedops_kit.site_noise.noise_for", lambda *_of: Global())


def model(dtype: str = "float64") -> ArrayRecord:
    rng = np.random.default_rng(1)
    return ArrayRecord({name: Array(np.asarray(rng.normal(size=shape), dtype)) for name, shape in SHAPES.items()})


def replies(base: ArrayRecord, norms: Sequence[float] = NORMS, seed: int = 0) -> list[Message]:
    """Updates of these lengths, of sites that say they have other numbers of examples."""
    rng, made = np.random.default_rng(seed), []
    for number, norm in enumerate(norms):
        steps = {name: np.asarray(rng.normal(size=shape)) for name, shape in SHAPES.items()}
        length = math.sqrt(sum(float(np.square(step).sum()) for step in steps.values()))
        arrays = {
            name: Array(np.asarray(base[name].numpy() + step * (norm / length), base[name].dtype))
            for name, step in steps.items()
        }
        asked = Message(RecordDict({"config": ConfigRecord({})}), dst_node_id=number + 1, message_type="train")
        metrics = MetricRecord({"num-examples": 10, "train_loss": 1.0})
        made.append(Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=asked))
    return made


def ours(kind: str, strategy: str = "FedAvg", **more: object) -> Arithmetic:
    given = {"privacy": kind, "strategy": strategy, "weighting": "uniform", "min_available_clients": 6, **more}
    training = Training.from_variables({f"fl_{name}": value for name, value in given.items()})
    return arithmetics(model(str(more.get("dtype", "float64"))), (), training.values)[2]


def aggregated(
    arithmetic: Arithmetic, strategy: Strategy, base: ArrayRecord, given: list[Message]
) -> dict[str, NDArray]:
    made = arithmetic.aggregate(strategy, 1, base, given).arrays
    assert made is not None
    return {name: array.numpy() for name, array in made.items()}


@pytest.mark.parametrize("clipping", [0.5, 1.0, 100.0])
@pytest.mark.parametrize("noise", [0.0, 1.3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fixed_norm_is_flowers_wrapper(same_noise: None, clipping: float, noise: float, dtype: str) -> None:
    base = model(dtype)
    flowers = DifferentialPrivacyServerSideFixedClipping(FedAvg(), noise, clipping, len(NORMS))
    flowers.current_arrays = base
    np.random.seed(3)
    wanted, _metrics = flowers.aggregate_train(1, replies(base))
    np.random.seed(3)
    found = aggregated(
        ours(FIXED, privacy_clipping_norm=clipping, privacy_noise_multiplier=noise), FedAvg(), base, replies(base)
    )
    close = 1e-12 if dtype == "float64" else 1e-5
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array.numpy(), rtol=close, atol=close)


@pytest.mark.parametrize("stddev", [0.4, 5.0])
def test_an_adapted_norm_costs_what_flowers_does(stddev: float) -> None:
    flowers = DifferentialPrivacyServerSideAdaptiveClipping(FedAvg(), 0.7, 6, clipped_count_stddev=stddev)
    settings = ours(ADAPTIVE, privacy_noise_multiplier=0.7, privacy_count_stddev=stddev).private.settings
    assert settings.noises(6) == pytest.approx((flowers.noise_multiplier, flowers.clipped_count_stddev), rel=1e-12)
    settings = ours(ADAPTIVE, privacy_noise_multiplier=0.7).private.settings
    flowers = DifferentialPrivacyServerSideAdaptiveClipping(FedAvg(), 0.7, 100)
    assert settings.noises(100) == pytest.approx((flowers.noise_multiplier, flowers.clipped_count_stddev), rel=1e-12)
    assert settings.noises(6)[1] == 0.7  # a twentieth of six is too little for any noise
    assert settings.noises(6)[0] == pytest.approx(0.7 / math.sqrt(0.75))


def followed(rounds: int, step: Callable[[list[Message]], float]) -> list[float]:
    base = model()
    return [step(replies(base, [1.0 + 0.1 * each for each in range(10)], seed)) for seed in range(rounds)]


@pytest.mark.parametrize("first", [0.05, 30.0])
def test_the_norm_goes_to_the_quantile_where_flowers_runs_away_from_it(first: float) -> None:
    """Flower counts the updates that were clipped where the paper counts those that were not."""
    base = model()
    arithmetic = ours(ADAPTIVE, privacy_clipping_norm=first, privacy_noise_multiplier=0)

    def step(given: list[Message]) -> float:
        arithmetic.aggregate(FedAvg(), 1, base, given)
        return arithmetic.private.clipping_norm

    assert 1.3 < followed(60, step)[-1] < 1.6  # the median is 1.45
    flowers = DifferentialPrivacyServerSideAdaptiveClipping(FedAvg(), 0.0, 10, first)

    def flowers_step(given: list[Message]) -> float:
        flowers.current_arrays = base
        flowers.aggregate_train(1, given)
        return flowers.clipping_norm

    last = followed(60, flowers_step)[-1]
    assert last < 0.01 if first < 1 else last > 1000


def test_a_site_that_has_learned_nothing_ends_no_run() -> None:
    """Flower divides by the length of its update."""
    base = model()
    flowers = DifferentialPrivacyServerSideFixedClipping(FedAvg(), 0.0, 1.0, 2)
    flowers.current_arrays = base
    with pytest.raises(ZeroDivisionError):
        flowers.aggregate_train(1, replies(base, [0.0, 0.5]))
    arithmetic = ours(FIXED, privacy_noise_multiplier=0)
    aggregated(arithmetic, FedAvg(), base, replies(base, [0.0, 0.5]))


def test_a_single_number_is_protected_too() -> None:
    """Flower clips and noises in place, and what NumPy makes of two numbers without an axis is no place."""
    base = ArrayRecord({"scale": Array(np.array(0.0))})

    def given() -> list[Message]:
        made = replies(model(), [1.0, 1.0])
        for reply in made:
            reply.content["arrays"] = ArrayRecord({"scale": Array(np.array(1000.0))})
        return made

    flowers = DifferentialPrivacyServerSideFixedClipping(FedAvg(), 1.0, 1.0, 2)
    flowers.current_arrays = base
    assert abs(flowers.aggregate_train(1, given())[0]["scale"].numpy() - 1000.0) < 10  # not clipped
    found = aggregated(ours(FIXED), FedAvg(), base, given())["scale"]
    assert found != 1.0
    assert abs(found - 1.0) < 10
    mod = LocalDpMod(1.0, 1.0, 1.0, 1e-5)
    asked = Message(RecordDict({"arrays": base}), dst_node_id=1, message_type="train")
    sent = mod(asked, Context(1, 1, {}, RecordDict(), {}), lambda *_asked: given()[0]).content["arrays"]
    assert sent["scale"].numpy() == 1000.0  # nor noised
    ours_sent = SiteNoise(1.0, 1.0).protected({"scale": np.array(1000.0)}, {"scale": np.array(0.0)}, "site", 1)
    assert abs(ours_sent["scale"] - 1.0) < 20


def test_a_server_step_is_taken_along_the_noised_mean(same_noise: None) -> None:
    """What FedAdam carries on has noise, and so has all that is made of it; Flower's wrapper lets the moments be."""
    base = model()
    adam = FedAdam()
    adam.current_arrays = {name: array.numpy() for name, array in base.items()}
    arithmetic = ours(FIXED, "FedAdam", privacy_noise_multiplier=5.0)
    np.random.seed(3)
    found = aggregated(arithmetic, adam, base, replies(base))
    np.random.seed(3)
    mean = aggregated(ours(FIXED, privacy_noise_multiplier=5.0), FedAvg(), base, replies(base))
    reference = FedAdam()
    reference.current_arrays = {name: array.numpy() for name, array in base.items()}
    one = replies(base, [1.0])
    one[0].content["arrays"] = ArrayRecord({name: Array(values) for name, values in mean.items()})
    wanted, _metrics = reference.aggregate_train(1, one)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array.numpy(), rtol=1e-12)
        np.testing.assert_allclose(adam.m_t[name], reference.m_t[name], rtol=1e-12)


ROBUST = {"Krum": Krum, "FedMedian": FedMedian, "FedTrimmedAvg": FedTrimmedAvg}


@pytest.mark.parametrize("strategy", [*ROBUST, "FedAvg"])
def test_no_site_moves_a_model_farther_than_the_noise_is_made_for(strategy: str) -> None:
    """Neighbours differ in one site, of the same number: what it sends is anything that is clipped."""
    base, values = model(), Training.from_variables({"fl_trim_beta": 0.2}).values
    worst = 0.0
    for seed in range(200):
        made = []
        for other in (0, 1):
            given = replies(base, [1.0] * 5, seed)
            given[0] = replies(base, [1.0 * (strategy != "FedAvg" or other)], 1000 * other + seed)[0]
            arithmetic = ours(FIXED, strategy, privacy_noise_multiplier=0)
            klass: Any = ROBUST.get(strategy, FedAvg)
            made.append(aggregated(arithmetic, klass(), base, given))
        worst = max(worst, math.sqrt(sum(float(np.square(made[0][name] - made[1][name]).sum()) for name in SHAPES)))
    assert 0 < worst <= influence(STRATEGIES[strategy], 5, values) * (1 + 1e-9)


def test_noise_is_normal_and_of_the_operating_system() -> None:
    for source in (FreshNoise(), SeededNoise(1, "round", 2)):
        drawn = source.normal(200_001)
        assert drawn.shape == (200_001,)
        assert abs(drawn.mean()) < 0.02
        assert abs(drawn.std() - 1) < 0.02
        inside = [float((np.abs(drawn) < limit).mean()) for limit in (1, 2, 3)]
        assert inside == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.01)
        assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02
    assert (FreshNoise().normal(3) != FreshNoise().normal(3)).all()
    assert (SeededNoise(1).normal(3) == SeededNoise(1).normal(3)).all()
    np.random.seed(5)
    first = FreshNoise().normal(3)
    np.random.seed(5)
    assert (first != FreshNoise().normal(3)).all()


def test_every_number_has_noise_of_its_own() -> None:
    values = np.zeros((700, 800), np.float32, order="F")
    made = noised(values, 2.0, FreshNoise())
    assert made.dtype == np.float32
    assert abs(made.std() - 2) < 0.02
    assert not values.any()
    both = noised(np.zeros(1000, np.complex64), 1.0, FreshNoise())
    assert both.real.std() > 0.8 < both.imag.std()


@pytest.mark.parametrize("clipping", [0.5, 1.0])
@pytest.mark.parametrize("norm", [0.3, 4.0])
def test_a_sites_noise_is_flowers_mod(same_noise: None, clipping: float, norm: float) -> None:
    base, delta, multiplier = model(), 1e-5, 1.7
    made = replies(base, [norm])[0]
    calibrated = math.sqrt(2 * math.log(1.25 / delta)) / multiplier
    mod = LocalDpMod(clipping, 2 * clipping, calibrated, delta)
    asked = Message(RecordDict({"arrays": base}), dst_node_id=1, message_type="train")
    np.random.seed(3)
    wanted = mod(asked, Context(1, 1, {}, RecordDict(), {}), lambda *_asked: made).content["arrays"]
    np.random.seed(3)
    before = {name: array.numpy() for name, array in base.items()}
    after = {name: array.numpy() for name, array in replies(base, [norm])[0].content["arrays"].items()}
    found = SiteNoise(clipping, multiplier).protected(after, before, "site", 1)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "complex64"])
def test_a_site_sends_the_types_that_it_has_received(dtype: str) -> None:
    before = {"w": np.ones((4, 3), dtype), "n": np.array([1, 2])}
    after = {"w": np.asarray(before["w"] * 3, dtype), "n": np.array([8, 9])}
    found = SiteNoise(1.0, 0.1).protected(after, before, "site", 1)
    assert found["w"].dtype == before["w"].dtype
    assert (found["w"] != after["w"]).all()
    assert (found["n"] == before["n"]).all()  # a count tells of the data, and has no noise
    with pytest.raises(RuntimeError, match="no finite number"):
        SiteNoise(1.0, 0.1).protected({**after, "w": after["w"] * np.inf}, before, "site", 1)


LOCAL = {
    "privacy": "local", "privacy-clipping-norm": 1.0, "privacy-noise-multiplier": 2.0, "privacy-seed": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "node", "problem"),
    [
        ({}, {}, ""),
        (LOCAL, {}, ""),
        (LOCAL, {"privacy-min-noise-multiplier": 2, "privacy-max-clipping-norm": "1.0"}, ""),
        ({}, {"privacy-min-noise-multiplier": 1.0}, "the training does not have fl_privacy local"),
        ({}, {"privacy-max-clipping-norm": 1.0}, "the training does not have fl_privacy local"),
        (LOCAL, {"privacy-min-noise-multiplier": 2.5}, "2.5, and the training asks for noise multiplier 2"),
        (LOCAL, {"privacy-max-clipping-norm": 0.5}, "clipping norm 1"),
        ({**LOCAL, "privacy-seed": 3}, {"privacy-min-noise-multiplier": 1}, "with a seed that makes it no secret"),
        ({**LOCAL, "privacy-noise-multiplier": math.nan}, {"privacy-min-noise-multiplier": 1}, "multiplier nan"),
        (LOCAL, {"privacy-min-noise-multiplier": "much"}, "must be a number of at least 0"),
    ],
)
def test_a_site_takes_part_with_no_less_than_it_insists_on(config: Any, node: Any, problem: str) -> None:
    if problem:
        with pytest.raises(RuntimeError, match=problem):
            SiteNoise.of(config, node)
    else:
        assert (SiteNoise.of(config, node) is not None) == bool(config)


def test_running_statistics_are_refused() -> None:
    values = Training.from_variables({"fl_privacy": "central_fixed", "fl_weighting": "uniform"}).values
    with pytest.raises(RunFailedError, match="'bias' is not: buffers\\(\\) in task.py names it"):
        arithmetics(model(), ["bias"], values)


def test_counters_stay_as_they_are() -> None:
    base = model()
    base["steps"] = Array(np.array(3))
    given = replies(model())
    for reply in given:
        reply.content["arrays"]["steps"] = Array(np.array(99))
    values = Training.from_variables({"fl_privacy": "central_fixed", "fl_weighting": "uniform"}).values
    made = arithmetics(base, (), values)[2].aggregate(FedAvg(), 1, base, given).arrays
    assert made["steps"].numpy() == 3
