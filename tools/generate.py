# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write every file that follows from the table of training variables or from measured figures; or check them all.

tools/generate.py           write
tools/generate.py --check   compare; name the stale files and exit 1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "plugins"))  # so that the table is imported as module_utils, without Ansible

from faces import (
    alerts,
    app,
    continuity,
    endings,
    figures,
    layout,
    parts,
    playbooks,
    reference,
    role,
    strategies,
    surveys,
    synonyms,
    use_cases,
)


def generated() -> dict[Path, str]:
    """The text of every generated file, by its path."""
    files: dict[str, str] = {}
    for face in (
        continuity,
        role,
        reference,
        surveys,
        app,
        figures,
        layout,
        parts,
        playbooks,
        endings,
        synonyms,
        alerts,
    ):
        files.update(face.files(ROOT))
    files.update(strategies.files(ROOT, files))  # on pages that have figures, too
    files.update(use_cases.files(ROOT, files))
    return {ROOT / path: text for path, text in files.items()}


def stale(files: dict[Path, str]) -> list[Path]:
    """The files whose text on disk is another one, and those in a generated folder that nothing generates."""
    different = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    return different + sorted(set((ROOT / app.KNOWLEDGE).rglob("*.py")) - files.keys())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    check = parser.parse_args().check
    files = generated()
    paths = stale(files)
    for path in paths:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is stale. Run tools/generate.py.", file=sys.stderr)
        elif path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
            print(f"{name} written")
        else:
            path.unlink()
            print(f"{name} removed")
    return 1 if check and paths else 0


if __name__ == "__main__":
    sys.exit(main())
