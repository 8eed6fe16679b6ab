# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ServerApp could leave in the place of its files, and what is made of that."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training import claims
from ansible_collections.fedops.flower.plugins.module_utils._training.claims import (
    EFFECTIVE_FILE,
    FAILURE_FILE,
    HISTORY_FILE,
    HISTORY_LIMIT,
    LINE_LIMIT,
    OBJECT_LIMIT,
    RESULT_FILE,
    ClaimError,
    read_claim,
    read_history,
    rounds_in,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ME = {os.geteuid()}


def line(number: int, **more: object) -> str:
    return json.dumps({"event": "round_finished", "round": number, "run_id": "1", **more})


def socket_at(path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def sparse(path) -> None:
    with open(path, "wb") as stream:
        stream.truncate(1 << 40)


# What may lie there, how it is made, and what is said of it.
PLANTED = {
    "link": (lambda path: path.symlink_to("/etc/shadow"), "is a link, and is not followed"),
    "dangling": (lambda path: path.symlink_to("/nothing"), "is a link, and is not followed"),
    "endless": (lambda path: path.symlink_to("/dev/zero"), "is a link, and is not followed"),
    "pipe": (os.mkfifo, "is no regular file"),
    "socket": (socket_at, "is no regular file"),
    "folder": (lambda path: path.mkdir(), "is no regular file"),
}


@pytest.mark.parametrize(("plant", "said"), PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("name", [EFFECTIVE_FILE, RESULT_FILE, FAILURE_FILE, HISTORY_FILE])
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(tmp_path, name, plant, said) -> None:
    plant(tmp_path / name)
    if name == HISTORY_FILE:
        assert read_history(str(tmp_path), ME) == ([], said)
    else:
        with pytest.raises(ClaimError, match=f"^{said}$"):
            read_claim(str(tmp_path), name, ME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and gives files away")
def test_a_device_and_the_file_of_somebody_else_are_not_read(tmp_path) -> None:
    os.mknod(tmp_path / HISTORY_FILE, 0o20666, os.makedev(1, 5))
    assert read_history(str(tmp_path), ME) == ([], "is no regular file")
    (tmp_path / RESULT_FILE).write_text('{"run_id": "1"}')
    os.chown(tmp_path / RESULT_FILE, 4711, 4711)
    with pytest.raises(ClaimError, match=r"^belongs to the user 4711, which must not write it$"):
        read_claim(str(tmp_path), RESULT_FILE, ME)


def test_a_link_on_the_way_is_not_followed(tmp_path) -> None:
    if os.geteuid() != 0:
        pytest.skip("one's own link is trusted")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / RESULT_FILE).write_text('{"run_id": "1"}')
    os.chown(tmp_path, 4711, 4711)
    (tmp_path / "default").symlink_to("there")
    with pytest.raises(ClaimError, match="has a link on its way"):
        read_claim(str(tmp_path / "default"), RESULT_FILE, ME)


def test_a_file_of_any_size_costs_no_more_than_the_bounds(tmp_path) -> None:
    for name in (RESULT_FILE, HISTORY_FILE):
        sparse(tmp_path / name)
    tracemalloc.start()
    try:
        with pytest.raises(ClaimError, match=f"but at most {OBJECT_LIMIT} are read$"):
            read_claim(str(tmp_path), RESULT_FILE, ME)
        assert read_history(str(tmp_path), ME) == ([], "")
        assert tracemalloc.get_traced_memory()[1] < 4 * HISTORY_LIMIT
    finally:
        tracemalloc.stop()


def test_of_a_long_history_the_end_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "HISTORY_LIMIT", 4000)
    (tmp_path / HISTORY_FILE).write_text("".join(line(number) + "\n" for number in range(1, 1001)))
    rounds, problem = read_history(str(tmp_path), ME)
    assert (rounds[-1]["round"], problem) == (1000, "")
    assert [event["round"] for event in rounds] == list(range(rounds[0]["round"], 1001))
    assert 40 < len(rounds) < 100


def test_of_very_many_rounds_the_last_are_read(monkeypatch) -> None:
    monkeypatch.setattr(claims, "MOST_ROUNDS", 10)
    rounds, dummy = rounds_in("".join(line(number) + "\n" for number in range(100)).encode())
    assert [event["round"] for event in rounds] == list(range(91, 100))


def test_of_the_newest_round_the_sites_are_read_and_of_others_they_are_not() -> None:
    told = {"sites": [{"site": "a", "loss": 0.5}], "across_sites": {"loss": {"mean": 0.5}}}
    text = "".join(line(number, update_norm=1.0, **told) + "\n" for number in range(3))
    rounds, problem = rounds_in(text.encode())
    assert ([set(told) & set(event) for event in rounds], problem) == ([set(), set(), set(told)], "")
    assert [event["update_norm"] for event in rounds] == [1.0] * 3


def test_a_round_of_very_many_sites_is_read() -> None:
    sites = [{"site": f"site-{number:012}", "reason": "x" * 500} for number in range(500)]
    (event,) = rounds_in(line(1, sites=sites).encode())[0]
    assert event["sites"] == sites


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"sites": [1]}, "sites is a list but must be a list of objects with a site each"),
        ({"sites": [{"site": 1}]}, "sites is a list but must be a list of objects with a site each"),
        ({"across_sites": []}, "across_sites is a list but must be an object"),
        ({"update_norm": "long"}, "update_norm is a text but must be a number"),
    ],
)
def test_sites_that_are_none_are_no_round(told: dict, problem: str) -> None:
    assert rounds_in(line(1, **told).encode()) == ([], f"{problem} (in a line; 1 in all are left out)")


def test_a_line_that_is_still_being_written_is_left_out() -> None:
    assert [event["round"] for event in rounds_in(f'{line(1)}\n[1]\n\n{{"rou'.encode())[0]] == [1]
    assert rounds_in(f'{line(1)}\n[1]\n\n{{"rou'.encode())[1] == ""


def test_a_damaged_line_takes_no_other_with_it() -> None:
    lines = [line(1).encode(), b"\xff\xfe", b'{"event": "round_finished", "round": 2, "by": "\xff"}', line(3).encode()]
    rounds, problem = rounds_in(b"\n".join(lines))
    assert ([event["round"] for event in rounds], problem) == ([1, 2, 3], "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "it is too deep"),
        ('{"run_id": ' * 90_000, "it is too deep"),
        ('{"run_id": ' * 200_000, "has 2200000 bytes, but at most 1048576 are read"),
        ("", "it is not whole JSON"),
        ("\x00", "it is not whole JSON"),
        ("[]", "it is a list but must be an object"),
        ("null", "it is missing but must be an object"),
        ("{}", "run_id is missing but must be a text"),
        ('{"run_id": 7}', "run_id is another number but must be a text"),
        ('{"run_id": "1", "run_config": "what is this"}', "run_config is a text but must be an object"),
        ('{"run_id": "1", "run_config": NaN}', None),
        ('{"run_id": "1", "process": [7, 70]}', "process is a list but must be an object"),
        ('{"run_id": "1", "process": {"pid": true, "ticks": 1}}', "process is an object but must be"),
        ('{"run_id": "1", "process": {"pid": -1, "ticks": 1}}', "process is an object but must be"),
        ('{"run_id": "1", "resumed_from": {"round": 1}}', "resumed_from is an object but must be"),
        ('{"run_id": "1", "strategy": []}', "strategy is a list but must be an object"),
    ],
)  # fmt: skip
def test_a_claim_of_another_shape_is_refused_with_what_is_wrong(tmp_path, text, said) -> None:
    (tmp_path / EFFECTIVE_FILE).write_text(text)
    if said is None:
        assert read_claim(str(tmp_path), EFFECTIVE_FILE, ME) == {"run_id": "1", "run_config": None}
    else:
        with pytest.raises(ClaimError) as raised:
            read_claim(str(tmp_path), EFFECTIVE_FILE, ME)
        assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"round": {}}, "round is an object"),
        ({"round": -1}, "round is another number"),
        ({"round": 1 << 60}, "round is another number"),
        ({"round": True}, "round is true or false"),
        ({"num_rounds": "3"}, "num_rounds is a text"),
        ({"loss": "low"}, "loss is a text"),
        ({"seconds": []}, "seconds is a list"),
        ({"seconds": 1e308}, "seconds is another number"),
        ({"seconds": -1}, "seconds is another number"),
        ({"failed": [1]}, "failed is a list"),
        ({"failed": [{"site": None}]}, "failed is a list"),
        ({"checkpoint": {"a": 1}}, "checkpoint is an object"),
        ({"time": 7}, "time is another number"),
        ({"exact": "yes"}, "exact is a text"),
        ({"deviation": {"why": 7}}, "deviation is an object"),
    ],
)
def test_a_round_of_another_shape_is_left_out_and_told(more, said) -> None:
    text = json.dumps({**json.loads(line(2)), **more})
    rounds, problem = rounds_in(f"{line(1)}\n{text}\n{line(3)}\n".encode())
    assert [event["round"] for event in rounds] == [1, 3]
    assert problem.startswith(f"{said} but must be ")
    assert problem.endswith(" (in a line; 1 in all are left out)")


def test_numbers_that_no_reader_takes_are_not_told() -> None:
    text = '{"event": "round_finished", "round": 1, "loss": NaN, "accuracy": 1e999, "seconds": ' + "9" * 4000 + "}"
    assert rounds_in(text.encode())[0] == [
        {"event": "round_finished", "round": 1, "loss": None, "accuracy": None, "seconds": None}
    ]


def test_a_line_of_a_depth_or_length_that_no_round_has_is_left_out() -> None:
    deep, long = "[" * 60_000, line(2, by="x" * LINE_LIMIT)
    rounds, problem = rounds_in(f"{line(1)}\n{deep}\n{long}\n{line(3)}".encode())
    assert [event["round"] for event in rounds] == [1, 3]
    assert problem == "it is too deep (in a line; 2 in all are left out)"


def test_texts_are_harmless_and_bounded() -> None:
    (event,) = rounds_in(line(1, checkpoint="a\x1b]0;b\x07\n\u202e", checkpoint_problem="x" * 30_000).encode())[0]
    assert event["checkpoint"] == r"a\x1b]0;b\x07 \u202e"
    assert len(event["checkpoint_problem"]) == 2000


def test_many_small_values_do_not_fill_the_memory() -> None:
    """In a process of its own, since the peak of memory stays. (What getrusage tells begins with the parent's.)"""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from module_utils._training.claims import rounds_in;"
        'head = b\'{"event": "round_finished", "round": 1, "a": [\' ; tail = b\'{}]}\\n\';'
        "line = head + b'{},' * 16000 + tail;"
        "rounds_in((line * (1 + (8 << 20) // len(line)))[: 8 << 20]);"
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    plugins = str(Path(claims.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program, plugins], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 300_000


KEYS = st.sampled_from(["run_id", "round", "failed", "site", "process", "pid", "loss", "run_config"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda value: st.lists(value) | st.dictionaries(KEYS, value),
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_whatever_is_claimed_there_is_no_traceback(value) -> None:
    for content in (value, {"event": "round_finished", "round": 1, **(value if isinstance(value, dict) else {})}):
        text = json.dumps(content).encode()
        rounds, problem = rounds_in(text)
        assert all(isinstance(event["round"], int) for event in rounds)
        assert isinstance(problem, str)
