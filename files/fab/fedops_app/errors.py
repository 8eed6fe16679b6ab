# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The exception that ends a run on purpose. Flower shows its text as the status details of the failed run."""

from __future__ import annotations


class RunFailedError(Exception):
    """The run cannot go on; the text says why and what to do."""


class NotSavedError(RunFailedError):
    """A checkpoint could not be saved. It ends the run only when nobody decides otherwise."""
