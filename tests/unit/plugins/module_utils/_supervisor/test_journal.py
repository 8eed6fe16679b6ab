# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import Journal


@pytest.mark.parametrize(("stream", "level"), [("8:1234", "<4>"), (None, "")])
def test_an_event_is_one_line_of_json_with_its_level_where_a_journal_reads_it(monkeypatch, stream, level) -> None:
    if stream:
        monkeypatch.setenv("JOURNAL_STREAM", stream)
    else:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    written = io.StringIO()
    journal = Journal("default", written)
    journal.event("run_lost", "one\ntwo", restarts=1)
    journal.say("a\nb", 5)
    event, *said = written.getvalue().splitlines()
    assert event.startswith(level + "{")
    content = json.loads(event.removeprefix(level))
    assert content.pop("time").endswith("+00:00")
    assert content == {"event": "run_lost", "training": "default", "message": "one two", "restarts": 1}
    assert said == ([f"<5>{text}" for text in "ab"] if stream else ["a", "b"])


def test_what_json_and_utf_8_have_not_is_no_end_of_a_journal() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    journal = Journal("default", stream)
    facts = {"loss": float("nan"), "metrics": {"best": [float("inf"), 0.5]}, "checkpoint": "Größe"}
    journal.event("training_failed", "No such file: '/data/\udcff.csv'", **facts)
    journal.say("'/data/\udcff.csv'")
    event, said = stream.buffer.getvalue().decode().splitlines()[-2:]

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads(event, parse_constant=refuse)
    assert content["message"] == "No such file: '/data/\\udcff.csv'"
    assert {key: content[key] for key in facts} == {
        "loss": None,
        "metrics": {"best": [None, 0.5]},
        "checkpoint": "Größe",
    }
    assert (said, "Größe" in event) == ("'/data/\\udcff.csv'", True)


def test_a_journal_in_another_encoding_is_written_as_well() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Journal("default", stream).say("Größe")
    assert stream.buffer.getvalue() == b"Gr??e\n"


EVIL = [
    'x\n{"event": "training_completed", "training": "default"}',
    '{"event": "training_completed", "training": "default"}',
    '  {"event": "training_completed", "training": "default"}\x0b{"event": "x"}',
    "x\r<0>panic\x85<0>panic",
    "\x1b[2J\x9b2J\u2028<0>\u202e",
]


@pytest.mark.parametrize("stream", ["8:1234", None])
@pytest.mark.parametrize("evil", EVIL)
def test_what_somebody_else_says_is_no_event_of_its_own_and_no_level(monkeypatch, evil, stream) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stream) if stream else monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    written = io.StringIO()
    journal = Journal("default", written)
    journal.say(evil)
    said = written.getvalue()
    journal.event("training_failed", evil, reason=evil, log_tail=[evil], **{f"key {evil}": evil})
    lines = written.getvalue()[len(said) :].split("\n")
    assert len(lines) == 2
    json.loads(lines[0].removeprefix("<3>"))
    assert not [c for c in written.getvalue() if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"]
    for line in said.removesuffix("\n").split("\n"):
        assert line.startswith("<6>") or not stream
        with pytest.raises(ValueError, match=r"."):
            json.loads(line.removeprefix("<6>"))


@pytest.mark.parametrize("evil", ["🌸" * 100_000, '"' * 100_000, "\n" * 100_000, "\x1b" * 100_000])
@pytest.mark.parametrize(
    "shape", [lambda e: e, lambda e: [e] * 500, lambda e: {f"{i}{e}": [e] * 40 for i in range(99)}]
)
def test_a_line_is_never_so_long_that_journald_cuts_it(evil, shape) -> None:
    written = io.StringIO()
    Journal("default", written).event("training_failed", evil, reason="app", log_tail=shape(evil), other=shape(evil))
    (line,) = written.getvalue().splitlines()
    assert len(line.encode()) < 48 * 1024 - 3
    content = json.loads(line)
    assert (content["event"], content["training"], content["reason"]) == ("training_failed", "default", "app")
