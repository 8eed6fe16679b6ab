# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of arrays in what a message holds."""

from __future__ import annotations

from flwr.app import ArrayRecord, RecordDict


def array_records(content: RecordDict) -> dict[str, ArrayRecord]:
    """Return them by their keys.

    Flower's property of this name makes a view that refers to what it is of, which keeps it in turn: what was looked at
    once, and so a model, stays in memory until Python's collector finds it.
    """
    return {key: record for key, record in content.items() if isinstance(record, ArrayRecord)}
