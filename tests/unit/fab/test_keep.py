# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies of all kinds, kept: those that others write, wrap and subclass, with state and records of their own."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from bench import NODES, Bench, Growing, Wrapping, client, same
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideAdaptiveClipping,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedMedian,
    FedProx,
    FedXgbBagging,
    FedXgbCyclic,
    Krum,
    Result,
    Strategy,
)
from simulated import Killed

from fedops_kit import keep
from fedops_kit.configs import RoundConfigs, read_config
from fedops_kit.errors import QuiescedError, RunFailedError
from fedops_kit.foreign import averages
from fedops_kit.keeping import KeptStrategy
from fedops_kit.knowledge._base.jsonable import canonical_hash
from fedops_kit.knowledge._config.kit import identity_of


class MyAdam(FedAdam):
    """A subclass that changes nothing."""


class Announcing(FedAvg):
    """Overrides both ends of a round, as tutorials do, and hands on to Flower's own."""

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Any) -> Any:
        config["lr"] = 1.0 / server_round
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        arrays, metrics = super().aggregate_train(server_round, replies)
        return arrays, metrics


class Drifting(FedAvg):
    """Has state of its own: a number and an array that decide the model."""

    def __init__(self) -> None:
        super().__init__()
        self.best, self.drift = float("inf"), np.zeros((2, 3), np.float32)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        arrays, metrics = super().aggregate_train(server_round, replies)
        self.drift = self.drift * 0.5 + arrays["w"].numpy()
        self.best = min(self.best, float(self.drift.sum()))
        return ArrayRecord({"w": Array(arrays["w"].numpy() + 0.1 * self.drift), "n": arrays["n"]}), metrics


def keep_drifting(strategy: Drifting, context: Context) -> KeptStrategy:
    def restore(state: Mapping[str, np.ndarray]) -> None:
        strategy.best, strategy.drift = float(state["best"]), state["drift"]

    return keep(strategy, context, capture=lambda: {"best": strategy.best, "drift": strategy.drift}, restore=restore)


WHOLE = {
    "FedAvg": FedAvg,
    "a subclass of FedAdam": MyAdam,
    "FedAvgM with momentum": lambda: FedAvgM(server_momentum=0.9),
    "FedMedian": FedMedian,
    "Krum": lambda: Krum(num_malicious_nodes=0),
    "overridden methods": Announcing,
    "a wrapper around FedAdam": lambda: Wrapping(FedAdam()),
    "two wrappers": lambda: Wrapping(Wrapping(MyAdam())),
    "sampled nodes": lambda: FedAvg(fraction_train=0.5, fraction_evaluate=0.5),
    "one node a round": FedXgbCyclic,
    "no evaluation": lambda: FedAvg(fraction_evaluate=0.0),
}


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_an_interrupted_training_ends_with_the_same_bytes(bench: Bench, make: Callable[[], Strategy]) -> None:
    straight, killed = bench.interrupted(make)
    assert same(straight.arrays, killed.arrays)
    assert bench.trained() == [3, 4, 5]
    assert killed.train_metrics_clientapp == {number: straight.train_metrics_clientapp[number] for number in (3, 4, 5)}
    assert killed.evaluate_metrics_clientapp == {
        number: record for number, record in straight.evaluate_metrics_clientapp.items() if number > 2
    }
    assert "not_kept" not in bench.published("result.json")


class Halving(FedAvg):
    """Changes what is sent along for all rounds to come, as an example of Flower's does with its learning rate."""

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Any) -> Any:
        if server_round % 2 == 0:
            config["lr"] *= 0.5
        return super().configure_train(server_round, arrays, config, grid)

    def configure_evaluate(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Any) -> Any:
        config["seen"] = [*config.get("seen", []), server_round]
        return super().configure_evaluate(server_round, arrays, config, grid)


class HalvingItself(Halving):
    """Has a start() of its own, too, which makes a record where it is given none."""

    def start(self, grid: Any, initial_arrays: ArrayRecord, num_rounds: int = 3, **more: Any) -> Result:
        more["train_config"] = ConfigRecord({"lr": 1.0, "tag": b"ab", "flags": [True, False]})
        return super().start(grid, initial_arrays, num_rounds, **more)


def halved(seen: list[tuple[int, float]]) -> ClientApp:
    """A ClientApp that goes as far as it is told, and notes in which round it was told what."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        config = message.content["config"]
        seen.append((config["server-round"], config["lr"]))
        step = np.float32(context.node_config["step"] * config["lr"])
        arrays = ArrayRecord({name: Array(array.numpy() + step) for name, array in message.content["arrays"].items()})
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"num-examples": 1, "rounds": len(message.content["config"]["seen"])})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


@pytest.mark.parametrize("make", [Halving, HalvingItself, lambda: Wrapping(Halving())])
def test_what_a_strategy_changes_in_what_is_sent_along_is_kept(bench: Bench, make: Callable[[], Strategy]) -> None:
    seen: list[tuple[int, float]] = []
    bench.client = halved(seen)
    initial = ArrayRecord({"w": Array(np.zeros(3, np.float32))})
    straight, killed = bench.interrupted(make, initial=initial, train_config=ConfigRecord({"lr": 1.0, "tag": b"ab"}))
    told = {1: 1.0, 2: 0.5, 3: 0.5, 4: 0.25, 5: 0.25}
    assert dict(seen) == told
    assert set(seen) == set(told.items())
    assert same(straight.arrays, killed.arrays)
    assert [record["rounds"] for record in killed.evaluate_metrics_clientapp.values()] == [3, 4, 5]


def test_a_round_that_is_repeated_is_sent_what_it_was_sent_before(bench: Bench) -> None:
    seen: list[tuple[int, float]] = []
    bench.client = halved(seen)
    initial = ArrayRecord({"w": Array(np.zeros(3, np.float32))})
    config = ConfigRecord({"lr": 1.0})
    straight = bench.start(lambda: Halving(min_train_nodes=4), "straight", initial=initial, train_config=config)
    fails = {"fails": lambda site, number, attempt: (site, number, attempt) == ("north", 2, 0)}
    again = bench.start(lambda: Halving(min_train_nodes=4), "again", grid=fails, initial=initial, train_config=config)
    assert set(seen) == {(1, 1.0), (2, 0.5), (3, 0.5), (4, 0.25), (5, 0.25)}
    assert same(straight.arrays, again.arrays)


def test_nothing_is_kept_of_what_no_strategy_changes(bench: Bench) -> None:
    bench.start(lambda: FedProx(proximal_mu=0.1), train_config=ConfigRecord({"lr": 1.0}))
    manifest = json.loads((bench.root / "kept/checkpoint_latest.json").read_text())
    assert manifest["state_arrays"] == []


def test_what_was_changed_in_a_record_is_read_again_and_refused_where_it_is_spoilt() -> None:
    good = RoundConfigs()
    record = ConfigRecord({"lr": 1.0, "names": ["a"], "tag": b"ab", "run": 1, "whole": 2})
    good.begin("train", record)
    record.update({"lr": 0.5, "names": ["a", "b"], "tag": b"cd", "whole": 2.0})
    del record["run"]
    good.settle()
    state = good.capture()
    changed = {"lr": 0.5, "names": ["a", "b"], "tag": b"cd", "whole": 2.0}
    assert read_config(state["config/train"]) == (ConfigRecord(changed), ["run"])
    later = ConfigRecord({"lr": 1.0, "names": ["a"], "tag": b"ab", "run": 2, "whole": 2, "new": True})
    RoundConfigs(state).begin("train", later)
    assert dict(later) == {**changed, "new": True}
    for spoilt in (
        b"",
        b"[1, 2]",
        b'{"a": 1}',
        b'[[["a", null]], []]',
        b'[[["a", {"bytes": "x"}]], []]',
        b"\xff",
        b"[" * 9**6,
    ):
        with pytest.raises(ValueError, match="what was sent along with the model cannot be read"):
            read_config(np.frombuffer(spoilt, np.uint8))


def test_state_of_its_own_is_kept_by_two_functions(bench: Bench) -> None:
    straight, killed = bench.interrupted(Drifting, door=keep_drifting)
    assert same(straight.arrays, killed.arrays)
    assert "not Flower's own" not in " ".join(bench.published("effective.json")["promises"]["not"])


def test_state_that_nobody_keeps_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.start(Drifting)
    assert bench.published("result.json")["not_kept"] == ["best", "drift"]
    assert "The strategy has changed best, drift in this round, which no checkpoint holds." in caplog.text
    told = [sentence for sentence in bench.published("effective.json")["promises"]["not"] if "Drifting" in sentence]
    assert told == [
        "Drifting is not Flower's own: if it carries anything from round to round, a resumed training is not exact"
        " (give capture and restore to keep)"
    ]


def test_the_number_of_rounds_may_be_one_of_numpy(bench: Bench) -> None:
    bench.start(FedAvg, rounds=np.int64(2))
    assert bench.trained() == [1, 2]
    assert bench.published("result.json")["rounds"] == 2


def test_one_function_without_the_other_is_no_use(bench: Bench) -> None:
    with pytest.raises(TypeError, match="capture and restore together"):
        bench.start(FedAvg, door=lambda strategy, context: keep(strategy, context, capture=dict))


@pytest.mark.parametrize(
    ("captured", "words"),
    [
        ({"x": "text"}, "'x' as str"),
        ({"x": [[1], [1, 2]]}, "'x' as list"),
        ({"x": None}, "'x' as NoneType"),
        ({3: 1.0}, "3 as float"),
        ({"": 1.0}, "'' as float"),
        (None, "NoneType"),
        ([1.0], "list"),
    ],
)
def test_what_capture_returns_must_be_numbers(bench: Bench, captured: object, words: str) -> None:
    def door(strategy, context):
        return keep(strategy, context, capture=lambda: captured, restore=print)

    with pytest.raises(RunFailedError, match=rf"^capture\(\) has returned {words}, but what a checkpoint keeps are"):
        bench.start(FedAvg, door=door)


def test_records_and_weights_of_other_names(bench: Bench) -> None:
    bench.client = client("weights", "settings", "n")

    def make():
        return FedAvg(arrayrecord_key="weights", configrecord_key="settings", weighted_by_key="n")

    straight, killed = bench.interrupted(make)
    assert same(straight.arrays, killed.arrays)


def test_the_clipping_norm_of_a_private_strategy_goes_on_and_its_noise_is_told(bench: Bench) -> None:
    def make() -> Strategy:
        return DifferentialPrivacyServerSideAdaptiveClipping(FedAvg(), noise_multiplier=0.1, num_sampled_clients=4)

    made: list[Any] = []
    bench.start(lambda: made.append(make()) or made[-1], rounds=2)
    norm = made[0].clipping_norm
    bench.start(lambda: made.append(make()) or made[-1], rounds=2)
    assert made[1].clipping_norm == norm != make().clipping_norm
    assert any("noise" in sentence for sentence in bench.published("effective.json")["promises"]["not"])


def test_what_a_strategy_wraps_is_told_though_it_holds_itself(bench: Bench) -> None:
    def make() -> Strategy:
        outer = DifferentialPrivacyServerSideAdaptiveClipping(FedAvg(), noise_multiplier=0.1, num_sampled_clients=4)
        outer.itself = outer.strategy.holder = outer
        return outer

    bench.start(make, rounds=1)
    told = bench.published("effective.json")["strategy"]
    assert told["name"] == "DifferentialPrivacyServerSideAdaptiveClipping"
    assert told["parameters"]["num_sampled_clients"] == 4
    (wrapped,) = told["wraps"]
    assert wrapped["class"] == "flwr.serverapp.strategy.fedavg.FedAvg"
    assert "wraps" not in wrapped


def test_a_model_that_grows_is_resumed_from(bench: Bench) -> None:
    straight, killed = bench.interrupted(Growing, rounds=4)
    assert straight.arrays["w"].shape == (6 * 4**4,)
    assert same(straight.arrays, killed.arrays)


class Counting(FedAvg):
    """Has a start() of its own, copied from Flower and changed, as an example of Flower's has it."""

    def start(
        self, grid: Any, initial_arrays: ArrayRecord, num_rounds: int = 3, path: str = "set by start", **more: Any
    ) -> Result:
        self.path, self.counts = path, []
        result, arrays, config = Result(), initial_arrays, ConfigRecord({"theirs": 1})
        for number in range(1, num_rounds + 1):
            replies = grid.send_and_receive(self.configure_train(number, arrays, config, grid), timeout=more["timeout"])
            found, metrics = self.aggregate_train(number, replies)
            self.counts.append(len([reply for reply in replies if reply.has_content()]))  # once more
            arrays = found if found is not None else arrays
            result.train_metrics_clientapp[number] = metrics
            more["evaluate_fn"](number, arrays)
        result.arrays = arrays
        return result


def test_a_start_of_its_own_has_exact_rounds(bench: Bench) -> None:
    made: list[Counting] = []
    straight, killed = bench.interrupted(lambda: made.append(Counting()) or made[-1])
    assert same(straight.arrays, killed.arrays)
    assert sorted(killed.train_metrics_clientapp) == [3, 4, 5]
    assert made[0].path == "set by start"
    bench.start(lambda: made.append(Counting()) or made[-1], "other", path="an argument of its own")
    assert made[-1].path == "an argument of its own"
    assert made[-1].counts == [len(NODES)] * 5


class Yielding(FedAvg):
    """Makes its messages one by one, when they are asked for."""

    def configure_train(self, *arguments: Any) -> Any:
        yield from super().configure_train(*arguments)

    def configure_evaluate(self, *arguments: Any) -> Any:
        yield from super().configure_evaluate(*arguments)


def test_messages_that_are_made_when_they_are_asked_for_go_to_the_same_nodes(bench: Bench) -> None:
    def asked(make: Callable[..., Strategy], where: str) -> list[tuple[str, int, str]]:
        bench.start(lambda: make(fraction_train=0.5, fraction_evaluate=0.5), where)
        return bench.grid.log

    assert asked(Yielding, "yielding") == asked(FedAvg, "listing")


def test_a_wait_without_an_end_is_possible(bench: Bench) -> None:
    assert same(bench.start(FedAvg, timeout=None).arrays, bench.start(FedAvg, "other").arrays)


TREE = {
    "learner": {
        "gradient_booster": {
            "model": {
                "gbtree_model_param": {"num_trees": "1", "num_parallel_tree": "1"},
                "iteration_indptr": [0, 1],
                "trees": [{"id": 0, "split_conditions": [0.5]}],
                "tree_info": [0],
            }
        }
    }
}


def forester(app: ClientApp) -> ClientApp:
    """A ClientApp that sends a tree of its own, as those with XGBoost do."""

    @app.train()
    def train(message: Message, context: Context) -> Message:
        tree = copy.deepcopy(TREE)
        number = message.content["config"]["server-round"] + context.node_config["step"]
        tree["learner"]["gradient_booster"]["model"]["trees"][0]["split_conditions"] = [number]
        arrays = ArrayRecord([np.frombuffer(json.dumps(tree).encode(), np.uint8)])
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return app


def test_trees_that_are_joined_begin_with_nothing_and_grow(bench: Bench) -> None:
    bench.client = forester(ClientApp())
    initial = ArrayRecord([np.frombuffer(b"", np.uint8)])
    straight, killed = bench.interrupted(lambda: FedXgbBagging(fraction_evaluate=0.0), initial=initial)
    assert same(straight.arrays, killed.arrays)
    model = json.loads(bytes(killed.arrays["0"].numpy()))["learner"]["gradient_booster"]["model"]
    assert len(model["trees"]) == len(NODES) * 5


def test_the_untrained_model_is_evaluated_once_and_every_round_by_its_true_number(bench: Bench) -> None:
    seen: list[int] = []

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        seen.append(server_round)
        return MetricRecord({"loss": 1.0 / (1 + server_round), "auc": 0.5})

    straight, killed = bench.interrupted(FedAvg, evaluate_fn=evaluate)
    assert seen == [*range(6), 0, 1, 2, 3, 4, 5]
    assert sorted(straight.evaluate_metrics_serverapp) == [0, 1, 2, 3, 4, 5]
    assert sorted(killed.evaluate_metrics_serverapp) == [3, 4, 5]
    initial = bench.published("initial.json")
    assert (initial["round"], initial["loss"], initial["metrics"]) == (0, 1.0, {"auc": 0.5})


def test_a_finished_training_returns_its_model_and_asks_nobody(bench: Bench) -> None:
    first = bench.start(FedAvg)
    again = bench.start(FedAvg)
    assert bench.grid.log == []
    assert same(first.arrays, again.arrays)


class Remembering(FedAvg):
    """Has a start() of its own, which remembers every model."""

    def start(self, grid: Any, initial_arrays: ArrayRecord, num_rounds: int = 3, **more: Any) -> Result:
        self.models = [initial_arrays]
        return super().start(grid, initial_arrays, num_rounds, **more)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        arrays, metrics = super().aggregate_train(server_round, replies)
        self.models.append(arrays)
        return arrays, metrics


def test_models_that_an_app_has_seen_stay_whole(bench: Bench) -> None:
    """An evaluation function that remembers the best model, without a copy, is as usual as not."""
    made: list[Remembering] = []
    seen: list[ArrayRecord] = []
    for make, where in ((FedAvg, "kept"), (lambda: made.append(Remembering()) or made[-1], "other")):
        bench.start(make, where, evaluate_fn=lambda number, arrays: seen.append(arrays))
        assert len(bench.initial) == 2
    assert [len(arrays) for arrays in (*seen, *made[0].models)] == [2] * 18
    assert len({arrays["w"].data for arrays in seen}) == 6


def test_a_broken_reply_and_one_unlike_the_others_are_left_out(bench: Bench) -> None:
    def spoil(site: str, message: Message) -> None:
        if not message.has_content() or "weights" not in message.content:
            return
        if site == "north":
            message.content["weights"]["w"] = Array(np.full((2, 3), np.nan, np.float32))
        if site == "south":
            message.content["weights"]["w"] = Array(np.zeros((3, 2), np.float32))

    bench.start(lambda: FedAvg(min_train_nodes=1), grid={"on_the_way": spoil}, rounds=1)
    history = (bench.root / "trainings/default/history.jsonl").read_text()
    rejected = {entry["site"]: entry["reason"] for entry in json.loads(history)["rejected"] if entry["work"] == "train"}
    assert rejected["north"] == "the array 'w' holds NaN or infinite numbers"
    assert rejected["south"] == "its arrays or metrics are not those that the other sites report"
    assert len(rejected) == 2


def test_a_reply_without_its_weight_is_left_out(bench: Bench) -> None:
    bench.client = client(weight="n")
    with pytest.raises(RunFailedError, match="north: num-examples is missing"):
        bench.start(FedAvg, rounds=1)


def test_any_number_of_metrics_is_taken_and_a_line_has_those_that_fit(bench: Bench) -> None:
    def more(site: str, message: Message) -> None:
        if message.has_content() and "figures" in message.content:
            message.content["figures"].update({f"of class {number} " + "x" * 100: 0.5 for number in range(1000)})

    result = bench.start(FedAvg, rounds=1, grid={"on_the_way": more})
    assert len(result.train_metrics_clientapp[1]) == 1001
    line = (bench.root / "trainings/default/history.jsonl").read_text()
    assert len(line) < 1 << 16
    assert 100 < len(json.loads(line)["metrics"]) < 1001


def test_a_mask_of_infinite_numbers_is_part_of_the_model(bench: Bench) -> None:
    initial = ArrayRecord({"w": Array(np.zeros(2)), "mask": Array(np.array([0.0, -np.inf]))})
    straight, killed = bench.interrupted(FedAvg, initial=initial)
    assert np.isneginf(killed.arrays["mask"].numpy()[1])
    assert same(straight.arrays, killed.arrays)


def test_settings_of_the_operator_win_where_they_are_set(bench: Bench) -> None:
    bench.start(FedAvg, rounds=5, given={"num-server-rounds": 2})
    assert bench.trained() == [1, 2]
    with pytest.raises(RunFailedError, match=r"^fedops\.checkpoint-interval is 0 but must be"):
        bench.start(FedAvg, given={"checkpoint-interval": 0})


def test_a_shortfall_is_what_the_variables_say(bench: Bench) -> None:
    fails = {"fails": lambda site, *dummy: site != "north"}
    with pytest.raises(RunFailedError, match=r"^Round 1 failed: 1 valid replies, 2 needed"):
        bench.start(FedAvg, grid=fails, given={"on-shortfall": "fail"})
    assert bench.published("failure.json")["reason"] == "failed"
    bench.start(FedAvg, "other", grid=fails, rounds=1, given={"min-fit-clients": 1})


def test_an_order_to_stand_still_is_heeded_between_two_rounds(bench: Bench) -> None:
    straight = bench.start(FedAvg, "straight")

    def order(site: str, message: Message) -> None:
        if message.has_content() and message.content.config_records.get("config", {}).get("server-round") == 2:
            (bench.root / "trainings/quiesced.json").write_text("{}")

    with pytest.raises(QuiescedError, match="Quiesced after round 2 of 5"):
        bench.start(FedAvg, grid={"on_the_way": order})
    (bench.root / "trainings/quiesced.json").unlink()
    assert same(bench.start(FedAvg).arrays, straight.arrays)


def test_another_strategy_or_configuration_is_another_training(bench: Bench) -> None:
    bench.start(FedAvg, rounds=1)
    bench.start(FedMedian, rounds=1)
    assert bench.trained() == [1]
    assert bench.published("effective.json")["resumed_from"] is None


def test_without_checkpoints_it_says_so(bench: Bench) -> None:
    bench.start(FedAvg, given={"checkpoint-enabled": False})
    promises = bench.published("effective.json")["promises"]
    assert "a lost run begins at round 1: no checkpoints are kept (fl_checkpoint_enabled)" in promises["not"]
    assert not (bench.root / "kept").exists()


def test_the_controller_tells_trainings_apart_by_the_same_hash(bench: Bench) -> None:
    bench.start(FedAvg, rounds=1)
    effective = bench.published("effective.json")
    assert effective["configuration_hash"] == canonical_hash(identity_of("fedops/fedops-app", effective["run_config"]))


def test_what_is_kept_is_started_once_and_not_wrapped(bench: Bench) -> None:
    def door(strategy, context):
        return Wrapping(keep(strategy, context))

    with pytest.raises(RunFailedError, match="cannot be wrapped"):
        bench.start(FedAvg, door=door)

    class Twice:
        def __init__(self, kept: KeptStrategy) -> None:
            self.kept = kept

        def start(self, **arguments: Any) -> Result:
            self.kept.start(**arguments)
            return self.kept.start(**arguments)

    with pytest.raises(RunFailedError, match="called a second time"):
        bench.start(FedAvg, "twice", door=lambda strategy, context: Twice(keep(strategy, context)))


def test_what_is_no_strategy_or_kept_already_is_refused() -> None:
    context = Context(1, 0, {}, RecordDict(), {})
    for wrong in (object(), FedAvg, keep(FedAvg(), context)):
        with pytest.raises(TypeError, match=r"^keep\(\) was given .*, but takes a strategy of flwr\.serverapp"):
            keep(wrong, context)


def test_a_strategy_of_the_time_before_is_told_apart() -> None:
    from flwr.server.strategy import FedAvg as Former

    with pytest.raises(TypeError, match=r"FedAvg of flwr.server.strategy, which has no start\(\)"):
        keep(Former(), Context(1, 0, {}, RecordDict(), {}))


def test_attributes_of_the_strategy_are_still_there() -> None:
    kept = keep(FedAvg(fraction_train=0.25), Context(1, 0, {}, RecordDict(), {}))
    assert kept.fraction_train == 0.25
    kept.fraction_train, kept.save_path = 0.5, "/there"  # as an app does that has kept it early
    assert (kept.strategy.fraction_train, kept.strategy.save_path) == (0.5, "/there")
    with pytest.raises(AttributeError, match="no_such"):
        kept.no_such  # noqa: B018


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (FedAvg, True),
        (Announcing, True),
        (Drifting, True),
        (lambda: Wrapping(FedAvg()), True),
        (FedXgbCyclic, False),
        (Growing, False),
    ],
)
def test_who_averages_is_known_of_flowers_code_and_of_what_hands_on_to_it(
    make: Callable[[], Strategy], expected: bool
) -> None:
    assert averages(make(), "aggregate_train") is expected


def test_an_app_of_ones_own_waits_for_its_sites_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"south", "west"}
    straight = bench.start(FedAdam, "straight")
    with pytest.raises(Killed):
        bench.start(FedAdam, "killed", grid={"killed_in_round": 3})
    monkeypatch.setattr("fedops_kit.grid.SteadyGrid.pause", lambda grid: away.pop())
    resumed = bench.start(FedAdam, "killed", grid={"offline": away})
    assert not away
    assert same(resumed.arrays, straight.arrays)
    assert bench.published("result.json")["exact"] is True


def test_an_app_of_ones_own_says_who_was_missing(bench: Bench) -> None:
    with pytest.raises(Killed):
        bench.start(FedAvg, grid={"killed_in_round": 3})
    bench.start(FedAvg, grid={"offline": {"east"}}, given={"rejoin-timeout": 0})
    result = bench.published("result.json")
    assert result["exact"] is False
    assert result["deviation"] == {"round": 3, "why": "it was trained without east, which took part before"}
