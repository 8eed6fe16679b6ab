# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with several variables together: the arithmetic of strategies, and settings without effect.

A rule is a generator of problems. It runs only when every variable that it reads has a good value.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .._base.notation import counted
from .privacy_rules import READS as READ_FOR_PRIVACY
from .privacy_rules import of_privacy
from .schedules import Schedule
from .situation import ERROR, INFO, WARNING, Problem, Situation
from .sizing import checkpoint_bytes, checkpoints_held, memory_needed, replies_possible
from .sizing import said as size
from .strategies import MIXED, least_nodes_mixed, least_replies_trimmed, listed, trimmed
from .table import BY_NAME, VARIABLES

_Rule = Callable[[Situation], Iterator[Problem]]
_RULES: list[tuple[frozenset[str], _Rule]] = [(READ_FOR_PRIVACY, of_privacy)]


def _reads(*names: str) -> Callable[[_Rule], _Rule]:
    def register(rule: _Rule) -> _Rule:
        _RULES.append((frozenset(names), rule))
        return rule

    return register


def related(situation: Situation) -> list[Problem]:
    """The problems of good values with one another."""
    known = situation.values.keys()
    return [problem for names, rule in _RULES if names <= known for problem in rule(situation)]


@_reads("strategy", "num_malicious", MIXED, "min_available_clients")
def _enough_clients_to_outvote(it: Situation) -> Iterator[Problem]:
    available, needed = it.number("min_available_clients"), it.strategy.minimum_nodes(it.values)
    if available < needed:
        yield it.problem(
            ERROR,
            "min_available_clients",
            f"{_needs(it, needed)} clients",
            f"Set {it.name('min_available_clients')} to {needed} or more and have at least as many SuperNodes"
            f"{_ways_out(it, available)}.",
        )


@_reads("strategy")
def _minimums_raised(it: Situation) -> Iterator[Problem]:
    for name, before in it.raised.items():
        who = _outvoting(it).who
        rule = f"{who} needs {it.number(name)} clients, so that it is raised to {it.number(name)}"
        yield Problem(INFO, it.name(name), before, rule, f"Have at least {it.number(name)} SuperNodes online.")


@_reads("strategy", "num_malicious", MIXED, "min_available_clients", "min_fit_clients", "fraction_train")
def _enough_clients_asked(it: Situation) -> Iterator[Problem]:
    available, needed = it.number("min_available_clients"), it.strategy.minimum_nodes(it.values)
    asked = it.asked_to_train(available)
    if asked < needed <= available:
        yield it.problem(
            ERROR,
            "fraction_train",
            f"of {available} clients only {asked} would train, and {_needs(it, needed)} replies",
            f"Set {it.name('fraction_train')} to 1.0, or {it.name('min_fit_clients')} to {needed} or more.",
        )


@_reads("strategy", "num_malicious", MIXED)
def _enough_nodes_online_to_outvote(it: Situation) -> Iterator[Problem]:
    needed = it.strategy.minimum_nodes(it.values)
    if it.nodes_online is not None and it.nodes_online < needed > 1:
        yield it.problem(
            ERROR,
            _outvoting(it).variable,
            f"{_needs(it, needed)} SuperNodes, and only {it.nodes_online} can be reached",
            f"Start more SuperNodes{_ways_out(it, it.nodes_online)}.",
        )


@dataclass(frozen=True)
class _Outvoting:
    """Who needs how many clients to outvote liars: factor * f + plus."""

    who: str
    variable: str  # that says f
    factor: int
    plus: int


def _outvoting(it: Situation) -> _Outvoting:
    """Return who needs the most."""
    if it.strategy.minimum_nodes(it.values) > least_nodes_mixed(it.values):
        return _Outvoting(it.strategy.name, "num_malicious", it.strategy.malicious_factor, 3)
    return _Outvoting("nearest-neighbour mixing", MIXED, 2, 1)


def _needs(it: Situation, needed: int) -> str:
    by = _outvoting(it)
    malicious = f"{it.name(by.variable)} ({it.number(by.variable)})"
    return f"{by.who} needs at least {by.factor} x {malicious} + {by.plus} = {needed}"


def _ways_out(it: Situation, nodes: int) -> str:
    by = _outvoting(it)
    withstood = (nodes - by.plus) // by.factor
    lower = f", or lower {it.name(by.variable)} to {withstood}" if withstood >= 0 else ""
    return lower if by.variable == MIXED else f"{lower}, or choose another {it.name('strategy')}"


@_reads("min_available_clients")
def _available_online(it: Situation) -> Iterator[Problem]:
    yield from _reachable(it, "min_available_clients")


@_reads("min_fit_clients")
def _trainers_online(it: Situation) -> Iterator[Problem]:
    yield from _reachable(it, "min_fit_clients")


@_reads("min_evaluate_clients", "fraction_evaluate")
def _evaluators_online(it: Situation) -> Iterator[Problem]:
    if it.values["fraction_evaluate"] != 0:
        yield from _reachable(it, "min_evaluate_clients")


def _reachable(it: Situation, name: str) -> Iterator[Problem]:
    if it.nodes_online is not None and it.number(name) > it.nodes_online:
        yield it.problem(
            ERROR,
            name,
            f"only {counted(it.nodes_online, 'SuperNode')} can be reached, so that every round would wait in vain",
            f"Start more SuperNodes, or set {it.name(name)} to {it.nodes_online} or less."
            if it.nodes_online
            else "Start the SuperNodes.",
        )


@_reads("min_available_clients", "min_fit_clients", "min_evaluate_clients", "fraction_evaluate")
def _more_asked_than_waited_for(it: Situation) -> Iterator[Problem]:
    names = ["min_fit_clients"] + ["min_evaluate_clients"] * (it.values["fraction_evaluate"] != 0)
    name = max(names, key=it.number)
    if it.number(name) > it.number("min_available_clients"):
        yield it.problem(
            WARNING,
            name,
            f"{it.name('min_available_clients')} is {it.number('min_available_clients')}; Flower waits for the larger",
            f"Set {it.name('min_available_clients')} to {it.number(name)} to say what happens.",
        )


@_reads(
    "strategy", "num_nodes_to_select", "num_malicious", "min_available_clients", "min_fit_clients", "fraction_train"
)
def _selects_liars(it: Situation) -> Iterator[Problem]:
    if not it.strategy.selects:
        return
    asked = it.asked_to_train(it.nodes)
    honest = asked - it.number("num_malicious")
    if it.number(it.strategy.selects) > honest >= 1:
        yield it.problem(
            ERROR,
            it.strategy.selects,
            f"of {asked} clients that train only {honest} would be honest when {it.name('num_malicious')} are not",
            f"Set {it.name(it.strategy.selects)} to {honest} or less.",
        )


@_reads("strategy", "trim_beta", "min_available_clients", "min_fit_clients", "fraction_train")
def _trims_nothing(it: Situation) -> Iterator[Problem]:
    if "trim_beta" not in it.strategy.parameters.values():
        return
    beta = float(it.values["trim_beta"])
    replies = it.asked_to_train(it.nodes)
    if trimmed(replies, beta) == 0:
        yield it.problem(
            WARNING,
            "trim_beta",
            f"int({beta} x {replies}) is 0, so that nothing is trimmed",
            f"Have {least_replies_trimmed(beta)} clients or more train in a round"
            f"{_larger_beta(it, replies)}, or use FedMedian.",
        )


def _larger_beta(it: Situation, replies: int) -> str:
    return "" if replies < 3 else f", set {it.name('trim_beta')} to at least {_least_beta(replies)}"


def _least_beta(replies: int) -> float:
    """The smallest fraction of four digits that trims one of so many replies."""
    beta = round(1 / replies, 4)
    return beta if trimmed(replies, beta) else round(beta + 0.0001, 4)


@_reads("strategy", "checkpoint_enabled", "checkpoint_interval", "checkpoint_keep_last", "checkpoint_keep_best",
        "checkpoint_path", "num_rounds", "early_stopping_patience")  # fmt: skip
def _enough_storage(it: Situation) -> Iterator[Problem]:
    if it.room is None or it.room.storage is None or not it.values["checkpoint_enabled"]:
        return
    stops = it.number("early_stopping_patience") > 0  # then each round that is the best so far is saved
    held = checkpoints_held(
        it.number("num_rounds"),
        1 if stops else it.number("checkpoint_interval"),
        it.number("checkpoint_keep_last"),
        stops or it.values["checkpoint_keep_best"],
    )
    each = checkpoint_bytes(it.room.model, it.strategy.state_models)
    if held * each > it.room.storage:
        fewer = _fewer_kept(it, it.room.storage // each)
        yield it.problem(
            ERROR,
            "checkpoint_keep_last",
            f"{held} checkpoints of {size(each)}, the one that is being written included, need {size(held * each)},"
            f" and {it.values['checkpoint_path']} has room for {size(it.room.storage)}",
            f"Make room there{fewer}, or set {it.name('checkpoint_path')} to a larger storage.",
        )


def _fewer_kept(it: Situation, fitting: int) -> str:
    least = fitting - 1 - bool(it.values["checkpoint_keep_best"] or it.values["early_stopping_patience"])
    kept = it.number("checkpoint_keep_last")
    return f", set {it.name('checkpoint_keep_last')} to {least}" if least >= 1 and not 0 < kept <= least else ""


@_reads("fraction_train", "min_fit_clients", "min_available_clients")
def _enough_memory(it: Situation) -> Iterator[Problem]:
    if it.room is None:
        return
    replies = it.asked_to_train(it.nodes)
    needed = memory_needed(it.room.model, replies)
    if needed > it.room.memory:
        possible = replies_possible(it.room.model, it.room.memory)
        yield it.problem(
            ERROR,
            "min_fit_clients" if it.number("min_fit_clients") == replies else "fraction_train",
            f"the replies to a round, {replies} x {size(it.room.model)}, need {size(needed)} of memory on the SuperLink"
            f" host, which has {size(it.room.memory)}",
            f"Give it more memory, or have at most {counted(possible, 'client')} train in a round."
            if possible
            else "Give it more memory: it does not suffice for one reply.",
        )


@_reads("checkpoint_enabled", "checkpoint_interval", "num_rounds")
def _long_run_without_checkpoints(it: Situation) -> Iterator[Problem]:
    if not it.values["checkpoint_enabled"] and it.number("num_rounds") > it.number("checkpoint_interval"):
        yield it.problem(
            WARNING,
            "checkpoint_enabled",
            f"the training has {it.number('num_rounds')} rounds, which are all lost when it is interrupted",
            f"Set {it.name('checkpoint_enabled')} to true.",
        )


@_reads("checkpoint_enabled", "resume")
def _resume_without_checkpoints(it: Situation) -> Iterator[Problem]:
    if it.values["resume"] == "require" and not it.values["checkpoint_enabled"]:
        yield it.problem(
            ERROR,
            "resume",
            f"{it.name('checkpoint_enabled')} is false, so that no checkpoint is looked for",
            f"Set {it.name('checkpoint_enabled')} to true, or {it.name('resume')} to auto.",
        )


@_reads("early_stopping_patience", "early_stopping_warmup_rounds", "num_rounds")
def _never_stops(it: Situation) -> Iterator[Problem]:
    patience, warmup = it.number("early_stopping_patience"), it.number("early_stopping_warmup_rounds")
    if patience and warmup + patience >= it.number("num_rounds"):
        yield it.problem(
            WARNING,
            "early_stopping_patience",
            f"with {warmup} rounds of warm-up it ends no training of {it.number('num_rounds')} rounds before its last",
            f"Lower it, or raise {it.name('num_rounds')}.",
        )


@_reads("early_stopping_patience", "checkpoint_enabled")
def _best_model_not_kept(it: Situation) -> Iterator[Problem]:
    if it.number("early_stopping_patience") and not it.values["checkpoint_enabled"]:
        yield it.problem(
            WARNING,
            "early_stopping_patience",
            f"{it.name('checkpoint_enabled')} is false, so that neither the best model nor the last one is kept",
            f"Set {it.name('checkpoint_enabled')} to true.",
        )


@_reads("early_stopping_patience", "fraction_evaluate")
def _nobody_evaluates(it: Situation) -> Iterator[Problem]:
    if it.number("early_stopping_patience") and it.values["fraction_evaluate"] == 0:
        yield it.problem(
            WARNING,
            "early_stopping_patience",
            f"{it.name('fraction_evaluate')} is 0, so that it depends on the server's own test set",
            f"Put one on the SuperLink host, or set {it.name('fraction_evaluate')} above 0.",
        )


@_reads("spike_factor")
def _every_loss_a_spike(it: Situation) -> Iterator[Problem]:
    if 0 < float(it.values["spike_factor"]) <= 1:
        yield it.problem(
            ERROR,
            "spike_factor",
            "a loss that is as usual would be a spike",
            f"Set {it.name('spike_factor')} above 1, such as 2, or to 0.",
        )


@_reads("strategy", "lr_schedule", "server_lr_schedule", "mu_schedule", "spike_factor", "fraction_evaluate")
def _steered_by_no_loss(it: Situation) -> Iterator[Problem]:
    looks = [
        name
        for name in ("lr_schedule", "server_lr_schedule", "mu_schedule")
        if BY_NAME[name].applies_to(it.strategy.name) and Schedule.of(it.values[name]).looks_at_losses
    ] + ["spike_factor"] * (it.values["spike_factor"] > 0)
    if looks and it.values["fraction_evaluate"] == 0:
        yield it.problem(
            WARNING,
            looks[0],
            f"{it.name('fraction_evaluate')} is 0, so that it depends on the loss of the server's own test set",
            f"Put one on the SuperLink host, or set {it.name('fraction_evaluate')} above 0.",
        )


@_reads("strategy", "site_boost")
def _boosted_and_fair(it: Situation) -> Iterator[Problem]:
    if it.strategy.name == "QFedAvg" and float(it.values["site_boost"]) > 1:
        yield it.problem(
            WARNING,
            "site_boost",
            "QFedAvg reckons with one client learning rate for all sites",
            f"Leave {it.name('site_boost')} at 1: QFedAvg lets a site with a high loss count more by itself.",
        )


@_reads("max_weight_share")
def _less_than_an_equal_share(it: Situation) -> Iterator[Problem]:
    if 0 < float(it.values["max_weight_share"]) < 1:
        yield it.problem(
            ERROR,
            "max_weight_share",
            "not all clients of a round can have less than an equal share",
            f"Set {it.name('max_weight_share')} to 1 (all count alike) or more, or to 0 for what the strategy has.",
        )


@_reads("strategy", "server_momentum", "server_lr")
def _momentum_without_effect(it: Situation) -> Iterator[Problem]:
    if it.strategy.name == "FedAvgM" and it.values["server_momentum"] == 0 and it.values["server_lr"] == 1:
        yield it.problem(
            WARNING,
            "server_momentum",
            f"with {it.name('server_lr')} 1.0 this makes FedAvgM the same as FedAvg",
            f"Set {it.name('server_momentum')} to 0.9, or {it.name('strategy')} to FedAvg.",
        )


@_reads("strategy", "proximal_mu")
def _proximal_term(it: Situation) -> Iterator[Problem]:
    if it.strategy.name != "FedProx":
        return
    if it.values["proximal_mu"] == 0:
        yield it.problem(
            WARNING,
            "proximal_mu",
            "this makes FedProx the same as FedAvg",
            f"Set {it.name('proximal_mu')} above 0, or {it.name('strategy')} to FedAvg.",
        )
    yield it.problem(
        INFO,
        "strategy",
        "Flower leaves the proximal term to the ClientApp",
        "The collection's own app applies it. A custom ClientApp must add it to its loss itself, "
        "with the proximal-mu that it finds in the config of every train message.",
    )


@_reads("demo_attacks")
def _attacks_allowed(it: Situation) -> Iterator[Problem]:
    if it.values["demo_attacks"]:
        yield it.problem(
            WARNING,
            "demo_attacks",
            "this lets SuperNodes that are set up to attack send poisoned updates",
            f"Leave {it.name('demo_attacks')} unset outside of demonstrations.",
        )


@_reads("strategy")
def _ignored(it: Situation) -> Iterator[Problem]:
    for variable in VARIABLES:
        # A console answers a question with choices by itself, with the default.
        prefilled = bool(variable.choices) and it.values.get(variable.name) == variable.default
        if variable.name in it.given & it.values.keys() and not variable.applies_to(it.strategy.name) and not prefilled:
            yield it.problem(
                INFO,
                variable.name,
                f"{it.strategy.name} ignores it",
                f"It is a parameter of {listed(variable.strategies)}.",
            )
