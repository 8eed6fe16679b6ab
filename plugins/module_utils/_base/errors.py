# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every error of ours is, so that modules, filters and actions translate them in one place.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager


class FedopsError(Exception):
    """Something cannot be done; the message says what, why, and what to do about it."""


class NotDeployedError(FedopsError):
    """The host lacks what a deployment brings: an account, a program."""


@contextmanager
def about(what: str, kind: type[FedopsError] = FedopsError) -> t.Iterator[None]:
    """Have the message of an error of this kind begin with what it is about."""
    try:
        yield
    except kind as error:
        raise FedopsError(f"{what}: {error}" if what else str(error)) from error
