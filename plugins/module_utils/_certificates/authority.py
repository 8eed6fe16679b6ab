# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the certificate authority on the controller is the one of the federation, or one may be made.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass

from .._base.beside import beside_inventory


@dataclass(frozen=True)
class Authority:
    """A certificate authority as it is asked for, and what of it lies on the controller."""

    directory: str  # where one is made; empty where the inventory has no directory of its own
    certificate: str
    private_key: str
    checksum: str | None = None  # SHA-256 of the certificate; None while there is none
    has_key: bool = False

    @property
    def exists(self) -> bool:
        return self.checksum is not None

    @property
    def is_missing(self) -> bool:
        """Neither certificate nor key are there, so that one could be made."""
        return not self.exists and not self.has_key


def found(directory: str, certificate: str, private_key: str) -> Authority:
    """Look for an authority on this machine."""
    checksum = None
    if os.path.isfile(certificate):
        with open(certificate, "rb") as stream:
            checksum = hashlib.sha256(stream.read()).hexdigest()
    return Authority(directory, certificate, private_key, checksum, os.path.exists(private_key))


def usual_directory(inventory: str, sources: t.Iterable[str] = ()) -> str:
    """Return where an authority is kept, beside the inventory of the SuperLink; empty where that has no directory."""
    return beside_inventory(inventory, sources, "certificates")


@dataclass(frozen=True)
class Host:
    """What speaks for or against an authority on one host of the federation."""

    trusted: str | None  # checksum of the certificate that the host trusts
    superlink: str
    superlink_is_known: bool  # it takes part in this play, or is about to have an authority made
    replace: bool = False
    forgets: bool = False  # what is made on the controller now ends with this job


def relative_problem(variable: str, path: str) -> str | None:
    """Refuse a path that leads from where Ansible happens to look."""
    if not path or path.startswith(("/", "~")):
        return None
    return (
        f"{variable} is {path} but must be an absolute path on the controller: Ansible would take this one as relative"
        " to the collection. Begin it, or certificates_ca_directory, with '{{ inventory_dir }}/' to keep it beside the"
        " inventory."
    )


def problem(it: Authority, host: Host) -> str | None:
    """Return the first rule that is broken; the later ones ask for what the earlier ones have made sure of."""
    if it.certificate == "/ca.crt":  # below no directory
        return (
            "certificates_ca_directory is empty, and this inventory has no directory of its own."
            " Set certificates_ca_directory to a directory on the controller that is kept."
        )
    for name, path in (("certificate", it.certificate), ("private_key", it.private_key)):
        if told := relative_problem(f"certificates_ca_{name}", path):
            return told
    said = f"certificates_ca_certificate is {it.certificate}"
    if it.exists:
        return None if host.replace or host.trusted in (None, it.checksum) else f"{said}, {_ANOTHER}"
    if it.has_key:
        return (
            f"{said}, which does not exist, but its private key {it.private_key} does. Put the certificate back beside"
            " its key, or remove the key when no host has ever trusted it."
        )
    if {os.path.dirname(it.certificate), os.path.dirname(it.private_key)} != {it.directory}:
        return f"{said} and certificates_ca_private_key is {it.private_key}, {_NOT_THERE}"
    if host.trusted is not None and not host.replace:
        return f"{said}, which does not exist on the controller, {_LOST}"
    if not host.superlink_is_known:
        return (
            f"{said}, which does not exist on the controller, and {host.superlink} is not part of this play, so that"
            f" nobody knows which one it trusts. Put ca.crt and ca.key back there, or run site for {host.superlink}"
            " first. Who runs a site alone needs ca.crt, which the operator of the SuperLink has."
        )
    return f"{said}, {_FORGOTTEN}" if host.forgets else None


_ANOTHER = (
    "but this host trusts another certificate authority. Point certificates_ca_certificate and"
    " certificates_ca_private_key at the one that made the federation, or give the whole federation this one with"
    " certificates_replace_ca=true."
)
_NOT_THERE = (
    "and neither exists on the controller. Put your certificate authority there, or leave both variables unset to have"
    " one made in certificates_ca_directory."
)
_FORGOTTEN = (
    "which does not exist, and one that is made in this job of AWX would be thrown away with it, with the key that"
    " every later job needs. Give the job template that of the federation as a credential, or one that you have made"
    " once: docs/awx.md says how."
)
_LOST = (
    "but this host already trusts a certificate authority. Put ca.crt and ca.key back there (an execution environment"
    " forgets its files: point certificates_ca_certificate and certificates_ca_private_key at files that are mounted or"
    " injected), or give the whole federation a new one with certificates_replace_ca=true."
)
