# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SuperLink host whose trainings go on line by line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from .._report import stories


class TrackedHost:
    """The files of one training, as supervisor and ServerApp write them."""

    def __init__(self, path: Path, name: str = "default") -> None:
        self.path, self.name = path, name
        self.asked, self.published = path / "trainings" / name, path / "published" / name
        for place in (self.asked, self.published):
            place.mkdir(parents=True, exist_ok=True)
        self._runs: list[dict[str, Any]] = []
        self.request = ""

    @property
    def folder(self) -> TrainingFolder:
        return TrainingFolder(str(self.path), self.name)

    def order(self, request: str, run_id: str, **settings: Any) -> None:
        """Order a training, or have the supervisor submit another run for the same order."""
        self.request = request
        row = {"run_id": run_id, "configuration_hash": stories.HASH, "fab_hash": "f", "num_rounds": 9}
        self._runs.append({**row, "submitted_at": "t", "request_id": request})
        self._write(self.asked / "ledger.json", {"runs": self._runs})
        self._write(self.asked / "request.json", {"request_id": request})
        effective = stories.effective(run_id=run_id)
        effective["run_config"].update(settings)
        self._write(self.published / "effective.json", effective)
        self.state("running")

    def state(self, state: str) -> None:
        self._write(self.asked / "supervision.json", {"state": state, "request_id": self.request})

    def completed(self, **facts: Any) -> None:
        result = {"run_id": self._runs[-1]["run_id"], "rounds": 9, "loss": 0.25, "accuracy": 0.9, "sha256": "c" * 64}
        self._write(self.published / "result.json", {**result, "exact": True, **facts})
        self.state("completed")

    def rounds(self, *numbers: int, sites: int = 2, **values: Any) -> None:
        """Finish rounds."""
        lines = {line["round"]: line for line in stories.lines(max(numbers), sites)}
        run_id = self._runs[-1]["run_id"]
        with (self.published / "history.jsonl").open("a", encoding="utf-8") as stream:
            for number in numbers:
                stream.write(json.dumps({**lines[number], "run_id": run_id, **values}) + "\n")

    def begin_anew(self, moment: str) -> None:
        """Put the history away, as the kit does for a training that begins from nothing."""
        target = self.published / "previous" / moment
        target.mkdir(parents=True)
        for name in ("history.jsonl", "result.json"):
            if (self.published / name).exists():
                shutil.move(self.published / name, target)

    @staticmethod
    def _write(path: Path, value: Any) -> None:
        path.write_text(json.dumps(value))
