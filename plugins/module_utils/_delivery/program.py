# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a package of a model, and unpack it with --into. It says what it found as one object of JSON.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing as t

from .contents import PackageError
from .opening import MOST_PACKAGE_BYTES, Trust, unpack, verify_package

NOT_TAKEN = 1


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fedops-package", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", help="the .tar.gz, with its .sig and .crt beside it")
    parser.add_argument("--ca", required=True, help="certificate of the federation's authority")
    parser.add_argument("--base-sha256", help="SHA-256 of the base model that is here")
    parser.add_argument("--most-bytes", type=int, default=MOST_PACKAGE_BYTES, help="refuse a larger package")
    parser.add_argument("--into", help="directory to unpack it in, to a folder of its name")
    asked = parser.parse_args(arguments)
    try:
        with open(asked.ca, "rb") as stream:
            trust = Trust(stream.read(), asked.base_sha256, asked.most_bytes)
        found = unpack(asked.package, trust, asked.into) if asked.into else verify_package(asked.package, trust)
    except ImportError:
        sys.stderr.write("The library cryptography is not here: install python3-cryptography.\n")
        return NOT_TAKEN
    except (PackageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_TAKEN
    told = {"package": found.package, "sha256": found.sha256, "folder": found.folder, "manifest": dict(found.manifest)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0
