# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the kit promises of a training of any app, and what it cannot: a part of the effective configuration."""

from __future__ import annotations

from flwr.serverapp.strategy import Strategy

from . import foreign
from .state import KeptState, draws_noise

Promises = dict[str, list[str]]


def promises(state: KeptState, has_checkpoints: bool) -> Promises:
    """Return what ``holds`` and what does ``not``, each a sentence without its end."""
    strategy = state.strategy
    holds = [
        "rounds have their true numbers in a run that resumes",
        "a reply that cannot be read, or holds no finite numbers, is left out",
        "history, result and orders to stand still",
    ]
    lacks = []
    if has_checkpoints:
        holds.append("the model is saved, and a lost run resumes after the last checkpoint")
    else:
        lacks.append("a lost run begins at round 1: no checkpoints are kept (fl_checkpoint_enabled)")
    if foreign.averages(strategy, "aggregate_train"):
        holds.append("a reply that is not like the others is left out")
    else:
        lacks.append(f"{_name(strategy)} aggregates by itself: whether replies fit together is not checked")
    if state.is_known:
        holds.append("what the strategy carries from round to round is saved with the model")
    else:
        lacks.append(
            f"{_name(strategy)} is not Flower's own: if it carries anything from round to round, a resumed training is"
            " not exact (give capture and restore to keep)"
        )
    if draws_noise(strategy):
        lacks.append("the noise of differential privacy is another one after a resume, as it must be")
    lacks.append(
        "the bytes of an undisturbed training: they are those of a resumed one where the ClientApp computes the same of"
        " the same message, with seeds of its own"
    )
    return {"holds": holds, "not": lacks}


def _name(strategy: Strategy) -> str:
    return type(strategy).__name__
