# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's command line so that it never imports an app, and never writes its own configuration.

Flower 1.41 looks for the modules of an app before it builds it, and imports their packages on the way: code of whoever
wrote the app would run as whoever builds it. Here modules are looked for as files. Flower reads them, as text.

It also takes connections out of the pyproject.toml of an app that it submits, and would talk to them from then on.
The connections of a host are those that it was deployed with.

Why a run has ended is whatever its app has said, in any length. A few such runs would keep a listing from ending, that
of everybody's runs. Here each is listed with the beginning of its reason.

C(fab DIRECTORY) is a command of ours: it writes what the app is, as a line of JSON, and then its FAB. C(serve) is
another: it loads Flower once for all calls that come through its standard input, a socket. Each packet has the words of
a call in JSON, and two descriptors, for what it says and for what goes wrong. A packet with the exit status answers.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HOME = Path(__file__).resolve().parents[1]
# begin: quiet (tools/generate.py writes it)
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
# end: quiet
WITH_AN_APP = ("run", "build", "fab")
LISTINGS = ("list", "ls")
REASON = 3500  # characters
MOST_WORDS = 1 << 16  # bytes


def find_module(name: str) -> SimpleNamespace | None:
    """Return where the file of a module lies, as importlib.util.find_spec does, but import nothing."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for root in map(Path, sys.path):
        if (found := _find_below(root, parts)) is not None:
            return SimpleNamespace(origin=str(found))
    return None


def _find_below(folder: Path, parts: list[str]) -> Path | None:
    for part in parts[:-1]:
        inner = folder / part
        # A module of that name is taken before a folder that is no package.
        if not (inner / "__init__.py").is_file() and (folder / f"{part}.py").is_file():
            return None
        folder = inner
    files = (folder / parts[-1] / "__init__.py", folder / f"{parts[-1]}.py")
    return next((file for file in files if file.is_file()), None)


def tame() -> None:
    """Have Flower look for modules as files, and leave its configuration alone."""
    importlib.import_module("flwr.supercore.object_ref").find_spec = find_module
    run = importlib.import_module("flwr.cli.run.run")
    run.migrate = lambda *_arguments, **_more: None
    # It was looked at when it was deployed.
    run.load_and_validate = functools.partial(run.load_and_validate, check_module=False)


def shorten_reasons() -> None:
    """Have a listing end, whatever apps have said."""
    listing = importlib.import_module("flwr.cli.ls")
    write = listing._to_json

    def write_shortened(rows: list[Any]) -> str:
        for row in rows:
            if len(row.details) > REASON:
                row.details = f"{row.details[:REASON]} ... ({len(row.details) - REASON} more characters)"
        return str(write(rows))

    listing._to_json = write_shortened


def write_fab(directory: str) -> None:
    """Write what an app is, and its FAB."""
    from flwr.cli.build import build_fab_from_disk
    from flwr.cli.config_utils import load_and_validate

    app = Path(directory).resolve()
    config, _warnings = load_and_validate(app / "pyproject.toml")
    fab = build_fab_from_disk(app)
    about = {
        "publisher": config["tool"]["flwr"]["app"]["publisher"],
        "name": config["project"]["name"],
        "version": config["project"]["version"],
    }
    sys.stdout.buffer.write(json.dumps(about).encode("ascii") + b"\n" + fab)


def serve() -> bool:
    """Answer calls until nobody asks any more; return True in the child that each is."""
    importlib.import_module("flwr.cli.app")
    asked = socket.socket(fileno=sys.stdin.fileno())
    asked.send(b"ready")
    while True:
        words, descriptors, *_more = socket.recv_fds(asked, MOST_WORDS, 2)
        if not words:
            return False
        child = os.fork()
        if child == 0:
            asked.detach()
            nothing = os.open(os.devnull, os.O_RDONLY)
            for number, descriptor in enumerate([nothing, *descriptors]):
                os.dup2(descriptor, number)
                os.close(descriptor)
            sys.argv[1:] = json.loads(words)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def main() -> None:
    """Do as the command line says."""
    for name, value in {"FLWR_HOME": str(HOME / "control" / ".flwr"), **QUIET}.items():
        os.environ.setdefault(name, value)
    if sys.argv[1:] == ["serve"] and not serve():
        return
    command = "".join(sys.argv[1:2])
    if command in WITH_AN_APP:
        tame()
    if command in LISTINGS:
        shorten_reasons()
    if command == "fab":
        try:
            write_fab(sys.argv[2])
        except Exception as error:  # Flower has many, all of which say what is wrong with the app
            sys.exit(str(error) or type(error).__name__)
    else:
        from flwr.cli.app import app

        app()


if __name__ == "__main__":
    main()
