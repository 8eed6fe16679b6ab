# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Flower apps of tests say of themselves in their pyproject.toml."""

from __future__ import annotations


def pyproject(name: str, publisher: str, server: str, client: str, version: str = "1.0.0", **config: object) -> str:
    """Return as little as we read. The keys of the configuration have underscores for their hyphens."""
    values = "".join(f"{key.replace('_', '-')} = {str(value).lower()}\n" for key, value in config.items())
    return f"""
[project]
name = "{name}"
version = "{version}"
[tool.flwr.app]
publisher = "{publisher}"
[tool.flwr.app.components]
serverapp = "{server}"
clientapp = "{client}"
[tool.flwr.app.config]
{values}"""


def about(least: str, **project: str) -> str:
    """Return it with more to say of the project."""
    more = "".join(f"{key} = {value}\n" for key, value in project.items())
    return least.replace("[tool.flwr.app]\n", f"{more}[tool.flwr.app]\n")


LEAST = pyproject("an-app", "somebody", "an_app.server:app", "an_app.client:app", "1.2.3", num_rounds=3)
# As much as Flower's own command wants of an app in the format of today.
WHOLE = about(LEAST, description='""', license='{ file = "LICENSE" }', dependencies='["flwr>=1.41.0"]').replace(
    "[tool.flwr.app]\n", '[tool.flwr.app]\nfab-format-version = 1\nflwr-version-target = "1.41.0"\n'
)
