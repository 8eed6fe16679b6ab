# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the last migration that the state of the SuperLink has been through."""

import sqlite3

database = sqlite3.connect("file:/opt/flower/state/state.db?mode=ro", uri=True)
print(*database.execute("select version_num from alembic_version").fetchone())
