# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home of Flower whose `flwr` replays what the real one of Flower 1.41 has answered."""

from __future__ import annotations

import json
import os
import pwd
import runpy
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.module_utils._base import identity

from . import saved

ROOT = Path(__file__).resolve().parents[3]
RECORDED = json.loads((Path(__file__).parent / "module_utils" / "fixtures" / "flwr" / "recorded.json").read_text())

CLAIMS = ("effective", "result", "failure")  # what ServerApps write

REPLAY = f"""#!{sys.executable}
import json, os, sys
home = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
arguments = sys.argv[1:]
words = 2 if arguments[0] == "supernode" else 1
with open(home + "/replies.json") as stream:
    replies = json.load(stream)
command = " ".join(arguments[:words])
queue = replies[command]
answer = queue.pop(0) if len(queue) > 1 else queue[0]
with open(home + "/replies.json", "w") as stream:
    json.dump(replies, stream)
texts = [open(item).read() if item.endswith((".toml", ".pub")) else None for item in arguments]
call = {{
    "arguments": arguments,
    "files": [text for text in texts if text is not None],
    "identity": [os.getuid(), os.getgid(), os.getgroups()],
    "environment": {{name: os.environ.get(name) for name in ("HOME", "FLWR_HOME", "FLWR_TELEMETRY_ENABLED")}},
}}
with open(home + "/calls.jsonl", "a") as stream:
    stream.write(json.dumps(call) + "\\n")
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer["stderr"])
sys.exit(answer["rc"])
"""


@dataclass
class Home:
    """A home of Flower below a temporary directory."""

    path: Path

    def answers(self, **commands: str | list) -> None:
        """Say what `flwr` answers, by the names of recordings; the last answer to a command repeats itself."""
        replies = {}
        for command, names in commands.items():
            names = names if isinstance(names, list) else [names]
            replies[command.replace("_", " ")] = [RECORDED[n] if isinstance(n, str) else n for n in names]
        (self.path / "replies.json").write_text(json.dumps(replies))
        (self.path / "replies.json").chmod(0o666)

    @property
    def calls(self) -> list[dict]:
        log = self.path / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def commands(self) -> list[str]:
        """Return what `flwr` was asked, without the way of the answer and the names of temporary files."""
        ends = (".toml", ".pub")
        return [
            " ".join(Path(word).name if word.endswith(ends) else word for word in call["arguments"]).removesuffix(
                " --format json"
            )
            for call in self.calls
        ]

    def training(self, name: str = "default", history: list | None = None, **files: dict) -> Path:
        """Write the files of a training, each where it belongs; return the folder of what is asked for."""
        folder = self.path / "trainings" / name
        folder.mkdir(parents=True, exist_ok=True)
        for stem, value in files.items():
            place = self.published(name) if stem in CLAIMS else folder
            (place / f"{stem}.json").write_text(json.dumps(value))
        if history is not None:
            text = "".join(json.dumps(line) + "\n" for line in history)
            (self.published(name) / "history.jsonl").write_text(text)
        return folder

    def published(self, name: str = "default") -> Path:
        """Return the folder of what ServerApps tell of a training."""
        folder = self.path / "published" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def ledger(self, *runs: tuple, name: str = "default") -> None:
        """Write the ledger of a training: run id, configuration hash, rounds."""
        rows = [
            {"run_id": run_id, "configuration_hash": hash_, "fab_hash": "f", "num_rounds": rounds, "submitted_at": "t"}
            for run_id, hash_, rounds in runs
        ]
        self.training(name, ledger={"runs": rows})


def make_home(path: Path) -> Home:
    executable = path / "bin" / "flwr"
    executable.parent.mkdir(parents=True)
    executable.write_text(REPLAY)
    executable.chmod(0o755)
    (path / "state").mkdir()
    return Home(path)


@pytest.fixture
def own_account(monkeypatch) -> None:
    """Have whoever runs the tests be each of the accounts of a host."""
    for user in ("APPS_USER", "CONTROL_USER", "STATE_USER"):
        monkeypatch.setattr(identity, user, pwd.getpwuid(os.geteuid()).pw_name)


@pytest.fixture
def home(tmp_path, own_account) -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def run_module(home, capsys):
    """Run a module in this process; return what it returns."""

    def run(module: str, /, check_mode: bool = False, **arguments) -> dict:
        arguments = {"home": str(home.path), **arguments, "_ansible_check_mode": check_mode}
        if module in (
            "checkpoint_directory",
            "checkpoint_fetch",
            "checkpoint_info",
            "disk_info",
            "memory_info",
            "model_promote",
            "model_unpack",
            "mount_point",
            "room_info",
            "sealed_archive",
            "venv",
        ):
            del arguments["home"]
        with patch_module_args(arguments), pytest.raises(SystemExit):
            runpy.run_path(str(ROOT / "plugins" / "modules" / f"{module}.py"), run_name="__main__")
        result = json.loads(capsys.readouterr().out)
        del result["invocation"]
        return result

    return run


@pytest.fixture
def save(tmp_path):
    """Save a checkpoint as the ServerApp does."""

    def write(number: int, training: str = "default", folder: str = "") -> dict:
        directory = tmp_path / folder
        members = {"weights.npy": f"round {number} of {training}, " * 10}
        described = [{"name": "weights", "shape": [2], "dtype": "float32"}]
        manifest = saved.save(
            directory, number, members, training=training, configuration_hash="h", run_id="1", arrays=described
        )
        path = directory / f"checkpoint_round_{number}.npz"
        shutil.copy(path.with_suffix(".json"), directory / "checkpoint_latest.json")
        latest = directory / "checkpoint_latest.npz"
        latest.unlink(missing_ok=True)
        latest.symlink_to(path.name)
        left_out = ("configuration", "app", "state_prefix", "state_arrays", "parent", "manifest_sha256")
        shown = {key: value for key, value in manifest.items() if key not in left_out}
        return {**shown, "path": str(path), "file": path.name}

    return write
