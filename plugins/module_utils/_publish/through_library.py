# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that are reached through a library of others: C(program) asks it, on a Python that has it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
import typing as t

from .._base.jsonable import harmless, loads
from .destinations import PackageManifest
from .gate import PublishError

_PATIENCE = 6 * 3600  # seconds for all files of a model; silence of a server ends it much sooner
_LONGEST_TOKEN = 4096
_WORDS = 600  # of a problem
_OF_THE_NETWORK = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class PlaceWithLibrary:
    """A repository or registry."""

    def __init__(
        self, to: str, options: t.Mapping[str, t.Any], token: str, python: t.Callable[[], str], program: bytes
    ) -> None:
        self._to, self._options, self._token = to, dict(options), token
        self._python, self._program = python, program

    def obstacle(self) -> str:
        try:
            answer = self._answer("obstacle")
        except PublishError as error:
            return str(error)
        problem = answer.get("problem") or answer.get("obstacle")
        return f"{self._where} cannot be reached: {problem}." if problem else ""

    def holds(self, manifest: PackageManifest) -> bool:
        return bool(self._ask("holds", manifest=manifest).get("holds"))

    def put(self, folder: str, manifest: PackageManifest) -> None:
        self._ask("put", manifest=manifest, folder=folder)

    def place(self, manifest: PackageManifest) -> str:
        if self._to == "mlflow":
            return f"models:/{self._options['dest']}@{manifest['package']}"
        return f"{self._where}/tree/{manifest['package']}"

    @property
    def _where(self) -> str:
        if self._to == "mlflow":
            return f"models:/{self._options['dest']}"
        return f"{str(self._options.get('endpoint') or 'https://huggingface.co').rstrip('/')}/{self._options['dest']}"

    def _ask(self, act: str, **more: t.Any) -> dict[str, t.Any]:
        answer = self._answer(act, **more)
        if problem := answer.get("problem"):
            raise PublishError(
                f"Nothing can be published to {self._where}: {problem}. A second run brings what is missing."
            )
        return answer

    def _answer(self, act: str, **more: t.Any) -> dict[str, t.Any]:
        """Have the program ask, in a home of its own, which nothing of ours is in."""
        asked = {"act": act, "to": self._to, "options": self._options, "token": self._token, **more}
        with tempfile.TemporaryDirectory(prefix="fedops-") as scratch:
            path = os.path.join(scratch, "program.pyz")
            with open(path, "xb") as stream:
                stream.write(self._program)
            try:
                done = subprocess.run(
                    [self._python(), "-I", "-B", path],
                    input=json.dumps(asked).encode("ascii"),
                    capture_output=True,
                    cwd=scratch,
                    env={"HOME": scratch, "TMPDIR": scratch, "PATH": os.defpath, "LANG": "C.UTF-8", **_network()},
                    timeout=_PATIENCE,
                    check=False,
                )
                answer = loads(done.stdout)
            except (OSError, subprocess.TimeoutExpired) as error:
                return {"problem": str(error).rstrip(".")}
            except ValueError:
                words = done.stderr.decode("utf-8", "replace").strip().splitlines()
                why = words[-1].rstrip(".") if words else f"the program ended with {done.returncode}"
                return {"problem": harmless(f"{self._to} is not asked, {why}", _WORDS)}
        return answer if isinstance(answer, dict) else {"problem": "the library has given no answer"}


def token_in(path: str) -> str:
    """Return the token in a file that its owner alone may read; PublishError for any other."""
    if not path:
        return ""
    try:
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
            text = stream.read(_LONGEST_TOKEN).decode("ascii", "replace").strip()
    except OSError as error:
        raise PublishError(
            f"publish_token_file is {path}, which cannot be read: {error.strerror}. It is a file on the controller."
        ) from error
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o077:
        raise PublishError(
            f"publish_token_file is {path}, which must be a file of root or of the account that runs Ansible, with mode"
            " 0600. Give it that mode."
        )
    if not text or not text.isprintable() or " " in text:
        raise PublishError(f"publish_token_file is {path}, which must hold one word, the token, and nothing else.")
    return text


def _network() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.lower() in _OF_THE_NETWORK}
