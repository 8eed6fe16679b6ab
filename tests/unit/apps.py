# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Flower apps of tests say of themselves in their pyproject.toml."""

from __future__ import annotations

# As little as we read.
LEAST = """
[project]
name = "an-app"
version = "1.2.3"
[tool.flwr.app]
publisher = "somebody"
[tool.flwr.app.components]
serverapp = "an_app.server:app"
clientapp = "an_app.client:app"
[tool.flwr.app.config]
num-rounds = 3
"""

# As much as Flower's own command wants.
WHOLE = LEAST.replace(
    '[tool.flwr.app]\npublisher = "somebody"\n',
    """description = ""
license = { file = "LICENSE" }
dependencies = ["flwr>=1.41.0"]
[tool.flwr.app]
publisher = "somebody"
fab-format-version = 1
flwr-version-target = "1.41.0"
""",
)
