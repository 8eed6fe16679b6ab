# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables of a registry and of its workers, one sentence each.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.layout import HIGHEST_PORT, PORT
from .._base.notation import show
from .channels import NAME_OF_CHANNEL
from .contents import NAME_OF_PACKAGE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{32,200}")


WORKER_MODES = ("reload", "restart", "signal")
_HASH_OR_NOTHING = re.compile(r"(?:[0-9a-f]{64})?")
_UNIT = re.compile(r"[A-Za-z0-9:_.@-]+\.service")


def worker_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Say what is wrong with the variables C(model_worker_*), by their names without prefix."""
    found = []
    if not given["registry"]:
        found.append(
            "model_worker_registry is not set, and the inventory has no host in the group model_registry. Set it to the"
            " address of a registry, such as https://models.example.org/models."
        )
    elif not str(given["registry"]).startswith("https://"):
        found.append(f"model_worker_registry is {show(given['registry'])} but must begin with https://.")
    rules: tuple[tuple[str, t.Callable[[str], t.Any], str], ...] = (
        ("model", NAME_OF_PACKAGE.fullmatch, "must have 1 to 40 small letters, digits and hyphens"),
        ("channel", NAME_OF_CHANNEL.fullmatch, "must have 1 to 20 small letters, digits and hyphens"),
        ("base_sha256", _HASH_OR_NOTHING.fullmatch, "must have 64 small hexadecimal digits, or be empty"),
        ("mode", WORKER_MODES.__contains__, f"must be one of {', '.join(WORKER_MODES)}"),
        ("unit", _UNIT.fullmatch, "must be the name of a service, such as flower-model.service"),
        ("server", _is_address, "must begin with http:// and name this host; in the mode signal it may be empty"),
        ("check", lambda text: not text or text.startswith("/"), "must be the absolute path of a program"),
        ("interval", lambda text: text.isdecimal() and int(text) > 0, "must be a whole number of seconds, at least 1"),
        ("port", lambda text: text.isdecimal() and 0 < int(text) <= HIGHEST_PORT, f"must be 1 to {HIGHEST_PORT}"),
    )
    found += [
        f"model_worker_{name} is {show(given[name])} but {rule}."
        for name, is_right, rule in rules
        if not is_right("" if given[name] is None else str(given[name]))
    ]
    if given["mode"] == "reload" and not given["server"]:
        found.append("model_worker_server is empty, but in the mode reload it is told of each model. Set its address.")
    if given["token"] and not _TOKEN.fullmatch(str(given["token"])):
        found.append("model_worker_token must have 32 to 200 letters, digits, dots, underscores and hyphens.")
    return found


def registry_address(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """Return where workers find the first registry of an inventory; empty where it has none."""
    if not hosts:
        return ""
    said = hostvars[hosts[0]]
    host, port = said.get("ansible_host") or hosts[0], said.get("model_registry_port") or PORT["model_registry_port"]
    shown = f"[{host}]" if ":" in str(host) else host
    return f"https://{shown}:{port}/models"


def _is_address(text: str) -> bool:
    return not text or text.startswith("http://")


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
