# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the mirror: what the role puts beside it is the collection's own knowledge of checkpoints."""

from __future__ import annotations

import sys

from fedops_mirror._mirroring import main

sys.exit(main())
