# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A grid in this process: the real ServerApp and ClientApp code, with nodes that can fail, be late or die."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from fedops_app import client_app
from fedops_app.run import run_training
from fedops_kit.knowledge._config.training import Training
from fedops_kit.packing import PARTS, pack, unpack


class Killed(BaseException):
    """The ServerApp's process dies here: no handler of ours may stop it."""


def digits(path: Path, seed: int, examples: int = 48) -> None:
    """Write a small data set that can be learned: a bright column for each class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 8, examples)
    x = rng.random((examples, 8, 8)) * 0.3
    x[np.arange(examples), :, y] += 0.6
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x.reshape(examples, 64).astype(np.float32), y=y.astype(np.int64))


@dataclass
class SimulatedGrid(Grid):
    """Hands messages to the ClientApp at once; replies arrive in an order that the test chooses."""

    sites: dict[int, str]
    data: Path
    run_id: int = 1
    arrival_seed: int | None = None
    fails: Callable[[str, int, int], bool] = lambda site, round_number, attempt: False
    killed_in_round: int | None = None
    offline: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)  # sites that never answer
    unavailable: Callable[[str, int, int], bool] = lambda site, round_number, attempt: False  # Flower answers for them
    activated: dict[str, str] = field(default_factory=dict)  # by site, the moment in which its SuperNode was started
    node_configs: dict[str, dict[str, object]] = field(default_factory=dict)  # by site, what else its SuperNode says
    # Sees, and may change, every message: with its arrays, and as it travels.
    on_the_way: Callable[[str, Message], None] = lambda site, message: None
    on_the_wire: Callable[[str, Message], None] = lambda site, message: None
    client: ClientApp = client_app.app
    run_config: dict[str, object] = field(default_factory=dict)  # as a ClientApp sees it; ours does not look
    log: list[tuple[str, int, str]] = field(default_factory=list)  # message type, round, site

    def __post_init__(self) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, self.run_id, 1  # as in Flower's process
        self._run = Run.create_empty(self.run_id)
        self._run.fab_id, self._run.fab_version, self._run.fab_hash = "fedops/fedops-app", "0.1.0", "abcdef0123"
        self._replies: dict[str, Message] = {}
        self._states: dict[str, RecordDict] = {}  # by site, what its ClientApps leave to the next one of this run

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

    def create_message(self, *args: object, **kwargs: object) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return {node for node, site in self.sites.items() if site not in self.offline}

    def get_nodes(self) -> Iterable[NodeInfo]:
        return [
            NodeInfo(node_id=node, name=self.sites[node], last_activated_at=self.activated.get(self.sites[node], ""))
            for node in self.get_node_ids()
        ]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        for number, message in enumerate(messages):
            message.metadata.__dict__["_message_id"] = f"{len(self.log)}-{number}"
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = [self._replies.pop(message_id) for message_id in sorted(message_ids) if message_id in self._replies]
        random.Random(self.arrival_seed).shuffle(replies)
        return replies

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        raise NotImplementedError("the app's own grid polls")

    def _deliver(self, message: Message) -> str:
        node = message.metadata.dst_node_id
        site, kind = self.sites[node], message.metadata.message_type
        # 0: an app of others may send what is no round
        round_number = next(iter(message.content.config_records.values()), {}).get("server-round", 0)
        if kind == "train" and self.killed_in_round == round_number:
            raise Killed
        attempt = self.log.count((kind, round_number, site))
        self.log.append((kind, round_number, site))
        if site in self.silent:
            return message.metadata.message_id
        if self.unavailable(site, round_number, attempt):
            reply = Message(Error(ErrorCode.NODE_UNAVAILABLE, "Error: Node Unavailable"), reply_to=message)
            reply.metadata.__dict__["_src_node_id"] = 1  # the SuperLink's
            self._replies[message.metadata.message_id] = reply
            return message.metadata.message_id
        self._replies[message.metadata.message_id] = self._answer(message, site, round_number, attempt)
        return message.metadata.message_id

    def _answer(self, message: Message, site: str, round_number: int, attempt: int) -> Message:
        context = Context(
            run_id=self.run_id,
            node_id=message.metadata.dst_node_id,
            node_config={"site": site, "data-path": str(self.data / site), **self.node_configs.get(site, {})},
            state=self._states.setdefault(site, RecordDict()),
            run_config=self.run_config,
        )
        try:
            if self.fails(site, round_number, attempt):
                raise RuntimeError("told to fail")
            received = copy.deepcopy(message)
            self._show(site, received)
            reply = self.client(received, context)
            self._show(site, reply)
            return reply
        except Exception as error:
            return Message(Error(code=2, reason=str(error)), reply_to=message)

    def _show(self, site: str, message: Message) -> None:
        is_packed = message.has_content() and PARTS in message.content
        if is_packed:
            message.content = unpack(message.content)
        self.on_the_way(site, message)
        if is_packed:
            message.content = pack(message.content)
        self.on_the_wire(site, message)


def trained(grid: SimulatedGrid) -> list[int]:
    """Return the rounds that a grid was asked to train."""
    return sorted({number for kind, number, dummy in grid.log if kind == "train"})


@dataclass
class Federation:
    """Sites with data, and trainings on them; every training has its own checkpoint directory."""

    root: Path
    sites: int
    runs: int = 0

    def __post_init__(self) -> None:
        self.names = [f"site{number:02}" for number in range(self.sites)]
        for number, name in enumerate(self.names):
            digits(self.root / "data" / name / "train.npz", seed=number, examples=32 + 4 * number)

    def checkpoints(self, where: str = "checkpoints") -> Path:
        return self.root / where

    def train(
        self, where: str = "checkpoints", nodes_seed: int = 0, grid: dict | None = None, **variables: object
    ) -> SimulatedGrid:
        """Run one training; return the grid that it ran on."""
        given = {
            "checkpoint_enabled": True,
            "checkpoint_interval": 1,
            "checkpoint_path": str(self.checkpoints(where)),
            "checkpoint_keep_last": 0,
            "num_rounds": 6,
            "min_available_clients": self.sites,
            **variables,
        }
        training = Training.from_variables({"fl_" + name: value for name, value in given.items()})
        return self.train_run_config(training.run_config, nodes_seed, grid)

    def train_run_config(
        self,
        run_config: dict[str, object],
        nodes_seed: int = 0,
        grid: dict | None = None,
        given: dict[str, object] | None = None,
    ) -> SimulatedGrid:
        """Run what a SuperLink would hand over; ``given`` is what of it was submitted, where that is not all."""
        self.runs += 1
        ids = random.Random(nodes_seed).sample(range(1, 1 << 62), self.sites)
        sites = dict(zip(ids, self.names, strict=True))
        self.last = SimulatedGrid(sites, self.root / "data", self.runs, **(grid or {}))
        self.last.run.override_config = run_config if given is None else given
        run_training(self.last, Context(self.runs, 0, {}, RecordDict(), run_config))
        return self.last

    def arrays(self, round_number: int, where: str = "checkpoints") -> bytes:
        """Return the bytes of a checkpoint's file: arrays, optimizer state, names and order."""
        return (self.checkpoints(where) / f"checkpoint_round_{round_number}.npz").read_bytes()

    def published(self, name: str, training: str = "default") -> dict | list[dict]:
        """Return what the training published in a file."""
        text = (self.root / "trainings" / training / name).read_text()
        return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)
