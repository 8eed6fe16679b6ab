# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OneGate, to which a virtual machine of OpenNebula tells what others may know of it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import socket
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url

from .._base.errors import FedopsError
from .machine import assignments

TIMEOUT = 20  # seconds
_PORTS = {"http": 80, "https": 443}


class OneGateError(FedopsError):
    """OneGate does not answer, or refuses this machine."""


@dataclass(frozen=True)
class OneGate:
    """Where a machine reaches OneGate, and as whom; the token stands in no message."""

    endpoint: str
    machine: str
    token: str = field(repr=False)
    validate_certs: bool = True

    def told(self) -> dict[str, str]:
        """What the machine has told so far, and what its template says beside."""
        found = self._asked("GET", None)
        try:
            return dict(json.loads(found)["VM"]["USER_TEMPLATE"])
        except (ValueError, KeyError, TypeError) as error:
            raise OneGateError(f"OneGate at {self.endpoint} answers with something else than a machine.") from error

    def tell(self, facts: Mapping[str, str]) -> None:
        """A line for each: OneGate takes them as text of a template, and knows no quoting in all of its releases."""
        self._asked("PUT", "\n".join(f"{name}={value}" for name, value in facts.items()))

    def address(self) -> str:
        """Return the address of this machine that is on the way to OneGate."""
        where = urlsplit(self.endpoint)
        try:
            with socket.create_connection((where.hostname, where.port or _PORTS[where.scheme]), TIMEOUT) as way:
                return str(way.getsockname()[0])
        except (OSError, KeyError, ValueError) as error:
            raise OneGateError(
                f"OneGate at {self.endpoint} does not answer: {error}. Run the playbook again."
            ) from error

    def _asked(self, method: str, data: str | None) -> t.Any:
        headers = {"X-ONEGATE-TOKEN": self.token, "X-ONEGATE-VMID": self.machine}
        try:
            with open_url(
                f"{self.endpoint.rstrip('/')}/vm", method=method, data=data, headers=headers, timeout=TIMEOUT,
                use_proxy=False, validate_certs=self.validate_certs, follow_redirects="none",
            ) as answer:  # fmt: skip
                return answer.read()
        except HTTPError as error:
            raise OneGateError(
                f"OneGate at {self.endpoint} refuses machine {self.machine} ({error.code}). Look whether its token is"
                " still that of its context."
            ) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise OneGateError(f"OneGate at {self.endpoint} does not answer: {why}. Run the playbook again.") from error


def onegate(variables: str, token: t.Callable[[], str], validate_certs: bool = True) -> OneGate | None:
    """OneGate as the text of a context names it, or nothing where the machine was given no token.

    C(token) reads it where the text has it not.
    """
    context = assignments(variables)
    endpoint, machine = context.get("ONEGATE_ENDPOINT", ""), context.get("VMID", "")
    given = context.get("TOKENTXT", "")
    if not given and context.get("TOKEN", "").lower() in ("yes", "true"):
        given = token()
    return OneGate(endpoint, machine, given.strip(), validate_certs) if endpoint and machine and given.strip() else None
