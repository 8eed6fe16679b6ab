# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding what it takes to have the service account with exactly its numbers.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from dataclasses import dataclass


class AccountError(Exception):
    """The account cannot be had as asked; the message says who is in the way and what to do."""


@dataclass(frozen=True)
class Found:
    """What a host knows about one name and one number: the number of that name, and the name of that number."""

    number_of_name: int | None
    name_of_number: str | None


def is_missing(kind: str, name: str, number: int, found: Found) -> bool:
    """Tell whether a user or group has to be made; raise AccountError when somebody else stands in its place."""
    if found.number_of_name == number:
        return False
    if found.number_of_name is not None:
        raise AccountError(
            f"{kind} is {number} but '{name}' already exists on this host with {kind} {found.number_of_name}. "
            f"Set runtime_{kind} to {found.number_of_name} for this host, or remove that account."
        )
    if found.name_of_number is not None:
        raise AccountError(
            f"{kind} is {number} but that number belongs to '{found.name_of_number}' on this host. "
            f"Set runtime_{kind} to a number that is free, or give '{found.name_of_number}' another one."
        )
    return True
