# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke run: one round of few batches before a long training, what it has shown, and what the training will take.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import math
import os
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import is_number
from .._base.notation import as_list, is_unset
from .._config.kit import KIT_ROWS, kit_key
from .._config.limits import DEFAULT
from .._config.purposes import SMOKE
from .._config.situation import ERROR
from .._config.sizing import checkpoint_bytes, checkpoints_held, client_memory_needed, memory_needed, model_bytes, said
from .._config.strategies import STRATEGIES
from .._config.table import BY_NAME
from .._flower.assumptions import ONLINE
from .outcome import Returned, site_names

_PREFIX, _LONGEST = "smoke-", 63  # letters of a name
_COUNTED = "counted"  # the state of a site whose reply counts
_BEGINNINGS = 120  # seconds that a smoke run waits for its SuperNodes: they were online a moment ago


class SmokeError(FedopsError):
    """A smoke run would not leave the real training alone; the message says why."""


def smoke_name(training: str) -> str:
    """Return what the smoke run of a training is called."""
    name = _PREFIX + training
    return name if len(name) <= _LONGEST else _PREFIX + hashlib.sha256(training.encode()).hexdigest()[:16]


def smoke_sites(named: t.Any, supernodes: t.Iterable[Returned]) -> list[str]:
    """Return the names of the SuperNodes that are to take part: those that are named, or all that are registered."""
    return [str(name) for name in as_list(named)] or sorted(str(row["name"]) for row in supernodes if row.get("name"))


def absent_sites(sites: t.Iterable[str], supernodes: t.Iterable[Returned]) -> list[str]:
    """Say which of the sites are not online, a sentence each."""
    rows = {str(row["name"]): row for row in supernodes if row.get("name")}
    return [_absent(name, rows.get(name)) for name in sites if (rows.get(name) or {}).get("status") != ONLINE]


def _absent(name: str, row: Returned | None) -> str:
    if row is None:
        return f"{name} did not train: it is no SuperNode of this federation. Correct training_smoke_sites."
    host = row.get("host")
    where = f" on {host}" if host and host != name else ""
    since = f" since {row['offline_at']}" if row.get("offline_at") and row.get("online_at") else ""
    state = "it has never been online" if not row.get("online_at") else f"it is offline{since}"
    return f"{name} did not train: {state}. Look at the journal of its SuperNode{where}."


def smoke_variables(
    asked: Returned, sites: t.Collection[str], batches: t.Any = None, timeout: t.Any = None
) -> dict[str, t.Any]:
    """Return the variables that a smoke run fixes, whatever else is set, as far as the app takes them.

    C(asked) is what C(training_config) has returned of the real training, C(sites) are those that are to take part.
    """
    real = asked["training"]
    if os.path.basename(os.path.normpath(str(real["checkpoint_path"]))) == smoke_name(str(real["training_name"])):
        raise SmokeError(
            f"fl_checkpoint_path is {real['checkpoint_path']}, and the smoke run of this training would save there as"
            " well. Choose a directory of another name."
        )
    batches, timeout = _number("smoke_batches", batches), _number("smoke_timeout", timeout)
    wanted = {
        "training_name": smoke_name(str(real["training_name"])),
        "purpose": SMOKE,
        "num_rounds": 1,
        "local_epochs": 1,
        "max_batches": min(batches, real["max_batches"] or batches),
        "max_eval_batches": min(batches, real["max_eval_batches"] or batches),
        "fraction_train": 1.0,
        "fraction_evaluate": 1.0 if real["fraction_evaluate"] else 0.0,
        "min_available_clients": max(len(sites), real["min_available_clients"]),
        "round_timeout": min(timeout, real["round_timeout"]),
        "node_wait_timeout": min(_BEGINNINGS, real["node_wait_timeout"]),
        "on_shortfall": "fail",
        "early_stopping_patience": 0,
        "checkpoint_enabled": True,
        "checkpoint_interval": 1,
        "checkpoint_required": True,
        "resume": "never",
        "round_files": False,
    }
    keys = {line.partition(" = ")[0].strip('"') for line in str(asked["run_config"]).splitlines()}
    by_kit = {row.name for row in KIT_ROWS if kit_key(row) in keys}
    return {
        BY_NAME[name].ansible: value
        for name, value in wanted.items()
        if name in by_kit or BY_NAME[name].key in keys or name == "training_name"
    }


def _number(name: str, value: t.Any) -> int:
    return DEFAULT[name] if is_unset(value) else int(float(value))


def verdict(seen: Returned) -> dict[str, t.Any]:
    """Return what a smoke run has shown: C(problems), a sentence each, and what the real training will take.

    C(seen) has C(sites) (the names of those that were to take part), C(real) and C(smoke) (what C(training_config) has
    returned of both), C(run) (C(training)), C(supernodes) (C(supernode_info)), C(model) (C(checkpoint_info)), C(check)
    (C(training_config) once more, with the nodes and the room that there are), C(publication) (what C(model_publish)
    has found where the model is to be published).
    """
    run = seen.get("run") or {}
    rounds = [event for event in run.get("history") or [] if event.get("run_id") == run.get("run_id")]
    line = rounds[-1] if rounds else {}
    problems = [*_of_sites(seen, line), *_of_run(seen), *_of_checkpoint(seen), *_of_real(seen), *_of_publication(seen)]
    model = (seen.get("model") or {}).get("latest")
    return {
        "training": seen["real"]["training"]["training_name"],
        "passed": not problems,
        "problems": list(dict.fromkeys(problems)),
        "sites": len(_entries(line)),
        "publication": (seen.get("publication") or {}).get("dest"),
        **_time(seen, line),
        **(_room(seen, model) if model else {}),
    }


def _entries(line: Returned) -> list[Returned]:
    return [entry for entry in line.get("sites") or [] if entry.get("state") == _COUNTED]


def _of_sites(seen: Returned, line: Returned) -> t.Iterator[str]:
    """Say which site has not trained, or not evaluated, and why."""
    if not line:
        return  # the run itself says why it came to no end
    names, evaluates = site_names(seen), seen["smoke"]["training"]["fraction_evaluate"] > 0
    told = {names.real(str(entry["site"])): entry for entry in line.get("sites") or []}
    for name in seen["sites"]:
        entry = told.get(name) or {}
        evaluation = entry.get("evaluation") or {}
        if entry.get("state") != _COUNTED:
            why = str(entry.get("reason") or "it was not asked, or was not online any more")
            yield f"{name} did not train: {_without(name, names.real(why))}"
        elif evaluates and (not evaluation or "problem" in evaluation):
            why = str(evaluation.get("problem") or "it sent no figures")
            yield f"{name} trained, but did not evaluate: {_without(name, names.real(why))}"


def _without(name: str, reason: str) -> str:
    """An error of a ClientApp begins with the name of its site."""
    return reason.removeprefix(f"{name}: ")


def _of_run(seen: Returned) -> t.Iterator[str]:
    run = seen.get("run") or {}
    if not run.get("finished"):
        why = str(run.get("details") or run.get("msg") or "nothing is known of it")
        yield f"The run did not come to its end: {site_names(seen).real(why)}"


def _of_checkpoint(seen: Returned) -> t.Iterator[str]:
    run, model = seen.get("run") or {}, seen.get("model") or {}
    if not run.get("finished"):
        return
    path = seen["smoke"]["training"]["checkpoint_path"]
    if not model.get("latest"):
        yield f"No checkpoint was saved in {path}. {model.get('msg') or ''}".strip()
    elif model["latest"].get("sha256") != (run.get("result") or {}).get("sha256"):
        yield f"The checkpoint in {path} is not the model that the run has ended with."
    for problem in model.get("problems") or []:
        yield f"The checkpoint in {path} is not good: {problem}"


def _of_real(seen: Returned) -> t.Iterator[str]:
    """Say what is wrong with the real training, now that the size of its model is known."""
    for problem in (seen.get("check") or {}).get("problems") or []:
        if problem["severity"] == ERROR:
            yield f"The real training would be refused: {problem['message']}"


def _of_publication(seen: Returned) -> t.Iterator[str]:
    if obstacle := (seen.get("publication") or {}).get("obstacle"):
        yield f"The model could not be published: {obstacle}"


def _time(seen: Returned, line: Returned) -> dict[str, t.Any]:
    """Return how long the round took, and how long a round and all rounds of the real training are expected to."""
    took, phases = line.get("seconds"), line.get("phases") or {}
    if not is_number(took):
        return {"round_seconds": None, "expected_round_seconds": None, "expected_seconds": None}
    real, smoke = seen["real"]["training"], seen["smoke"]["training"]
    expected = float(took)
    sites = [entry for entry in _entries(line) if is_number(entry.get("seconds"))]
    if sites:
        slowest = max(entry["seconds"] for entry in sites)
        expected += max(entry["seconds"] * _times(entry.get("examples"), real, smoke) for entry in sites) - slowest
    if not real["fraction_evaluate"]:
        expected -= float(phases.get("evaluation") or 0.0)
    return {
        "round_seconds": round(float(took), 1),
        "expected_round_seconds": round(expected, 1),
        "expected_seconds": math.ceil(expected * real["num_rounds"]),
    }


def _times(examples: t.Any, real: Returned, smoke: Returned) -> float:
    """Return how many times the steps of the smoke run a site takes in a round of the real training."""
    if not is_number(examples) or examples < 1:
        return 1.0
    whole = math.ceil(examples / real["batch_size"])
    of_real = real["local_epochs"] * min(whole, real["max_batches"] or whole)
    return max(1.0, of_real / min(whole, smoke["max_batches"] or whole))


def _room(seen: Returned, model: Returned) -> dict[str, t.Any]:
    """Return the memory and the storage that the real training needs, by the measured size of its model."""
    real, size = seen["real"]["training"], model_bytes(model)
    replies = max(math.ceil(len(seen["sites"]) * real["fraction_train"]), real["min_fit_clients"])
    held = checkpoints_held(
        real["num_rounds"],
        1 if real["early_stopping_patience"] else real["checkpoint_interval"],
        real["checkpoint_keep_last"],
        bool(real["checkpoint_keep_best"] or real["early_stopping_patience"]),
    )
    each = checkpoint_bytes(size, STRATEGIES[real["strategy"]].state_models)
    return {
        "model_bytes": size,
        "superlink_memory": memory_needed(size, replies),
        "supernode_memory": client_memory_needed(size),
        "checkpoint_storage": held * each if real["checkpoint_enabled"] else 0,
    }


def in_words(found: Returned) -> str:
    """Return what a smoke run has shown as text for an operator."""
    lines = [f"The smoke run of the training {found['training']} has {'passed' if found['passed'] else 'failed'}."]
    lines += [f"  {problem}" for problem in found["problems"]]
    if found.get("round_seconds") is not None:
        lines.append(f"Sites: {found['sites']} trained and reported.")
        lines.append(
            f"Time:  this round took {_span(found['round_seconds'])}. A round of the real training takes about"
            f" {_span(found['expected_round_seconds'])}, all of it {_span(found['expected_seconds'])}."
        )
    if "model_bytes" in found:
        lines.append(
            f"Room:  the model has {said(found['model_bytes'])}. The SuperLink host needs"
            f" {said(found['superlink_memory'])} of memory and {said(found['checkpoint_storage'])} for checkpoints,"
            f" each SuperNode host {said(found['supernode_memory'])} of memory beside what its training takes."
        )
    if found.get("publication") and found["passed"]:
        lines.append(f"Model: it could be published in {found['publication']}.")
    return "\n".join(lines)


def _span(seconds: float) -> str:
    """Write a time for a person."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
