# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of Flower, a row each: what it takes, how many clients it needs, what it carries from round to round.

The values of C(fl_strategy), the variables that a strategy reads, the app's strategies and what of them a checkpoint
keeps, and the tables of the documents follow from here.
Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Every strategy takes these, under these names.
SHARED_PARAMETERS: Mapping[str, str] = {
    "fraction_train": "fraction_train",
    "fraction_evaluate": "fraction_evaluate",
    "min_train_nodes": "min_fit_clients",
    "min_evaluate_nodes": "min_evaluate_clients",
    "min_available_nodes": "min_available_clients",
}


# How buffers (running statistics, counters, masks) of a round become one: by the rule that the strategy has for
# parameters, but never as a part of what it judges or steps along.
AVERAGED, MEDIAN, TRIMMED, CHOSEN = "averaged", "median", "trimmed", "chosen"

# The variable that says how many liars nearest-neighbour mixing withstands, in front of whatever strategy.
MIXED = "nnm_malicious"

# How a strategy keeps arrays of the model's size from one round to the next.
NAMED, LISTED, ARRAY_RECORD = "named", "listed", "record"  # by name, in the model's order, as an ArrayRecord


@dataclass(frozen=True)
class Paper:
    """What was published about a strategy."""

    claim: str
    condition: str
    source: str


@dataclass(frozen=True)
class Strategy:
    """One aggregation strategy, by the name of its class in ``flwr.serverapp.strategy``."""

    name: str
    summary: str
    parameters: Mapping[str, str] = field(default_factory=dict)  # constructor keyword: variable
    options: tuple[str, ...] = ()  # variables that change it and that its constructor does not take
    defaults: Mapping[str, object] = field(default_factory=dict)  # of variables, where they are not everybody's
    malicious_factor: int = 0  # n >= factor * f + 3; 0: no such rule
    robust: bool = False  # it withstands sites that lie
    buffers: str = AVERAGED  # over all replies, unless it chooses some or goes by coordinates
    selects: str = ""  # the variable that says how many replies are averaged; all of them must be honest
    # The attributes that carry arrays from one round to the next, and how. What configure_train computes anew in each
    # round (FedAdam's current_arrays) is not state. A test trains every strategy and compares.
    state: Mapping[str, str] = field(default_factory=dict)
    paper: Paper | None = None
    differs: str = ""  # in what Flower's class, and what fl_variant=flower means, is not what its paper says

    @property
    def most_shares(self) -> float:
        """How many equal shares of a mean a reply has at most unless a variable says otherwise; 0: no bound."""
        return 2.0 if self.robust else 0.0

    @property
    def state_models(self) -> int:
        """How many times the size of the model its state has."""
        return len(self.state)

    def minimum_nodes(self, values: Mapping[str, Any]) -> int:
        """How many nodes the strategy's paper asks for, and that of the mixing in front of it."""
        own = self.malicious_factor * int(values["num_malicious"]) + 3 if self.malicious_factor else 1
        return max(own, least_nodes_mixed(values))

    def minimum_replies(self, values: Mapping[str, Any]) -> int:
        """How many replies one aggregation needs to mean what its name promises."""
        if not self.selects:
            return self.minimum_nodes(values)
        return max(self.minimum_nodes(values), int(values[self.selects]) + int(values["num_malicious"]))

    @property
    def variables(self) -> dict[str, str]:
        """The variable behind each keyword of the constructor."""
        return {**SHARED_PARAMETERS, **self.parameters}

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor's keywords, as the attributes of the live object will show them."""
        arguments = {keyword: values[name] for keyword, name in self.variables.items()}
        if arguments["fraction_evaluate"] == 0:
            arguments["min_evaluate_nodes"] = 0  # Flower's constructor sets this itself
        return arguments


_ADAPTIVE = {"eta": "server_lr", "eta_l": "client_lr", "tau": "tau"}
_MOMENTS = {"beta_1": "beta_1", "beta_2": "beta_2"}
_MALICIOUS = {"num_malicious_nodes": "num_malicious"}
_OF_ADAM = {"m_t": NAMED, "v_t": NAMED}
_VARIANT = ("variant",)
_SERVER_RATE = ("server_lr_schedule",)
_ADAPTED = (*_VARIANT, *_SERVER_RATE)
_FIRST_STEPS = "The second moment v begins at 0 in Flower, at tau squared in the paper, whose first steps are smaller"

_BLANCHARD = Paper(
    "converges to a flat region in spite of f Byzantine workers; a linear rule (FedAvg) is controlled by a single one;"
    " MultiKrum keeps Krum's resilience and averages the m best",
    "n ≥ 2f + 3, updates of honest workers independent and identically distributed",
    "Blanchard et al., NeurIPS 2017, arXiv:1703.02757",
)
_EL_MHAMDI = Paper(
    "closes Krum's loophole of order √d in a single coordinate: bounds the leeway of an attacker in each coordinate to"
    " order 1/√d",
    "n ≥ 4f + 3",
    "El Mhamdi et al., ICML 2018, arXiv:1802.07927",
)
_YIN = Paper(
    "coordinate-wise trimmed mean and median reach order-optimal statistical error rates under Byzantine failures",
    "beta at least the fraction of attackers, below 1/2; median: fewer than half attack",
    "Yin et al., ICML 2018, arXiv:1803.01498",
)
_LI = Paper(
    "more stable and more accurate than FedAvg on statistically heterogeneous data, with stragglers that do partial"
    " work; no claim about attackers",
    "mu tuned to the data",
    "Li et al., MLSys 2020, arXiv:1812.06127",
)
_REDDI = Paper(
    "adaptive steps on the server need less tuning and learn faster than FedAvg where gradients are sparse or unlike;"
    " no claim about attackers",
    "v begins at tau squared or more; rates tuned to the data",
    "Reddi et al., ICLR 2021, arXiv:2003.00295",
)
_LI_FAIR = Paper(
    "the accuracies of the sites lie nearer to one another, at the same mean; no claim about attackers: a site that"
    " reports a high loss counts more",
    "q tuned to the data; 0 is the mean of the sites, each counted alike",
    "Li et al., ICLR 2020, arXiv:1905.10497",
)

STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy("FedAvg", "The mean of the replies, weighted by their number of examples."),
        Strategy(
            "FedProx",
            "FedAvg with clients that are held near the global model.",
            {"proximal_mu": "proximal_mu"},
            ("mu_schedule", "mu_drift"),
            paper=_LI,
        ),
        Strategy(
            "FedAdam",
            "An Adam step on the server along the mean update.",
            {**_ADAPTIVE, **_MOMENTS},
            _ADAPTED,
            state=_OF_ADAM,
            paper=_REDDI,
            differs=f"{_FIRST_STEPS}; Flower corrects the bias of m and v, with an exponent that is one round ahead,"
            " and the paper does not",
        ),
        Strategy(
            "Krum",
            "The one reply that is nearest to its neighbours.",
            _MALICIOUS,
            malicious_factor=2,
            robust=True,
            buffers=CHOSEN,
            paper=_BLANCHARD,
        ),
        Strategy(
            "Bulyan",
            "Krum's selection, then a trimmed mean around its median.",
            _MALICIOUS,
            _VARIANT,
            malicious_factor=4,
            robust=True,
            buffers=CHOSEN,
            differs="Flower takes the n - 2f replies with the lowest scores at once; the paper takes the best, then the"
            " best of those that are left, and so on",
            paper=_EL_MHAMDI,
        ),
        Strategy(
            "FedTrimmedAvg",
            "The mean of every weight without its smallest and largest values.",
            {"beta": "trim_beta"},
            robust=True,
            buffers=TRIMMED,
            paper=_YIN,
        ),
        Strategy("FedMedian", "The median of every weight.", robust=True, buffers=MEDIAN, paper=_YIN),
        Strategy(
            "FedAvgM",
            "FedAvg with momentum on the server.",
            {"server_learning_rate": "server_lr", "server_momentum": "server_momentum"},
            _SERVER_RATE,
            defaults={"server_lr": 1.0},
            state={"current_arrays": ARRAY_RECORD, "momentum_vector": LISTED},
        ),
        Strategy(
            "FedAdagrad",
            "An Adagrad step on the server along the mean update.",
            _ADAPTIVE,
            _ADAPTED,
            state=_OF_ADAM,
            paper=_REDDI,
            differs=_FIRST_STEPS,
        ),
        Strategy(
            "FedYogi",
            "A Yogi step on the server along the mean update.",
            {**_ADAPTIVE, **_MOMENTS},
            _ADAPTED,
            defaults={"server_lr": 0.01, "client_lr": 0.0316},
            state=_OF_ADAM,
            paper=_REDDI,
            differs=_FIRST_STEPS,
        ),
        Strategy(
            "QFedAvg",
            "FedAvg that gives clients with a high loss more weight.",
            {"q": "qfedavg_q", "client_learning_rate": "client_lr"},
            paper=_LI_FAIR,
        ),
        Strategy(
            "MultiKrum",
            "The mean of the replies that are nearest to their neighbours.",
            {**_MALICIOUS, "num_nodes_to_select": "num_nodes_to_select"},
            _VARIANT,
            malicious_factor=2,
            robust=True,
            buffers=CHOSEN,
            selects="num_nodes_to_select",
            differs="Flower weighs the chosen replies by their numbers of examples, the paper weighs them alike",
            paper=_BLANCHARD,
        ),
    )
}


# Flower's classes that harm a model whose running statistics and counters are not kept apart.
NOT_FOR_BUFFERS = frozenset(
    row.name for row in STRATEGIES.values() if row.state or row.buffers == CHOSEN or row.name == "QFedAvg"
)


def readers(variable: str) -> tuple[str, ...]:
    """The strategies of which a variable is a parameter."""
    return tuple(
        strategy.name
        for strategy in STRATEGIES.values()
        if variable in strategy.parameters.values() or variable in strategy.options
    )


def own_defaults(variable: str) -> dict[str, object]:
    """The defaults of a variable with those strategies that have one of their own."""
    return {
        strategy.name: strategy.defaults[variable] for strategy in STRATEGIES.values() if variable in strategy.defaults
    }


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def by_malicious_factor() -> dict[int, list[str]]:
    """The strategies that need factor * f + 3 clients, by that factor."""
    found: dict[int, list[str]] = {}
    for strategy in STRATEGIES.values():
        if strategy.malicious_factor:
            found.setdefault(strategy.malicious_factor, []).append(strategy.name)
    return found


def least_nodes_mixed(values: Mapping[str, Any]) -> int:
    """How many nodes nearest-neighbour mixing needs: most of them honest."""
    return 2 * int(values.get(MIXED, 0)) + 1


def sampled(nodes: int, fraction: float, minimum: int) -> int:
    """How many of the online nodes Flower asks in a round (it waits until there are that many)."""
    return max(int(nodes * fraction), minimum)


def raised_minimums(values: Mapping[str, Any], defaults: Mapping[str, int]) -> dict[str, int]:
    """The minimums of clients that the arithmetic of a strategy raises, because they are only at their defaults.

    One that trains fewer clients than it needs is refused, so that no training becomes another one by this.
    """
    strategy = STRATEGIES[str(values["strategy"])]
    needed = strategy.minimum_replies(values)
    available, asked = int(values["min_available_clients"]), int(values["min_fit_clients"])
    raised = {}
    if available == defaults["min_available_clients"] < needed:
        raised["min_available_clients"] = available = needed
    if (
        asked == defaults["min_fit_clients"]
        and sampled(available, float(values["fraction_train"]), asked) < needed <= available
    ):
        raised["min_fit_clients"] = needed
    return raised


def trimmed(replies: int, beta: float) -> int:
    """How many replies FedTrimmedAvg leaves out at each end."""
    return int(beta * replies)


def least_replies_trimmed(beta: float) -> int:
    """The smallest number of replies of which FedTrimmedAvg leaves any out."""
    replies = math.ceil(min(1 / beta, 1e9))
    return replies if trimmed(replies, beta) else replies + 1  # the product may round to just below 1
