# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of Flower on the SuperLink host, as functions that return data or raise FlwrError.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .._base import identity
from .._base.bounded import Done, Keeper, ShortTexts, Tail, run
from .._base.errors import NotDeployedError
from .._base.guarded import status
from .._base.jsonable import harmless, without_colours
from .._base.layout import folder
from . import assumptions as flower
from .answers import (
    FlwrError,
    FlwrMissingError,
    FlwrUnreachableError,
    Node,
    Run,
    Submission,
    error_of,
    node_of,
    parse,
    run_of,
)
from .warm import WarmFlwr

_TIMEOUT = 120  # seconds; a call takes one or two, a submission builds a FAB on top
LOG_TIMEOUT = 20  # seconds; flwr log may wait for ever
LOG_LINE = 1000  # characters of a line of a log


@dataclass(frozen=True)
class _Client:
    """How Flower's command line is called: by which account, as which program, with which folders."""

    user: str
    executable: str
    home: str
    flwr_home: str


def _client(home: str) -> _Client:
    """Return how it is called on this host.

    Where trainings still belong to the account of the ServerApps, the host is from before there were several accounts,
    and until it is migrated. Its command line serves for all that needs no app.
    """
    trainings = status(folder(home, "trainings"))
    if trainings is not None and os.geteuid() == 0 and identity.APPS_USER != identity.CONTROL_USER:
        with suppress(KeyError):
            if trainings.st_uid == pwd.getpwnam(identity.APPS_USER).pw_uid:
                venv, flwr_home = os.path.join(home, "venv", "bin", "flwr"), os.path.join(home, "app", ".flwr")
                return _Client(identity.APPS_USER, venv, home, flwr_home)
    executable = os.path.join(folder(home, "bin"), "flwr")
    return _Client(identity.CONTROL_USER, executable, folder(home, "control"), folder(home, "control/.flwr"))


class Flwr:
    """The C(flwr) of the virtual environment below C(home), talking to one configured SuperLink connection."""

    def __init__(self, home: str, superlink: str = "local", check_mode: bool = False) -> None:
        self.home = home
        self.superlink = superlink
        self.check_mode = check_mode  # a host may not be deployed yet then, and knows of nothing
        self._warm: WarmFlwr | None = None
        self._stays = False

    @contextmanager
    def staying(self) -> t.Iterator[Flwr]:
        """Have the command line stay loaded from the first call in here to the last."""
        self._stays = True
        try:
            yield self
        finally:
            self._stays = False
            if self._warm:
                self._warm.close()
                self._warm = None

    def runs(self) -> list[Run]:
        """Return every run that the SuperLink knows."""
        return [run_of(row) for row in self._rows(flower.RUN_ROWS, flower.LIST_RUNS, self.superlink)]

    def submit(self, app: str, run_config: str | None = None) -> Submission:
        """Submit a run of the app in a folder; return once the SuperLink has accepted it."""
        # A file, because a command line can be read by everybody on the host.
        client = _client(self.home)
        if client.user != identity.CONTROL_USER:
            raise FlwrMissingError(
                f"{self.home} is as an earlier version has left it, and no run is submitted from there. Deploy"
                " this host first (playbook fedops.flower.site)."
            )
        with scratch("run_config.toml", run_config or "", client.user) as path:
            given = [flower.RUN_CONFIG_OPTION, path] if run_config else []
            answer = self._json(flower.SUBMIT_RUN, app, self.superlink, *given)
        return Submission(str(answer[flower.RUN_ID]), str(answer[flower.FAB_HASH]))

    def stop(self, run_id: str) -> bool:
        """Stop a run; tell whether there was something to stop."""
        codes = (flower.RUN_ALREADY_FINISHED, flower.RUN_NOT_FOUND)
        return self._unless(flower.STOP_RUN, run_id, self.superlink, codes=codes)

    def log(self, run_id: str, lines: int) -> list[str]:
        """Return the last lines of a run's log. Do not ask for a run that is C(SILENT)."""
        try:
            done = self._call(Tail(), flower.SHOW_LOG, run_id, self.superlink, flower.SHOW_OPTION, timeout=LOG_TIMEOUT)
        except subprocess.TimeoutExpired:
            return []
        if done.returncode != 0:
            raise error_of(done.stderr or done.stdout)
        text = without_colours(done.stdout).strip()
        kept = [line for line in text.splitlines() if not line.startswith(flower.LOG_HEADING)]
        return [harmless(line, LOG_LINE) for line in kept[-lines:]]

    def supernodes(self) -> list[Node]:
        """Return every SuperNode that the SuperLink knows, unregistered ones as well."""
        return [node_of(row) for row in self._rows(flower.NODE_ROWS, *flower.LIST_NODES, self.superlink)]

    def register(self, name: str, public_key: str) -> str:
        """Register a SuperNode by its public key; return its node id."""
        with scratch("supernode.pub", public_key.strip() + "\n", _client(self.home).user) as path:
            answer = self._json(*flower.REGISTER_NODE, path, self.superlink, flower.NAME_OPTION, name)
        return str(answer[flower.NODE_FIELDS["node_id"]])

    def unregister(self, node_id: str) -> bool:
        """Unregister a SuperNode; tell whether there was one."""
        return self._unless(*flower.UNREGISTER_NODE, node_id, self.superlink, codes=[flower.NODE_NOT_FOUND])

    def _rows(self, key: str, *arguments: str) -> list[dict[str, t.Any]]:
        try:
            rows: list[dict[str, t.Any]] = self._json(*arguments)[key]
        except FlwrMissingError:
            if self.check_mode:
                return []
            raise
        return rows

    def _unless(self, *arguments: str, codes: t.Sequence[int]) -> bool:
        """Run a command; return False when Flower says, by one of these codes, that there was nothing to do."""
        try:
            self._json(*arguments)
        except FlwrError as error:
            if error.code in codes:
                return False
            raise
        return True

    def _json(self, *arguments: str) -> dict[str, t.Any]:
        try:
            done = self._call(ShortTexts(), *arguments, flower.FORMAT_OPTION, "json")
        except subprocess.TimeoutExpired as error:
            command = " ".join(arguments[:2])
            raise FlwrUnreachableError(f"flwr {command} did not answer within {_TIMEOUT} s.") from error
        return parse(done.stdout, done.stderr)

    def _call(self, said: Keeper, *arguments: str, timeout: int = _TIMEOUT) -> Done:
        client = _client(self.home)
        account = _account_of(client.user)
        identity: dict[str, t.Any] = {}
        if account is not None:
            identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # The caller's folder may be closed to the account.
        how = {"env": _environment(self.home, client), "cwd": "/", **identity}
        try:
            if self._stays and self._warm is None:
                self._warm = WarmFlwr(client.executable, how)
            if self._warm and self._warm.is_ready:
                return self._warm.run(arguments, timeout, said)
            return run([client.executable, *arguments], timeout, said, **how)
        except OSError as error:
            raise FlwrMissingError(
                f"{client.executable} cannot be run: {error.strerror}."
                " Deploy this host first (role fedops.flower.runtime)."
            ) from error


def _environment(home: str, client: _Client) -> dict[str, str]:
    return {
        "PATH": f"{home}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": client.home,
        "FLWR_HOME": client.flwr_home,
        **flower.QUIET,
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "1000",
        "NO_COLOR": "1",
    }


def _account_of(user: str) -> pwd.struct_passwd | None:
    """Return an account when we are root; a host without it is without Flower."""
    try:
        return identity.account_of(user)
    except NotDeployedError as error:
        raise FlwrMissingError(str(error)) from error


@contextmanager
def scratch(name: str, text: str, user: str | None = None) -> t.Iterator[str]:
    """Give a temporary file that only one account can read: that of the command line, unless another is named."""
    user = user or identity.CONTROL_USER
    _account_of(user)
    with identity.as_account(user):
        # Root's own folder for temporary files may be closed to the account.
        folder_path = tempfile.mkdtemp(prefix="fedops-flwr-", dir="/tmp")
        path = os.path.join(folder_path, name)
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    try:
        yield path
    finally:
        with identity.as_account(user):
            shutil.rmtree(folder_path, ignore_errors=True)
