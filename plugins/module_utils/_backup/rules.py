# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup is asked for with, and what must be in one.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.notation import is_unset
from .sealing import AGE, METHODS, VAULT

MAKE, OPEN = "make", "open"
# What each step needs of the variables, by the way of sealing.
_NEEDS = {(AGE, MAKE): "age_recipients", (AGE, OPEN): "age_identity", (VAULT, OPEN): "vault_password"}
_TO_AGE = "Set backup_method to age and backup_age_recipients to public keys of age (age-keygen makes a pair of keys)."
# The link to the newest checkpoint is no checkpoint, and a backup has none.
_LINK = "checkpoint_latest"


def problems(given: t.Mapping[str, t.Any], step: str, has_age: bool) -> list[str]:
    """Return what is wrong with the variables C(backup_*), one sentence each.

    C(given) has them without their prefix; C(step) is to make a backup or to open one. C(has_age) tells whether the
    controller has the program age.
    """
    directory, method = given.get("directory"), str(given.get("method") or "")
    found = []
    if not re.match("/.", str(directory or "")):
        found.append(
            f"backup_directory is {_shown(directory)} but must be the absolute path of a directory on the controller,"
            " one for each backup."
        )
    if method not in METHODS:
        return [*found, f"backup_method is {_shown(method)} but must be {AGE}, or {VAULT} to open an older backup."]
    if method == VAULT and step == MAKE:
        return [*found, f"backup_method is {VAULT}, which only opens backups of earlier releases. {_TO_AGE}"]
    name = _NEEDS[method, step]
    if is_unset(given.get(name)) or not given[name]:
        found.append(f"backup_{name} is not set, which backup_method={method} needs.")
    if method == AGE and not has_age:
        found.append("The controller has no program age, which backup_method=age needs. Install the package age.")
    return found


def opened_problems(authority: t.Sequence[str], checkpoints: t.Iterable[str]) -> list[str]:
    """Return what a backup lacks that has been opened.

    C(authority) are the files of the certificate authority, C(checkpoints) what was found to be wrong with checkpoints.
    """
    # They may have any names, but a certificate and a key are two.
    lacking = [] if len(authority) == 2 else ["The backup lacks the certificate authority or its key."]
    return lacking + [problem for problem in checkpoints if _LINK not in problem]


def _shown(value: t.Any) -> t.Any:
    return "not set" if is_unset(value) else value
