# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each strategy of Flower takes, and how many clients its arithmetic needs.

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


@dataclass(frozen=True)
class Strategy:
    """One aggregation strategy, by the name of its class in ``flwr.serverapp.strategy``."""

    name: str
    summary: str
    parameters: Mapping[str, str] = field(default_factory=dict)  # constructor keyword: variable
    malicious_factor: int = 0  # n >= factor * f + 3; 0: no such rule
    state_models: int = 0  # arrays of the model's size that it carries from one round to the next
    selects: str = ""  # the variable that says how many replies are averaged; all of them must be honest

    def minimum_nodes(self, values: Mapping[str, Any]) -> int:
        """How many nodes the strategy's paper asks for."""
        if not self.malicious_factor:
            return 1
        return self.malicious_factor * int(values["num_malicious"]) + 3

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

STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy("FedAvg", "The mean of the replies, weighted by their number of examples."),
        Strategy(
            "FedProx",
            "FedAvg with clients that are held near the global model.",
            {"proximal_mu": "proximal_mu"},
        ),
        Strategy(
            "FedAdam", "An Adam step on the server along the mean update.", {**_ADAPTIVE, **_MOMENTS}, state_models=2
        ),
        Strategy("Krum", "The one reply that is nearest to its neighbours.", _MALICIOUS, malicious_factor=2),
        Strategy("Bulyan", "Krum's selection, then a trimmed mean around its median.", _MALICIOUS, malicious_factor=4),
        Strategy(
            "FedTrimmedAvg",
            "The mean of every weight without its smallest and largest values.",
            {"beta": "trim_beta"},
        ),
        Strategy("FedMedian", "The median of every weight."),
        Strategy(
            "FedAvgM",
            "FedAvg with momentum on the server.",
            {"server_learning_rate": "server_lr", "server_momentum": "server_momentum"},
            state_models=2,
        ),
        Strategy("FedAdagrad", "An Adagrad step on the server along the mean update.", _ADAPTIVE, state_models=2),
        Strategy(
            "FedYogi", "A Yogi step on the server along the mean update.", {**_ADAPTIVE, **_MOMENTS}, state_models=2
        ),
        Strategy(
            "QFedAvg",
            "FedAvg that gives clients with a high loss more weight.",
            {"q": "qfedavg_q", "client_learning_rate": "client_lr"},
        ),
        Strategy(
            "MultiKrum",
            "The mean of the replies that are nearest to their neighbours.",
            {**_MALICIOUS, "num_nodes_to_select": "num_nodes_to_select"},
            malicious_factor=2,
            selects="num_nodes_to_select",
        ),
    )
}


def sampled(nodes: int, fraction: float, minimum: int) -> int:
    """How many of the online nodes Flower asks in a round (it waits until there are that many)."""
    return max(int(nodes * fraction), minimum)


def trimmed(replies: int, beta: float) -> int:
    """How many replies FedTrimmedAvg leaves out at each end."""
    return int(beta * replies)


def least_replies_trimmed(beta: float) -> int:
    """The smallest number of replies of which FedTrimmedAvg leaves any out."""
    replies = math.ceil(min(1 / beta, 1e9))
    return replies if trimmed(replies, beta) else replies + 1  # the product may round to just below 1
