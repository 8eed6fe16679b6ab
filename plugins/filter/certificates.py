# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import as_list
from ansible_collections.fedops.flower.plugins.module_utils._certificates import authority, server


def certificate_authority(asked: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = authority.found(asked["directory"], asked["certificate"], asked["private_key"])
    except OSError as error:
        raise AnsibleFilterError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return {"exists": found.exists, "missing": found.is_missing, "checksum": found.checksum or ""}


def certificate_authority_problem(
    asked: Mapping[str, str],
    trusted: str,
    superlink: str,
    superlink_is_known: bool,
    replace: bool = False,
    forgets: bool = False,
) -> str:
    found = authority.found(asked["directory"], asked["certificate"], asked["private_key"])
    return (
        authority.problem(found, authority.Host(trusted or None, superlink, superlink_is_known, replace, forgets)) or ""
    )


def certificate_directory(inventory: str | None, sources: Iterable[str] = ()) -> str:
    return authority.usual_directory(inventory or "", sources)


def subject_alt_names(
    names: Iterable[str],
    addresses: Iterable[str] = (),
    extra: Iterable[str | Sequence[str]] = (),
    present: Iterable[str] = (),
) -> list[str]:
    return server.subject_alt_names(names, addresses, [name for one in extra for name in as_list(one)], present)


def days_left(not_after: str) -> int:
    try:
        return server.days_left(not_after)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"{not_after!r} is no moment such as 20261231235959Z.") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "certificate_authority": certificate_authority,
            "certificate_directory": certificate_directory,
            "certificate_authority_problem": certificate_authority_problem,
            "days_left": days_left,
            "subject_alt_names": subject_alt_names,
        }
