# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading locks."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._release.lockfile import pins, problems

ROLE = Path(__file__).resolve().parents[5] / "roles" / "runtime" / "files"
HASH = f"--hash=sha256:{'a' * 64}"


def test_the_lock_of_the_role_pins_flower() -> None:
    text = (ROLE / "requirements.txt").read_text()
    assert pins(text)["flwr"].startswith("1.")
    assert len(pins(text)) > 20
    assert pins((ROLE / "uv.txt").read_text()).keys() == {"uv"}


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        (f"flwr==1.41.0 {HASH}", {"flwr": "1.41.0"}),
        (f"flwr[simulation]==1.42.0 \\\n    {HASH} \\\n    {HASH}\n    # via -r requirements.in", {"flwr": "1.42.0"}),
        (f"Flwr == 1.43.0.dev20261126 ; python_version >= '3.11' {HASH}", {"flwr": "1.43.0.dev20261126"}),
        (f"typing_extensions==4.1 {HASH}  # why not", {"typing-extensions": "4.1"}),
        ("# flwr==1.0\n\n", {}),
        (f"flwr>=1.41 {HASH}", {}),
        (f"flwr==1.* {HASH}", {}),
    ],
)
def test_a_pin_is_read_however_it_is_written(line: str, pinned: dict[str, str]) -> None:
    assert pins(line) == pinned


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flwr==1.41.0", ["has no hash of 'flwr==1.41.0'. Compile it with --generate-hashes."]),
        (
            f"flwr==1.41.0 {HASH}\n--index-url somewhere\nnumpy>=2 {HASH}",
            [
                "has the option '--index-url somewhere' but must list packages and hashes alone.",
                "asks for 'numpy>=2' but must pin every package to one version with ==.",
            ],
        ),
    ],
)
def test_everything_that_is_wrong_is_told_at_once(text: str, told: list[str]) -> None:
    assert problems(text) == told


def test_each_file_that_is_deployed_is_read_without_a_problem() -> None:
    assert [problems((ROLE / name).read_text()) for name in ("requirements.txt", "uv.txt")] == [[], []]
