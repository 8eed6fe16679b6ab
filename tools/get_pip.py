# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the pip that comes with the running Python.

ansible-test downloads a get-pip script for the virtual environments it makes, from a host that not every machine can
reach, unless the script lies in its cache already. tools/ansible-test puts this one there: any pip will do.
"""

from __future__ import annotations

import ensurepip

ensurepip.bootstrap()
