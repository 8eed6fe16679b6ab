# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared memory, held against what the benchmark has measured."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.sizing import (
    SUPERLINK_NEEDS,
    SUPERNODE_NEEDS,
    checkpoints_held,
    client_memory_needed,
    memory_needed,
    model_bytes,
    replies_possible,
    said,
)
from hypothesis import given
from hypothesis import strategies as st

MEGABYTE = 10**6
RESULTS = Path(__file__).parents[5] / "benchmarks" / "results" / "model_size.json"
MEASURED = [result for result in json.loads(RESULTS.read_text())["results"] if result["rounds"]]
COMMANDS = {
    "SuperLink": "flower-superlink",
    "ServerApp": "flwr-serverapp",
    "SuperNode": "flower-supernode",
    "ClientApp": "flwr-clientapp",
}

every_measurement = pytest.mark.parametrize(
    "measured", MEASURED, ids=lambda result: f"{result['megabytes']}MB-{result['replies']}replies"
)


@every_measurement
def test_every_process_fits_into_what_is_declared_for_it(measured: dict) -> None:
    declared = {need.process: need for need in (*SUPERLINK_NEEDS, *SUPERNODE_NEEDS)}
    for process, command in COMMANDS.items():
        peak = declared[process].peak(measured["megabytes"] * MEGABYTE, measured["replies"]) / MEGABYTE
        assert measured["peak_megabytes"][command] <= peak, process
        # A SuperNode that is not asked in every round takes less, and a ServerApp whose replies lie on the disk.
        most = 1.7 * measured["peak_megabytes"][command] + 50
        assert process == "ServerApp" or peak <= most, f"{process}: far too much"


@every_measurement
def test_every_host_fits_into_what_is_declared_for_it(measured: dict) -> None:
    size = measured["megabytes"] * MEGABYTE
    assert measured["superlink_host_megabytes"] * MEGABYTE <= memory_needed(size, measured["replies"])
    assert measured["supernode_host_megabytes"] * MEGABYTE <= client_memory_needed(size)


def test_a_host_needs_what_its_processes_need_together() -> None:
    assert memory_needed(0, 0) == sum(need.own for need in SUPERLINK_NEEDS)
    assert client_memory_needed(10**9) == sum(need.peak(10**9) for need in SUPERNODE_NEEDS)


def test_every_reply_needs_room_on_the_superlink_host() -> None:
    needed = [memory_needed(10**9, replies) for replies in range(1, 6)]
    steps = {later - earlier for earlier, later in itertools.pairwise(needed)}
    assert max(steps) - min(steps) <= 1  # rounded up
    assert min(steps) >= 10**9


@given(st.integers(1, 10**12), st.integers(1, 10**13))
def test_so_many_replies_fit_and_no_more(model: int, memory: int) -> None:
    replies = replies_possible(model, memory)
    assert replies == 0 or memory_needed(model, replies) <= memory
    assert memory_needed(model, replies + 1) > memory


@pytest.mark.parametrize(
    ("arguments", "held"),
    [
        ((20, 1, 3, True), 5),  # three, the best, and one in flight
        ((20, 1, 3, False), 4),
        ((20, 1, 0, True), 20),  # all
        ((20, 5, 3, True), 4),  # no more than are saved
        ((3, 5, 3, True), 1),  # the last round alone
    ],
)
def test_retention_holds_so_many_checkpoints(arguments: tuple, held: int) -> None:
    assert checkpoints_held(*arguments) == held


def test_the_size_of_a_model_is_read_from_a_manifest() -> None:
    arrays = [
        {"name": "a", "shape": [2, 3], "dtype": "float32"},
        {"name": "b", "shape": [], "dtype": "int64"},
        {"name": "c", "shape": [5], "dtype": "bool"},
    ]
    assert model_bytes({"arrays": arrays}) == 2 * 3 * 4 + 8 + 5


@pytest.mark.parametrize(("size", "text"), [(1, "1 MB"), (350 * MEGABYTE, "350 MB"), (1_250_000_000, "1.2 GB")])
def test_sizes_are_written_for_a_person(size: int, text: str) -> None:
    assert said(size) == text
