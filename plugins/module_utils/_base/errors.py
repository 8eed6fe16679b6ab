# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every error of ours is, so that modules, filters and actions translate them in one place.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations


class FedopsError(Exception):
    """Something cannot be done; the message says what, why, and what to do about it."""


class NotDeployedError(FedopsError):
    """The host lacks what a deployment brings: an account, a program."""
