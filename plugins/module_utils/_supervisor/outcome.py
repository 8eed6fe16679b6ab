# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play that trains has come to, as a workflow is told of it: never more than is known to be true.

The files of a training outlive it. What an older training of the same name has left is nothing of this one.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.jsonable import Bounds, harmless_value, is_number
from .._base.pseudonyms import SiteNames
from .._checkpoint.checkpoint import EARLY_STOPPING
from .._config.privacy import epsilon_of, spent_text
from .._config.stopping import stopping_text
from .._flower.assumptions import SHORT_HASH
from .._supernode.registry import named
from .._training.sites import REAL, first_deviation, last_sites
from . import endings

Returned = t.Mapping[str, t.Any]  # what a module has returned

# What a workflow is handed is kept in its database and shown on its pages.
WORDS = Bounds(text=2000, items=1000, depth=4, total=5000)
ROUNDS = Bounds(text=2000, items=100_000, total=2_000_000)

NOT_STARTED, NOT_AS_ASKED = "not_started", "not_as_asked"  # beside the states of a training
REHEARSED = "submitted"  # the state that check mode alone ends with: the training would be started


def outcome(seen: Returned) -> dict[str, t.Any]:
    """Return everything there is to tell.

    C(seen) holds what the steps of the play have found, empty for those that it did not come to: C(name) of the
    training, C(quiesced), C(asked), C(refusal), C(plan), C(supernodes), C(needed_nodes), C(room), C(check), C(run),
    C(proof), C(model) and C(deployed) (what the module C(app) returns). C(names) is C(real) where sites are to be told
    by their names, and not by pseudonyms.
    """
    run, known = seen.get("run") or {}, last_look(seen)
    supervision = run.get("supervision") or {}
    result = own_result(known)
    rounds = own_rounds(seen)
    last, newest = progress(rounds), rounds[-1] if rounds else {}
    names = site_names(seen) if seen.get("names") == REAL else SiteNames([])
    checkpoint = kept_checkpoint(seen)
    # An app of one's own tells nothing of its rounds.
    told = bool(known) and (bool(rounds or result) or (seen.get("asked") or {}).get("provable", True))
    words = {
        "training": seen.get("name"),
        "status": status(seen),
        "details": told_details(seen),
        "finished": bool(run.get("finished")) and not failed(seen.get("proof")),
        "run_id": known.get("run_id"),
        "rounds": _number(result.get("rounds")) or _number(last.get("round")) or (0 if told else None),
        "loss": _number((result or last).get("loss")),
        "accuracy": _number((result or last).get("accuracy")),
        "exact": (result or newest).get("exact"),
        "deviation": deviation(result, rounds, names),
        "stopped_early": stopping_text(result) or None,
        "privacy": spent_text(result or newest) or None,
        "privacy_epsilon": epsilon_of(result or newest),
        "best_round": _number((result.get(EARLY_STOPPING) or {}).get("best_round")) or None,
        "best_checkpoint": best_checkpoint(seen, result).get("path"),
        "restarts": supervision.get("restarts") or 0,
        "restart_reasons": [str(entry["reason"]) for entry in supervision.get("restart_reasons") or []],
        "waiting_for": told_names(seen, waiting_for(seen)),
        "checkpoint": checkpoint.get("path"),
        "checkpoint_round": checkpoint.get("round"),
        "checkpoint_sha256": checkpoint.get("sha256"),
    }
    told_of_sites = {"sites": last_sites(rounds, names), "across_sites": newest.get("across_sites") or {}}
    return {
        **harmless_value(words, WORDS),
        "history": harmless_value(rounds, ROUNDS),
        "last_sites": harmless_value(told_of_sites, ROUNDS),
        "changed_app": changed_app(seen),
    }


def best_checkpoint(seen: Returned, result: Returned) -> Returned:
    """Return the checkpoint of the best round that early stopping tells, where it is good; empty for none."""
    number = (result.get(EARLY_STOPPING) or {}).get("best_round")
    wanted = number, result.get("training"), result.get("configuration_hash")
    kept = (seen.get("model") or {}).get("checkpoints") or [] if number else []
    return next((one for one in kept if wanted == tuple(map(one.get, ("round", "training", "configuration_hash")))), {})


def deviation(result: Returned, rounds: t.Sequence[Returned], names: SiteNames) -> str | None:
    """Return the first round that is not the one of an undisturbed training, and why."""
    told = result.get("deviation")
    return first_deviation([{"round": told["round"], "deviation": told}] if told else rounds, names)


def changed_app(seen: Returned) -> dict[str, str] | None:
    """Return by which app a training was trained that was left as it is, where another one is deployed now."""
    run = seen.get("run") or {}
    # A submission tells only so many characters of the hash.
    before, now = (str(about.get("fab_hash") or "")[:SHORT_HASH] for about in (run, seen.get("deployed") or {}))
    return {"before": before, "now": now} if not run.get("changed", True) and before and now and before != now else None


def site_names(seen: Returned) -> SiteNames:
    """Return the names of sites and their pseudonyms, by whatever step of the play knows them."""
    rows = [seen.get(step) or {} for step in ("run", "plan")]
    known: list[t.Any] = next((row["site_names"] for row in rows if row.get("site_names")), [])
    return SiteNames(known or (seen.get("supernodes") or {}).get("supernodes") or [])


def told_details(seen: Returned) -> str | None:
    """Return the same as C(details) does, with the names by which sites are to be told."""
    text = details(seen)
    return text if text is None or seen.get("names") == REAL else site_names(seen).hidden(text)


def told_names(seen: Returned, names: t.Iterable[str]) -> list[str]:
    """Return sites by the names by which they are to be told."""
    known = site_names(seen)
    return list(names) if seen.get("names") == REAL else [known.pseudonym(name) for name in names]


def last_look(seen: Returned) -> Returned:
    """Return what is known of the training: of what the play has done, or else of what it found; empty for nothing."""
    looks = (seen.get(step) or {} for step in ("run", "plan"))
    return next((look for look in looks if look.get("status") and "history" in look), {})


def status(seen: Returned) -> str:
    """Return how the training stands, in a word."""
    run = seen.get("run") or {}
    if run.get("status") == REHEARSED:
        return NOT_STARTED
    if run.get("status"):
        return NOT_AS_ASKED if failed(seen.get("proof")) else str(run["status"])
    if seen.get("quiesced"):
        return endings.QUIESCED
    return endings.TOO_FEW_NODES.word if lacks_nodes(seen) else NOT_STARTED


def details(seen: Returned) -> str | None:
    """Return why it stands so; of a play that has failed, what it has failed with."""
    run = seen.get("run") or {}
    steps = [seen.get(step) for step in ("proof", "run", "check", "room", "supernodes", "plan", "refusal", "asked")]
    messages = [str(step.get("msg") or "") for step in steps if step and failed(step)]
    own = "" if failed(seen.get("proof")) else str(run.get("details") or "")
    return own or next(filter(None, messages), None)


def waiting_for(seen: Returned) -> list[str]:
    """Return the names of the SuperNodes that are missing."""
    if (seen.get("run") or {}).get("status"):
        return list((seen["run"].get("supervision") or {}).get("waiting_for") or [])
    rows = (seen.get("supernodes") or {}).get("supernodes") or []
    return list(named(rows, online=False)) if lacks_nodes(seen) else []


def lacks_nodes(seen: Returned) -> bool:
    """Tell whether fewer SuperNodes were online than the training needs."""
    online = (seen.get("supernodes") or {}).get("online")
    return online is not None and int(online) < int(seen.get("needed_nodes") or 0)


def own_result(run: Returned) -> Returned:
    """Return the result of a training that is finished; the one of before, while more rounds are trained, is not it."""
    return (run.get("result") or {}) if run.get("finished") else {}


def own_rounds(seen: Returned) -> list[Returned]:
    """Return the rounds that have led to the model of this training."""
    run, asked = last_look(seen), seen.get("asked") or {}
    wanted = asked.get("configuration_hash")
    rounds = [event for event in run.get("history") or [] if event.get("configuration_hash") == wanted]
    if run.get("finished"):
        return rounds
    effective = run.get("effective") or {}
    if effective.get("run_id") == run.get("run_id") and effective.get("resumed_from"):
        # What the lost run had finished after its last checkpoint is trained again.
        kept = effective["resumed_from"]["round"]
        return [event for event in rounds if event.get("run_id") == run["run_id"] or event["round"] <= kept]
    if begun(run):
        return rounds
    # The next run puts away what it does not go on from.
    anew = (asked.get("training") or {}).get("resume") == "never"
    kept = 0 if anew else kept_checkpoint(seen).get("round") or 0
    return [event for event in rounds if event["round"] <= kept]


def begun(run: Returned) -> bool:
    """Tell whether a ServerApp of this order to train has begun its work."""
    lost = (run.get("supervision") or {}).get("restart_reasons") or []
    own = {run.get("run_id"), *(entry.get("run_id") for entry in lost)} - {None}
    told = {(run.get("effective") or {}).get("run_id"), *(event.get("run_id") for event in run.get("history") or [])}
    return bool(own & told)


def progress(rounds: t.Sequence[Returned]) -> Returned:
    """Return the last round that has made a new model."""
    return next((event for event in reversed(rounds) if event.get("aggregated") is not False), {})


def kept_checkpoint(seen: Returned) -> Returned:
    """Return the model of the result; before the end, the newest checkpoint of this training."""
    run, asked, model = last_look(seen), seen.get("asked") or {}, seen.get("model") or {}
    if own_result(run).get("sha256"):
        return model.get("match") or {}
    latest = model.get("latest") or {}
    own = latest.get("training"), latest.get("configuration_hash")
    return latest if own == (seen.get("name"), asked.get("configuration_hash")) else {}


def failed(step: Returned | None) -> bool:
    return bool((step or {}).get("failed"))


def _number(value: t.Any) -> t.Any:
    return value if is_number(value) else None
