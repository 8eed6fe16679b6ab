# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A file for each round, of the names and the shape that other tools read: ``round_N_server_eval.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .reports import COUNTED


def round_file(number: int) -> str:
    """Return what the file of a round is called."""
    return f"round_{number}_server_eval.json"


def server_eval(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file says, from the line of the history; null for what no site has reported."""
    counted = [site for site in line["sites"] if site.get("state") == COUNTED]
    across = line["across_sites"]

    def of_all(name: str, figure: str = "mean") -> float | None:
        return across.get(name, {}).get(figure)

    return {
        "round": line["round"],
        "aggregated_client_metrics": {
            "avg_client_loss": of_all("loss"),
            "std_client_loss": of_all("loss", "deviation"),
            "avg_client_proximal_loss": of_all("proximal_loss"),
            "avg_client_grad_norm": of_all("grad_norm"),
            "num_clients": line["replies"] if line["aggregated"] else 0,
            "param_update_norm": line["update_norm"],
        },
        "individual_client_metrics": [
            {
                "client_id": site["site"],
                "loss": site.get("loss"),
                "fedprox_loss": site.get("proximal_loss"),
                "grad_norm": site.get("grad_norm"),
                "param_hash": site.get("hash"),
                "dataset_name": site.get("dataset_name"),
            }
            for site in counted
        ],
    }
