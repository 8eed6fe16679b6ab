# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the collection's files to the path its name asks for.

ansible-test refuses a path with a symbolic link in it, and ansible-galaxy would pack whatever lies about in the
checkout: both get a copy of the files that git tracks or would track.

Usage: python tools/tree.py COLLECTIONS_DIRECTORY
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = (".git", "tests/output")  # what the copy has of its own: its repository and ansible-test's environments


def source_files() -> set[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in names if name and ((ROOT / name).is_file() or (ROOT / name).is_symlink())}


def stale(tree: Path, wanted: set[str]) -> list[Path]:
    files = [path for path in tree.rglob("*") if path.is_symlink() or not path.is_dir()]
    names = [(path, path.relative_to(tree).as_posix()) for path in files]
    return [
        path for path, name in names if name not in wanted and not any(name.startswith(f"{kept}/") for kept in KEPT)
    ]


def copy(name: str, tree: Path) -> None:
    target = tree / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(ROOT / name, target, follow_symlinks=False)


def main(collections: Path) -> None:
    tree = collections / "ansible_collections" / "fedops" / "flower"
    tree.mkdir(parents=True, exist_ok=True)
    wanted = source_files()
    for path in stale(tree, wanted):
        path.unlink()
    for name in sorted(wanted):
        copy(name, tree)
    # A repository of its own: otherwise git, asked inside the copy, says that the checkout ignores all of it.
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(tree)], check=True)
    print(tree)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
