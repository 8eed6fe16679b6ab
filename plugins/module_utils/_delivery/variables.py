# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables of a registry and of its workers, one sentence each.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.layout import HIGHEST_PORT
from .._base.notation import show

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{32,200}")


def registry_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Say what is wrong with the variables C(model_registry_*), by their names without prefix."""
    found = []
    port = given["port"]
    if isinstance(port, bool) or not str(port).isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
        found.append(f"model_registry_port is {show(port)} but must be a port, 1 to {HIGHEST_PORT}.")
    readers, tokens = given["readers"], given["tokens"]
    if isinstance(readers, str) or not isinstance(readers, t.Sequence):
        found.append(f"model_registry_readers is {show(readers)} but must be a list of names of hosts.")
        readers = ()
    if not isinstance(tokens, t.Mapping):
        found.append("model_registry_tokens must map what each token is called to the token.")
        tokens = {}
    for name in (*readers, *tokens):
        if not _NAME.fullmatch(str(name)):
            found.append(
                f"{show(name)} in model_registry_readers or model_registry_tokens must have letters, digits, dots,"
                " underscores and hyphens, 63 at most."
            )
    found += [
        f"model_registry_tokens['{name}'] must have 32 to 200 letters, digits, dots, underscores and hyphens, such as"
        " openssl rand -hex 32 makes."  # and not what it is
        for name, token in tokens.items()
        if not _TOKEN.fullmatch(str(token))
    ]
    if len({str(token) for token in tokens.values()}) != len(tokens):
        found.append("model_registry_tokens has one token twice. Give each its own, so that one can be taken back.")
    return found
