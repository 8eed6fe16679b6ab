# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that makes the links to the GPUs of a host when it starts.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import sys

from .devices import found_gpus, make_links
from .nvidia import load_drivers


def main() -> int:
    """Make the links, and say in the journal what cannot be used."""
    load_drivers()
    found = found_gpus()
    make_links(found.gpus)
    for told in (*found.problems, *(gpu.problem for gpu in found.gpus if gpu.problem)):
        sys.stderr.write(f"{told}\n")
    return 0
