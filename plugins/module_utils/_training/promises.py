# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which promises of the collection hold for a training, and which do not: not every app can keep all of them.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

KEPT_PROMISES, NOT_PROMISED = "holds", "not"

# Of an app that has no kit, and tells nothing.
WITHOUT_KIT: t.Mapping[str, t.Sequence[str]] = {
    KEPT_PROMISES: (
        "what runs is the app that was deployed, with the run configuration that was asked for",
        "a run that is lost is submitted again",
    ),
    NOT_PROMISED: (
        "a lost run begins at round 1: the app keeps no checkpoints here, and resumes from none",
        "rounds, history and result are not known; of its progress Flower's counts of messages tell",
        "the final model lies where its ServerApp writes it: Flower keeps none",
        "a reply that is broken or missing is told by Flower's log alone",
        "an order to stand still does not reach it at the end of a round",
    ),
}


def promises_of(training: t.Mapping[str, t.Any]) -> dict[str, list[str]] | None:
    """Return what C(holds) and what does C(not) by what is known of a training; None where everything holds.

    An app that has the kit says it itself. Our own keeps all, and so says nothing.
    """
    effective = training.get("effective") or {}
    if found := effective.get("promises"):
        return {kind: list(found.get(kind) or []) for kind in (KEPT_PROMISES, NOT_PROMISED)}
    if not effective and (training.get("supervision") or {}).get("reports") is False:
        return {kind: list(texts) for kind, texts in WITHOUT_KIT.items()}
    return None


def promise_lines(promises: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Write them for a person."""
    words = {KEPT_PROMISES: "promised", NOT_PROMISED: "NOT promised"}
    return [f"{word}: {'; '.join(promises[kind])}." for kind, word in words.items() if promises.get(kind)]
