# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give what reads foreign bytes a great many of them, in this process: whoever starts it sees whether it lives.

python fuzz.py TARGET CASES SEED

Each target takes what is valid and changes it, by bits, by pieces, and by fields. What it promises is checked in every
case: an answer or the one exception that it documents, in bounded memory. The same seed makes the same cases.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import resource
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "testbed"), str(HERE.parents[2] / "files/fab")]

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_id
from flwr.supercore.task_identity import TaskIdentity
from test_pulling import SuperLink, metadata, reply_of, swap

from fedops_kit import guards
from fedops_kit.bound import Bound
from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.integrity import FINGERPRINT, fingerprint
from fedops_kit.knowledge._checkpoint import directory as layout
from fedops_kit.knowledge._checkpoint.manifest import CheckpointError, sealed
from fedops_kit.knowledge._checkpoint.verification import verify
from fedops_kit.pulling import Fetching
from fedops_kit.sites import Sites

MEMORY = 4 << 30  # bytes of address space: what allocates by a claim ends here

WORDS = [
    b"|V0", b"|S0", b"<U0", b"|O", b"<f4", b">f8", b"|b1", b"<c16", b"<M8[us]", b"|V8", b"-1", b"0", b"1099511627776",
    b"9" * 30, b"9223372036854775807", b"True", b"None", b"(-1,)", b"()", b"[]", b"[" * 3000, b"1e999", b"NaN", b"\0",
    b"\xff" * 4,
    b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x03\x04", b"\x93NUMPY", b"\x1b[2J", b"../../etc", b"\xe2\x80\xae",
    b"arrays", b"metrics", b"site", b"num-examples", b"weight", b"numpy.ndarray", b"{{ x }}",
]  # fmt: skip
VALUES = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308, "", "..", "../../x", "\x1b[2J", "\u202e",
    "x" * 5000, [], {}, [[]], ["x"], [-1], [2**62, 4], {"a": None}, "float32", "|V0", "object", "0" * 64,
]  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return bytes that differ from others in one to four places."""
    for _each in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(content) + 1)
        end = min(len(content), at + chance.choice((1, 1, 2, 4, 8, 64)))
        kind = chance.randrange(7)
        if kind == 0 and at < len(content):
            content = content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
        elif kind == 1:
            content = content[:at] + chance.choice(WORDS) + content[at:]
        elif kind == 2:
            word = chance.choice(WORDS)
            content = content[:at] + word + content[at + len(word) :]
        elif kind == 3:
            content = content[:at] + content[end:]
        elif kind == 4:
            content = content[:at] + content[at:end] * chance.choice((2, 50)) + content[end:]
        elif kind == 5:
            number = struct.pack(chance.choice(("<I", "<H", "<Q", ">I")), chance.choice((0, 1, 0xFFFF, 100)))
            content = content[:at] + number + content[at + len(number) :]
        else:
            content = content[:at]
    return content


def remade(value: object, chance: random.Random) -> object:
    """Return a value of JSON with one part of it replaced, gone, or twice."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        changed = dict(value)
        action = chance.randrange(5)
        if action == 0:
            del changed[key]
        elif action == 1:
            changed[chance.choice(["name", "x" * 300, "\x1b", key + " "])] = changed[key]
        else:
            changed[key] = remade(changed[key], chance)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return chance.choice((value[:at], value + value, [*value[:at], remade(value[at], chance), *value[at + 1 :]]))
    return chance.choice(VALUES)


DESCRIPTIONS = ["<f4", "<f4", "|V0", "|S0", "<U0", "|V4", "|O", "<f2", ">f4", "<i8", "|b1", "<c8", "<U1", "f4", "<f9"]
SHAPES = ["(2, 3)", "(2, 3)", "(-1,)", "(6,)", "()", "(0, 9999999999)", "(1099511627776,)", "(2, -3)", "2", "(2, 3,)"]


def array(chance: random.Random) -> bytes:
    """Return an array whose header is one of many, as NumPy would write it, with as many bytes as it may want."""
    descr, shape = chance.choice(DESCRIPTIONS), chance.choice(SHAPES)
    text = f"{{'descr': '{descr}', 'fortran_order': {chance.choice(['False', 'True', 'None'])}, 'shape': {shape}, }}"
    if chance.random() < 0.05:
        text = text.replace("'shape'", "'descr'")
    text += " " * (-(len(text) + 11) % 64) + "\n"
    numbers = np.ones(6, np.float32).tobytes()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + chance.choice((numbers, numbers, b""))


MODEL = ArrayRecord({"weight": Array(np.zeros((2, 3), np.float32)), "steps": Array(np.asarray(3))})


def arrays(chance: random.Random) -> Iterator[None]:
    """One array of a reply: the check says what is wrong, or the array is the model's and finite."""
    check = guards.TrainingCheck(MODEL, "train_loss", 10.0)
    while True:
        content = chance.choice((array(chance), MODEL["weight"].data))
        if chance.random() < 0.4:
            content = mutated(content, chance)
        given = chance.choice([("float32", (2, 3)), ("float32", (2, 3)), ("|V0", (-1,)), ("x" * 100, (True, 3))])
        stype = chance.choice(["numpy.ndarray"] * 9 + ["other"])
        record = ArrayRecord({"weight": Array(*given, stype, content), "steps": MODEL["steps"]})
        if chance.random() < 0.05:
            record[chance.choice(["more", "\x1b", ""])] = record["weight"]
        metrics: dict = {"num-examples": 5, "train_loss": 0.5}
        for _each in range(chance.choice((0, 0, 1, 3))):
            name = chance.choice(["num-examples", "train_loss", "\x1b[2J", "", "x" * 99, "other"])
            value = chance.choice([-1, 2**63, float("nan"), float("inf"), 1e300, [], [1.0] * 2000, [1, 2], 0])
            metrics[name] = value
        about = ConfigRecord({"site": chance.choice(["a", "", "\x1b", "x" * 10**5]), FINGERPRINT: fingerprint(record)})
        if chance.random() < 0.1:
            about["site"] = chance.choice([b"\xff", [1, 2], 3.5, ["a"]])
        reply = Message(
            RecordDict({"arrays": record, "metrics": MetricRecord(metrics), "site": about}),
            reply_to=Message(RecordDict(), dst_node_id=chance.choice((1, 2)), message_type="train"),
        )
        for each in (check, guards.check_evaluation):
            kept, rejected = guards.sift([reply], each)
            assert len(kept) + len(rejected) == 1
            assert all(str(each).isprintable() and len(str(each)) < 1200 for each in rejected)
            if kept and each is check:
                values = reply.content["arrays"]["weight"].numpy()
                assert (values.dtype, values.shape) == (np.float32, (2, 3))
                assert np.isfinite(values).all()
        yield


def replies(chance: random.Random) -> Iterator[None]:
    """The pieces of a reply, as a SuperLink hands them on: a message of its sender comes out, whatever they are."""
    grid = type("Grid", (), {})()
    grid.run = type("Run", (), {"run_id": 7})()
    grid.node = None
    bound = Bound(48, 2, 11)
    content = RecordDict(
        {
            "arrays": MODEL,
            "metrics": MetricRecord({"num-examples": 3, "loss": 0.5, "list": [1.0, 2.0]}),
            "site": ConfigRecord({"site": "a", FINGERPRINT: fingerprint(MODEL)}),
        }
    )
    sound = {name: piece.deflate() for name, piece in get_all_nested_objects(reply_of(22, content)).items()}
    while True:
        pieces = dict(sound)
        name = chance.choice(list(pieces))
        head, _zero, body = pieces[name].partition(b"\0")
        if chance.random() < 0.7:
            kind, children, _size = head.split(b" ")
            if body[:1] == b"{" and chance.random() < 0.7:
                new = json.dumps(remade(json.loads(body), chance)).encode()
            else:
                new = mutated(body, chance)
            if chance.random() < 0.15:
                kind = chance.choice([b"Message", b"Array", b"ArrayChunk", b"ConfigRecord", b"RecordDict", b"Context"])
            changed = b" ".join([kind, children, b"%d" % len(new)]) + b"\0" + new
        else:
            changed = mutated(pieces[name], chance)
        try:
            root, tree, pieces = swap(pieces, name, pieces[name], pieces[name], changed)
        except ValueError:  # the heads cannot be read any more: as Flower's own server, pass on what it is
            root = get_object_id(changed)
            pieces, tree = {root: changed}, ObjectTree(object_id=root)
        superlink = SuperLink()
        superlink.announce(metadata(22, "to-22"), root, tree, pieces)
        grid._runtime_client = superlink
        for reply in Fetching(grid, bound).fetch({"to-22"}):
            assert (reply.metadata.src_node_id, reply.metadata.reply_to_message_id) == (22, "to-22")
            guards.with_plain_error(reply)
            kept, rejected = guards.sift([reply], guards.TrainingCheck(MODEL))
            assert len(kept) + len(rejected) == 1
            assert all(str(each).isprintable() and len(str(each)) < 1200 for each in rejected)
        yield


def archived(members: dict[str, bytes], compression: int = 0) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def checkpoints(chance: random.Random) -> Iterator[None]:
    """A checkpoint whose seals are right: it is loaded as its manifest says, or it is no checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        directory = CheckpointDirectory(folder, 0, False)
        with directory.locked():
            directory.save(
                MODEL,
                {"m_t/weight": np.zeros((2, 3))},
                {
                    "round": 3, "num_rounds": 9, "training": "demo", "configuration_hash": "0" * 64,
                    "configuration": {},
                    "strategy": "FedAdam", "run_id": "1", "app": "app", "loss": 0.5, "accuracy": None,
                },
            )  # fmt: skip
        path, about = Path(folder, "checkpoint_round_3.npz"), Path(folder, "checkpoint_round_3.json")
        sound, manifest = path.read_bytes(), json.loads(about.read_text())
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        while True:
            content, said = sound, manifest
            kind = chance.randrange(4)
            if kind == 0:
                content = mutated(content, chance)
            elif kind == 1:
                name = chance.choice(list(members))
                changed = chance.choice((array(chance), mutated(members[name], chance)))
                content = archived({**members, name: changed}, chance.choice((0, 0, 0, 8)))
            if kind >= 2 or chance.random() < 0.2:
                said = remade(manifest, chance)
            if isinstance(said, dict):
                said = {**said, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
                said.pop("manifest_sha256", None)
                if chance.random() < 0.9:
                    said = sealed(said)
            path.write_bytes(content)
            text = json.dumps(said).encode()
            about.write_bytes(mutated(text, chance) if chance.random() < 0.2 else text)
            try:
                checkpoint = verify(str(path))
                model, state = directory.load(checkpoint)
            except CheckpointError as error:
                if len(str(error)) > 5000:
                    raise AssertionError("too much is said") from error
            else:
                for each in [*model.values(), *state.values()]:
                    assert np.isfinite(each.numpy() if isinstance(each, Array) else each).all()
            layout.inspect(folder)
            yield


def registries(chance: random.Random) -> Iterator[None]:
    """The record of who the SuperNodes are: names, or none."""
    entries = [{"name": "one", "node_id": 11, "fingerprint": "a"}, {"name": "two", "node_id": 22, "site": "b"}]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "supernodes.json")
        while True:
            text = json.dumps(remade({"supernodes": entries}, chance)).encode()
            path.write_bytes(mutated(text, chance) if chance.random() < 0.5 else text)
            for site in Sites(str(path)).identify([(11, "!"), (22, "one"), (33, "\x1b")]).values():
                assert site.name.isprintable()
                assert len(site.name) < 300
                assert "!" not in site.name
            yield


TARGETS: dict[str, Callable[[random.Random], Iterator[None]]] = {
    "arrays": arrays,
    "replies": replies,
    "checkpoints": checkpoints,
    "registries": registries,
}


def main(target: str, most: int, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 7, 1
    cases, count = TARGETS[target](random.Random(seed)), 0
    try:
        for count in range(1, most + 1):  # noqa: B007
            next(cases)
    finally:
        print(
            f"{target}: case {count} of the seed {seed}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
