#!/usr/bin/env python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Join a federation from where there is neither systemd nor root, such as a notebook: make a key, and be a SuperNode.

It needs what the operator of the SuperLink has sent, invitation.yml, and what `pip install flwr` brings. The first run
prints what to send back. Until the operator has admitted the key it tries again; then it takes part in trainings, until
it is stopped. Whatever an app does here it does with all that this account may: use a machine that has nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
FLEET_PORT = 9092
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds between two tries
ENOUGH = 60.0  # seconds that it has run, after which a try is the first one again


class JoinError(Exception):
    """It cannot join; the message says why, and what to do."""


@dataclass(frozen=True)
class Invitation:
    """Where the SuperLink is, and the authority that has signed its certificate."""

    address: str
    port: int
    authority: str

    @classmethod
    def read(cls, path: Path) -> Invitation:
        """Read what `fedops.flower.invite` has written."""
        try:
            said = yaml.safe_load(path.read_text("utf-8"))
            ((address, host),) = said["superlink"]["hosts"].items()
            authority = said["all"]["vars"]["join_authority"]
            ssl.PEM_cert_to_DER_cert(authority.strip())
            return cls(str(address), int((host or {}).get("superlink_fleet_port", FLEET_PORT)), authority)
        except OSError as error:
            raise JoinError(f"{path} cannot be read: {error.strerror}.") from error
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise JoinError(f"{path} is no invitation. Ask the operator of the SuperLink for another one.") from error

    @property
    def fingerprint(self) -> str:
        """Return what to compare with the operator, by phone for example."""
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.authority.strip())).hexdigest().upper()
        return ":".join(digest[begin : begin + 2] for begin in range(0, len(digest), 2))


@dataclass(frozen=True)
class Worker:
    """A SuperNode of this account: its name, its data, and the folder that has its key."""

    name: str
    data: Path
    folder: Path
    port: int  # of its Runtime API, on the loopback

    def prepare(self, invitation: Invitation) -> str:
        """Make what is not there yet; return the public key."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = self.folder / "ca.crt"
        if not authority.exists():
            authority.write_text(invitation.authority)
        elif authority.read_text().strip() != invitation.authority.strip():
            raise JoinError(
                f"{authority} is another certificate authority than that of the invitation. Ask the operator of the"
                " SuperLink for its fingerprint. If it is that of the invitation, move the file away."
            )
        key = self.folder / "supernode.key"
        if not key.exists():
            _make_key(key)
        loaded: Any = serialization.load_ssh_private_key(key.read_bytes(), None)
        return (
            loaded.public_key()
            .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
            .decode("ascii")
        )

    def command(self, invitation: Invitation) -> list[str]:
        """Return what runs Flower's SuperNode, which starts the ClientApps itself."""
        config = {"site": self.name, "data-path": str(self.data)}
        host = f"[{invitation.address}]" if ":" in invitation.address else invitation.address
        return [
            str(Path(sys.executable).with_name("flower-supernode")),
            "--superlink", f"{host}:{invitation.port}",
            "--root-certificates", str(self.folder / "ca.crt"),
            "--auth-supernode-private-key", str(self.folder / "supernode.key"),
            "--node-config", " ".join(f"{key}={json.dumps(value)}" for key, value in config.items()),
            "--host", "127.0.0.1", "--port", str(self.port),
        ]  # fmt: skip

    def request(self, public_key: str) -> str:
        """Return what the operator needs to admit it: names and a public key, nothing secret."""
        entry = {"name": self.name, "site": self.name, "public_key": public_key}
        lines = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in entry.items())
        return f"superlink_external_supernodes:\n{lines.replace('    ', '  - ', 1)}"


def _make_key(path: Path) -> None:
    """Write a key of the kind that Flower takes; it never leaves this machine."""
    text = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(text)


def keep_running(command: list[str], environment: dict[str, str]) -> None:
    """Run the SuperNode, and again whenever it ends: it does until it is admitted, and when the SuperLink restarts."""
    quiet = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", **environment}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it starts others by name
    pause = FIRST_PAUSE
    while True:
        began = time.monotonic()
        with subprocess.Popen(command, env={**os.environ, **quiet, "PATH": path}) as process:
            try:
                status = process.wait()
            finally:
                process.terminate()
        pause = FIRST_PAUSE if time.monotonic() - began > ENOUGH else pause
        print(f"The SuperNode has ended with status {status}. It is tried again in {pause:.0f} s.", flush=True)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def main(arguments: list[str] | None = None) -> int:
    """Prepare, say what is left to do, and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--invitation", type=Path, required=True, help="what the operator of the SuperLink has sent")
    parser.add_argument("--name", required=True, help="name of this worker, which no other has")
    parser.add_argument("--data", type=Path, required=True, help="directory with the data")
    parser.add_argument("--folder", type=Path, default=Path.home() / "fedops-worker", help="for the key (%(default)s)")
    parser.add_argument("--port", type=int, default=9094, help="on the loopback, for its ClientApps (%(default)s)")
    parser.add_argument("--only-prepare", action="store_true", help="make the key, and do not run")
    asked = parser.parse_args(arguments)
    try:
        if not NAME.fullmatch(asked.name):
            raise JoinError(f"--name is {asked.name!r} but must be letters, digits, dots, hyphens and underscores.")
        if not asked.data.is_dir():
            raise JoinError(f"--data is {asked.data}, which is no directory. Put the data there first.")
        invitation = Invitation.read(asked.invitation)
        worker = Worker(asked.name, asked.data.resolve(), asked.folder.resolve(), asked.port)
        public_key = worker.prepare(invitation)
    except (JoinError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"# The SuperLink is {invitation.address}:{invitation.port}. Compare this with its operator:")
    print(f"# SHA-256 of the certificate authority {invitation.fingerprint}")
    print("# Send this to the operator, who admits the worker:")
    print(worker.request(public_key), flush=True)
    if not asked.only_prepare:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # and its SuperNode ends with it
        with suppress(KeyboardInterrupt):
            keep_running(worker.command(invitation), {"FLWR_HOME": str(worker.folder / ".flwr")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
