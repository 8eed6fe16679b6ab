# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings as runs of MLflow: of a tracking server, or of files. What speaks to either is mlflow-skinny.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import os
import typing as t

from .._supervisor.endings import FAILED, FINISHED, GIVEN_UP, REFUSED
from .figures import Closing, TrackedRound, TrackedTraining, seconds_of

_KEY = "fedops.flower.key"  # the tag by which a training finds its run again
_MARK = "round"  # the figure that is written last: where it is, all others of that round are
_MOST_FIGURES, _MOST_TEXTS = 900, 90  # in one request: MLflow takes 1000 and 100
_STATUS = {FINISHED: "FINISHED", FAILED: "FAILED", GIVEN_UP: "FAILED", REFUSED: "FAILED"}
_OTHERWISE = "KILLED"  # it was stopped, or replaced
_TIMEOUT = 30  # seconds that a request may take
_VARIABLES = {
    "username": "MLFLOW_TRACKING_USERNAME",
    "password": "MLFLOW_TRACKING_PASSWORD",
    "token": "MLFLOW_TRACKING_TOKEN",
}


class MlflowTracker:
    """A tracking server, or a folder in its place."""

    def __init__(self, folder: str, options: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> None:
        uri = str(options.get("uri") or "")
        os.environ.update(
            # Another try is ours to make, after a look at what has arrived.
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            MLFLOW_HTTP_REQUEST_TIMEOUT=str(_TIMEOUT),
            MLFLOW_ALLOW_FILE_STORE="true",
            MLFLOW_DISABLE_TELEMETRY="true",
            DO_NOT_TRACK="true",
            **{_VARIABLES[key]: value for key, value in secrets.items() if key in _VARIABLES},
        )
        if options.get("ca"):
            os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(options["ca"])
        self._uri = uri or f"file://{os.path.join(folder, 'mlruns')}"

    def run(self, training: TrackedTraining) -> MlflowRun:
        client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=self._uri)
        return MlflowRun(client, training.place or training.name, self._uri, training)


class MlflowRun:
    """The run of a training."""

    def __init__(self, client: t.Any, experiment: str, uri: str, training: TrackedTraining) -> None:
        self._client = client
        self._entities = importlib.import_module("mlflow.entities")
        self._doubtful = True  # what was on its way when the program ended may have arrived in part
        number = self._number_of(experiment)
        run = self._found(number, training) or client.create_run(
            number,
            start_time=_milliseconds(seconds_of(training.began)) or None,
            tags={_KEY: training.key},
            run_name=training.label,
        )
        self._id = run.info.run_id
        self.link = f"{uri.rstrip('/')}/#/experiments/{number}/runs/{self._id}" if uri.startswith("http") else uri
        self._say(run, training)
        self.last = max((int(entry.step) for entry in client.get_metric_history(self._id, _MARK)), default=0)

    def tell(self, one: TrackedRound) -> None:
        moment = _milliseconds(one.time)
        figures = [*one.figures.items(), (_MARK, float(one.number))]
        if self._doubtful:
            figures = figures[self._arrived(figures, one.number) :]
        entities = [self._entities.Metric(key, value, moment, one.number) for key, value in figures]
        for some in _pieces(entities, _MOST_FIGURES):
            self._client.log_batch(self._id, metrics=some)
        self.last, self._doubtful = one.number, False

    def close(self, closing: Closing) -> None:
        self._tag({"state": closing.state, **closing.facts})
        self._client.set_terminated(self._id, status=_STATUS.get(closing.state, _OTHERWISE))

    def leave(self) -> None:
        return None

    def _number_of(self, experiment: str) -> str:
        found = self._client.get_experiment_by_name(experiment)
        return str(found.experiment_id if found else self._client.create_experiment(experiment))

    def _found(self, number: str, training: TrackedTraining) -> t.Any:
        """Return the run that is there. By its name as well: a store of files writes the tag a moment later."""
        for words in (f"tags.`{_KEY}` = '{training.key}'", f"attributes.run_name = '{training.label}'"):
            if found := self._client.search_runs([number], words, max_results=1):
                return found[0]
        return None

    def _arrived(self, figures: t.Sequence[tuple[str, float]], number: int) -> int:
        """Return how many figures of a round are there: they are written in their order, so that few are asked for."""
        low, high = 0, len(figures)
        while low < high:
            middle = (low + high) // 2 if low else 0  # most often there is none
            if self._has(figures[middle][0], number):
                low = middle + 1
            else:
                high = middle
        return low

    def _has(self, key: str, number: int) -> bool:
        return any(int(entry.step) == number for entry in self._client.get_metric_history(self._id, key))

    def _say(self, run: t.Any, training: TrackedTraining) -> None:
        """Write the settings down. MLflow never changes one; what changes later, as more rounds, is a tag beside it."""
        known = run.data.params
        new = [self._entities.Param(key, value) for key, value in training.settings.items() if key not in known]
        for some in _pieces(new, _MOST_TEXTS):
            self._client.log_batch(self._id, params=some)
        changed = {f"now.{key}": value for key, value in training.settings.items() if known.get(key, value) != value}
        self._tag({**training.about, **changed, "training": training.name}, {_KEY: training.key}, known=run.data.tags)
        if run.info.status != "RUNNING":
            self._client.update_run(self._id, status="RUNNING")

    def _tag(
        self,
        told: t.Mapping[str, str],
        also: t.Mapping[str, str] | None = None,
        known: t.Mapping[str, str] | None = None,
    ) -> None:
        known = known or {}
        wanted = {**{f"fedops.flower.{key}": value for key, value in told.items()}, **(also or {})}
        tags = [self._entities.RunTag(key, value) for key, value in wanted.items() if known.get(key) != value]
        for some in _pieces(tags, _MOST_TEXTS):
            self._client.log_batch(self._id, tags=some)


def _pieces(entries: t.Sequence[t.Any], size: int) -> t.Iterator[t.Sequence[t.Any]]:
    for begin in range(0, len(entries), size):
        yield entries[begin : begin + size]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
