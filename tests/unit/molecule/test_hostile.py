# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attackers of the scenario hostile: Flower carries what they send, and the probe finds what it looks for."""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.task_identity import TaskIdentity

ROOT = Path(__file__).parents[3]
HOSTILE = ROOT / "molecule" / "hostile"
sys.path.insert(0, str(ROOT / "files" / "fab"))

from fedops_kit import guards, integrity, packing
from fedops_kit.bound import Bound
from fedops_kit.packer import Packer

KIT = SimpleNamespace(integrity=integrity, packing=packing)
MODEL = ArrayRecord({"weights": Array(np.zeros((4, 3))), "bias": Array(np.zeros(3))})


def module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, HOSTILE / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


evil_site, probe = module("files/evil_site.py"), module("app/evil/probe.py")


@pytest.fixture
def message(monkeypatch: pytest.MonkeyPatch) -> Message:
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    return Message(RecordDict({"arrays": MODEL}), dst_node_id=1, message_type="train")


def attacks(message: Message) -> dict:
    return evil_site.Site(message, KIT).attacks()


ERRORS = ("20 MB of an error", "20 MB of an error, packed")
NAMES = list(evil_site.Site.attacks(evil_site.Site.__new__(evil_site.Site)))


@pytest.mark.parametrize("name", NAMES)
def test_flower_carries_every_attack(message: Message, name: str) -> None:
    reply = Message(attacks(message)[name](), reply_to=message)
    assert get_object_tree(reply).object_id in get_all_nested_objects(reply)


def _judged(message: Message, name: str, pipe: multiprocessing.connection.Connection) -> None:
    attack = attacks(message)[name]()
    site = evil_site.Site(message, KIT)
    honest = [Message(site.content(MODEL, f"site{number}"), reply_to=message) for number in (1, 3)]
    reply = Packer().open(1, Message(attack, reply_to=message), Bound.of([message]))
    kept, rejected = guards.sift([reply, *honest], guards.TrainingCheck(MODEL))
    pipe.send(([each is reply for each in kept], [str(each) for each in rejected]))


@pytest.mark.parametrize("name", NAMES)
def test_the_app_keeps_the_honest_replies_and_no_attack(message: Message, name: str) -> None:
    """In a process of its own: one of the attacks has ended the process that it came to."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_judged, args=(message, name, there))
    process.start()
    process.join()
    assert process.exitcode == 0
    kept, rejected = here.recv()
    if name in ERRORS:
        assert (kept, rejected) == ([True, False, False], [])  # strategies skip errors
    else:
        assert kept in ([False, False], [True, False, False])  # what is packed wrongly is an error in its place
        assert len(rejected) == 1
        assert len(rejected[0]) < 2000
        assert rejected[0].isprintable()


@pytest.mark.parametrize(
    ("name", "content", "secret"),
    [
        ("server.key", b"-----BEGIN EC PRIVATE KEY-----\nMHc=\n", True),
        ("superexec.secret", b"\x01\x02", True),
        ("superexec.secret", b"", False),
        ("server.crt", b"-----BEGIN CERTIFICATE-----\n", False),
    ],
)
def test_the_probe_knows_a_secret(tmp_path: Path, name: str, content: bytes, secret: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert probe.is_secret(str(tmp_path / name)) is secret


def test_the_probe_is_none_itself() -> None:
    assert not probe.is_secret(probe.__file__)
