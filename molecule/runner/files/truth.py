# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of a training on its host, read with eyes of its own: the code under test does not judge itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path("/opt/flower")


def read(path: Path) -> Any:
    """Return a file of JSON, or None."""
    try:
        return json.loads(path.read_text())
    except OSError:
        return None


def events(name: str) -> list[dict[str, Any]]:
    """Return what the journal of the supervisor tells."""
    command = ["journalctl", "--unit", f"flower-training@{name}", "--output", "cat", "--no-pager"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def runs() -> dict[str, str]:
    """Return how Flower itself says that its runs stand."""
    command = [str(HOME / "bin/flwr"), "list", "local", "--format", "json"]
    environment = {"FLWR_HOME": str(HOME / "control/.flwr"), "PATH": "/usr/bin:/bin", "FLWR_TELEMETRY_ENABLED": "0"}
    said = subprocess.run(
        [
            "runuser",
            "-u",
            "flower-control",
            "--",
            "env",
            *(f"{key}={value}" for key, value in environment.items()),
            *command,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {str(run["run-id"]): run["status"] for run in json.loads(said)["runs"]}


def main(name: str) -> None:
    folder, published, checkpoints = (HOME / part / name for part in ("trainings", "published", "checkpoints"))
    history = (published / "history.jsonl").read_text().splitlines() if (published / "history.jsonl").exists() else []
    told = events(name)
    answer = {
        "rounds": [json.loads(line) for line in history],
        "result": read(published / "result.json"),
        "submitted": [run["run_id"] for run in (read(folder / "ledger.json") or {}).get("runs", [])],
        "sha256": {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in checkpoints.glob("checkpoint_round_*.npz")
        },
        "lost": [event["reason"] for event in told if event["event"] == "run_lost"],
        "events": [event["event"] for event in told],
        "runs": runs(),
    }
    print(json.dumps(answer))


main(sys.argv[1])
