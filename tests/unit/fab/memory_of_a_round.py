# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round of a ServerApp in a process of its own, whose memory is watched: times the model, beyond the page cache.

``memory_of_a_round.py STRATEGY MEGABYTES ARRAYS REPLIES [packed]`` prints the peak. The replies come from a SuperLink
that is none, and that has them on the disk.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "testbed"), str(HERE.parents[2] / "files/fab")]

# Only now is it known where these are.
import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.proto.message_pb2 import PullObjectRequest, PullObjectResponse
from flwr.proto.node_pb2 import NodeInfo
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid.http_grid import HttpGrid
from test_pulling import SuperLink, metadata, reply_of
from test_references import second, training

from fedops_app import strategies
from fedops_kit.exact import ExactStrategy
from fedops_kit.grid import SteadyGrid, give_back_memory
from fedops_kit.integrity import FINGERPRINT, fingerprint
from fedops_kit.one_round import Guard
from fedops_kit.packer import Packer
from fedops_kit.packing import pack

MEGABYTE = 10**6


class OnDisk(SuperLink):
    """A SuperLink that holds nothing in memory."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.activated = {10 + number: "before" for number in range(nodes)}
        self.file = tempfile.TemporaryFile(dir="/var/tmp")  # noqa: SIM115 - it stays open
        self.places: dict[str, tuple[int, int]] = {}

    def send(self, node: int, content: RecordDict) -> None:
        reply = reply_of(node, content)
        for name, piece in get_all_nested_objects(reply).items():
            deflated = piece.deflate()
            self.places[name] = self.file.tell(), len(deflated)
            self.file.write(deflated)
        self.file.flush()
        self.announce(metadata(node, f"to-{node}"), reply.object_id, get_object_tree(reply), {})

    def PullObject(self, request: PullObjectRequest) -> PullObjectResponse:
        begin, size = self.places[request.object_id]
        content = os.pread(self.file.fileno(), size, begin)
        return PullObjectResponse(object_found=True, object_available=True, object_content=content)

    def GetNodes(self, _request: object) -> object:
        nodes = [NodeInfo(node_id=node, name=f"{node}", last_activated_at=at) for node, at in self.activated.items()]
        return type("Response", (), {"nodes": nodes})()


WATCH = """
import sys, select
peak, path = 0, f"/proc/{sys.argv[1]}/status"
print(flush=True)
while not select.select([0], [], [], 0.0005)[0]:
    peak = max(peak, next(int(line.split()[1]) for line in open(path) if line.startswith("RssAnon:")))
print(peak * 1024)
"""


class Watched:
    """The most memory of this process that is in no file, as another process sees it."""

    def __init__(self) -> None:
        self.before = anonymous()
        self._watch = subprocess.Popen(
            [sys.executable, "-c", WATCH, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._watch.stdout.readline()  # it looks

    def end(self) -> int:
        """Return it in bytes."""
        return int(self._watch.communicate(b"\n")[0])


def anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:"))) * 1024


def model_of(size: int, arrays: int, seed: int) -> ArrayRecord:
    rng, record = np.random.default_rng(seed), ArrayRecord()
    for number in range(arrays):
        record[f"layer{number}"] = Array(rng.standard_normal(size // 4 // arrays, np.float32))
    return record


def main(strategy: str, megabytes: str, arrays: str, replies: str, packed: str = "") -> None:
    size, layers, sites = int(megabytes) * MEGABYTE, int(arrays), int(replies)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 7, 1
    superlink = OnDisk(sites)
    for node in superlink.activated:
        record = model_of(size, layers, node)
        about = ConfigRecord({FINGERPRINT: fingerprint(record), "site": f"site{node}"})
        metrics = MetricRecord({"num-examples": 10, "train_loss": 0.5})
        content = RecordDict({"arrays": record, "metrics": metrics, "site": about})
        superlink.send(node, pack(content) if packed else content)
        del record, content
    asked = training(strategy, fl_min_available_clients=sites, fl_num_malicious=1 if strategy in ROBUST else 0)
    guard = Guard(minimum_replies=sites, on_shortfall="fail", round_timeout=60)
    exact = ExactStrategy(strategies.build(asked), guard, 42, arithmetic=second(asked))
    grid = HttpGrid(token="unused")
    grid.set_run(Run.create_empty(7))
    grid._client = superlink
    model = model_of(size, layers, 1)
    steady = SteadyGrid(grid, 5, packer=Packer(presumed=bool(packed)))
    gc.collect()  # the replies: Flower's records refer to themselves
    give_back_memory()
    watched = Watched()
    begin = time.monotonic()
    messages = exact.configure_train(1, model, ConfigRecord(), steady)
    made, _metrics = exact.aggregate_train(1, steady.send_and_receive(messages, timeout=60))
    assert made is not None
    seconds = time.monotonic() - begin
    peak = watched.end() - watched.before + size
    print(f"{peak / size:.2f} times the model, {seconds:.1f} s, {fingerprint(made)[:16]}")


ROBUST = ("Krum", "MultiKrum", "Bulyan")

if __name__ == "__main__":
    main(*sys.argv[1:])
