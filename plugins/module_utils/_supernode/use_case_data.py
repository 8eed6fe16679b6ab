# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the data of a site have the form that a use case takes, as far as the files show it without NumPy.

What is in them the task checks itself, in the first round. Nothing of what a file holds is told: a name may lead to
a file of somebody else.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import typing as t
import zipfile
import zlib
from itertools import islice

from .._base.notation import counted
from .._checkpoint.npy import LONGEST
from .._flower.use_cases import USE_CASES

LINES_READ = 1000  # of a text, from its beginning
LONGEST_LINE = 1 << 20  # characters
# The arrays of an archive, which numpy.savez gives members of these names.
ARRAYS: t.Mapping[str, tuple[str, ...]] = {
    "digits": ("x", "y"),
    "image-classification": ("images", "labels"),
    "anomaly-detection": ("x",),
}


def data_flaw(path: str, use_case: str) -> str:
    """Return what keeps a directory from being the data of a site, with what to do; nothing where it may be.

    One that is empty is filled later.
    """
    names = USE_CASES[use_case].data
    found = [name for name in names if os.path.lexists(os.path.join(path, name))]
    if not found:
        return f"holds no {' and no '.join(names)}. Put the data there ({_page(use_case)})" if os.listdir(path) else ""
    try:
        flaw = _flaw(os.path.join(path, found[0]), use_case)
    except OSError:
        flaw = "cannot be read by ClientApps. Let their group read it, or replace it"
    return f"holds {found[0]}, which {flaw} ({_page(use_case)})" if flaw else ""


def _page(use_case: str) -> str:
    return f"docs/use-cases.md, {use_case}"


def _flaw(file: str, use_case: str) -> str:
    status = os.stat(file)
    if not os.path.splitext(file)[1]:
        return _folder_flaw(file, status)
    if not stat.S_ISREG(status.st_mode):
        return "is no file. Replace it"
    try:
        if file.endswith(".npz"):
            return _archive_flaw(file, ARRAYS[use_case])
        with open(file, encoding="utf-8-sig", newline="") as stream:
            lines = islice(iter(lambda: stream.readline(LONGEST_LINE), ""), LINES_READ)
            return _table_flaw(lines) if file.endswith(".csv") else _objects_flaw(lines)
    except UnicodeDecodeError:
        return "is no UTF-8 text. Write it anew"


def _folder_flaw(folder: str, status: os.stat_result) -> str:
    if not stat.S_ISDIR(status.st_mode):
        return "is no folder. Make it one, with a folder for each class"
    if not any(os.path.isdir(os.path.join(folder, name)) for name in os.listdir(folder)):
        return "has no folder of a class. Give each class one, with its images"
    return ""


def _archive_flaw(file: str, arrays: t.Sequence[str]) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            for name in arrays:
                if f"{name}.npy" not in archive.namelist():
                    return f"lacks the array {name}. Write it with numpy.savez, with {' and '.join(arrays)}"
                with archive.open(f"{name}.npy") as member:
                    if not member.read(LONGEST).startswith(b"\x93NUMPY"):
                        return f"has {name} in a form that NumPy does not write. Write it anew"
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError):
        return "is no archive of NumPy. Write it with numpy.savez"
    return ""


def _table_flaw(lines: t.Iterator[str]) -> str:
    try:
        rows = [row for row in csv.reader(lines) if row]
    except csv.Error:
        return "is no CSV. Write it with commas between the values"
    if len(rows) < 2:
        return "has no rows. It needs a line of names, and then a line of numbers for each row"
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            return f"has {counted(len(row), 'value')} in row {number}, and {counted(len(rows[0]), 'name')}. Correct it"
        if not all(map(_is_number, row)):
            return f"has something that is no number in row {number}. Correct it"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _objects_flaw(lines: t.Iterator[str]) -> str:
    empty = True
    for number, line in enumerate(lines, start=1):
        if line.strip():
            empty = False
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                return f"has no JSON in line {number}. Give each line one object"
            if not isinstance(entry, dict) or not _has_texts(entry):
                return f"has no texts in line {number}. Each needs text, or prompt and completion"
    return "is empty. Give each line one object with text, or with prompt and completion" if empty else ""


def _has_texts(entry: t.Mapping[str, t.Any]) -> bool:
    names = ("text",) if "text" in entry else ("prompt", "completion")
    return all(isinstance(entry.get(name), str) for name in names)
