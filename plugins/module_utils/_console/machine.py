# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The context of a virtual machine of OpenNebula, as the machine has it: what of it is about Flower.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from bisect import bisect_left

from .._base.notation import is_unset
from .appliance import NOT_ABOUT_TRAINING

_ONEAPP = "ONEAPP_"
_SECRET = re.compile("KEY|PASS|TOKEN|SECRET|CERT|CRT")
# A line of context.sh or of one_env. A value may have several lines, so that it ends with a quote at the end of one.
_BEGIN = re.compile(r"""^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(["'])""", re.M)
_ENDS = {quote: re.compile(quote + r"[ \t]*$", re.M) for quote in "\"'"}
# How an apostrophe within apostrophes is written for a shell, and what stands for it while entries are told apart.
_WRITTEN, _APOSTROPHE = "'\\''", "\0"


def assignments(text: str) -> dict[str, str]:
    """The variables of a file that a shell would source, as a context has it; nothing in it is run."""
    found = {}
    for name, quote, value in _entries(text.replace(_APOSTROPHE, "").replace(_WRITTEN, _APOSTROPHE)):
        plain = re.sub(r"\\([\\\"$`])", r"\1", value) if quote == '"' else value
        found[name] = plain.replace(_APOSTROPHE, "'" if quote == "'" else _WRITTEN)
    return found


def _entries(text: str) -> t.Iterator[tuple[str, str, str]]:
    """Yield the name, the quote and the value of each entry; one that does not end is looked at once."""
    ends = {quote: [found.start() for found in end.finditer(text)] for quote, end in _ENDS.items()}
    at = 0
    while begin := _BEGIN.search(text, at):
        name, quote = begin.groups()
        at = begin.end()
        if (place := bisect_left(ends[quote], at)) < len(ends[quote]):
            end = ends[quote][place]
            yield name, quote, text[at:end]
            at = end + 1


def of_flower(context: t.Mapping[t.Any, object]) -> dict[str, object]:
    """What of a context is about Flower and is set, without the prefix C(ONEAPP_) and without secrets.

    A name that has no prefix comes first.
    """
    found: dict[str, object] = {}
    names = [name for name in context if isinstance(name, str)]
    for name in sorted(names, key=lambda name: name.startswith(_ONEAPP)):
        plain = name[len(_ONEAPP) :] if name.startswith(_ONEAPP) else name
        ours = plain.startswith("FL_") or plain in NOT_ABOUT_TRAINING
        if ours and not _SECRET.search(plain) and not is_unset(context[name]):
            found.setdefault(plain, context[name])
    return found
