# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real SuperLink and SuperExec with TLS and node authentication, as small as they get."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pwd
import secrets
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from apps import about, pyproject

BIN = Path(sys.executable).parent
LAUNCHER = ROOT / "roles" / "superlink" / "files" / "flwr.py"
START_TIMEOUT = 180

if AnsibleCollectionConfig.collection_finder is None:
    init_plugin_loader([str(ROOT / ".ansible" / "collections")])

APP = {
    "pyproject.toml": about(
        pyproject("testapp", "fedops", "testapp.server:app", "testapp.client:app", num_rounds=2, fail=False),
        description='"Finishes rounds without training anything"',
        license='"GPL-3.0-or-later"',
    ),
    "testapp/__init__.py": "",
    "testapp/client.py": "from flwr.clientapp import ClientApp\n\napp = ClientApp()\n",
    "testapp/server.py": """\
import time
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    for number in range(context.run_config["num-rounds"]):
        print(f"round {number + 1}", flush=True)
        if context.run_config["fail"]:
            raise RuntimeError("the data went away")
        time.sleep(1)
""",
}


def write_certificates(folder: Path) -> None:
    """Make a CA and a certificate for the loopback."""
    now = datetime.datetime.now(datetime.UTC)

    def certify(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    authority = ((x509.BasicConstraints(True, None), True), (usage, True), (identifier, False))
    (folder / "ca.crt").write_bytes(certify("ca", ca_key, "ca", ca_key, *authority))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    server = ((names, False), (signer, False))
    (folder / "server.crt").write_bytes(certify("superlink", key, "ca", ca_key, *server))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def daemon(folder: Path, name: str, *arguments: str):
    """Run one of Flower's daemons until the end of the context."""
    quiet = {
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_HOME": str(folder / "app" / ".flwr"),
    }
    with open(folder / f"{name}.log", "w") as log:
        process = subprocess.Popen(
            [BIN / name, *arguments],
            cwd=folder,
            env={**os.environ, **quiet, "PATH": f"{BIN}:{os.environ['PATH']}"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_healthy(folder: Path, port: int) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            urllib.request.urlopen(f"https://127.0.0.1:{port}/health", timeout=5, context=context).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.fixture(scope="session")
def superlink_home(tmp_path_factory):
    """Start a SuperLink; return the home that the modules would be given."""
    home = tmp_path_factory.mktemp("flower")
    for name, text in APP.items():
        path = home / "app" / "testapp" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in ("state", "bin", "control/.flwr"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    launcher = home / "bin" / "flwr"
    launcher.write_text(f"#!{BIN}/python -I\n" + LAUNCHER.read_text())
    launcher.chmod(0o755)
    write_certificates(home)
    (home / "secret").write_bytes(secrets.token_bytes(32))
    port = free_port()
    (home / "control" / ".flwr" / "config.toml").write_text(
        f'[superlink.local]\naddress = "127.0.0.1:{port}"\nroot-certificates = "{home}/ca.crt"\n'
        f'[superlink.dead]\naddress = "127.0.0.1:{free_port()}"\nroot-certificates = "{home}/ca.crt"\n'
    )
    superlink = (
        f"--port={port} --ssl-certfile=server.crt --ssl-keyfile=server.key --ssl-ca-certfile=ca.crt --isolation=process"
        " --enable-supernode-auth --database=state/state.db --disable-runtime-dependency-installation"
        " --superexec-auth-secret-file=secret"
    )
    superexec = f"--runtime-api-address=127.0.0.1:{port} --root-certificates=ca.crt --superexec-auth-secret-file=secret"
    with ExitStack() as stack:
        stack.enter_context(daemon(home, "flower-superlink", *superlink.split()))
        wait_until_healthy(home, port)
        executor = stack.enter_context(daemon(home, "flower-superexec", *superexec.split()))
        (home / "superexec.pid").write_text(str(executor.pid))
        (home / "port").write_text(str(port))
        yield home


@pytest.fixture(scope="session")
def flwr(superlink_home):
    """Flower's command line, as the modules have it."""
    from ansible_collections.fedops.flower.plugins.module_utils._base import identity
    from ansible_collections.fedops.flower.plugins.module_utils._flower import cli, processes

    with pytest.MonkeyPatch.context() as patch:
        for user in ("APPS_USER", "CONTROL_USER", "STATE_USER"):
            patch.setattr(identity, user, pwd.getpwuid(os.geteuid()).pw_name)
        # The SuperExec here is none of systemd's: its ServerApps are where this process is.
        table = processes.ProcessTable()
        first = table._group(1).removesuffix(processes._OF_SYSTEMD).rstrip("/")
        patch.setattr(processes, "_GROUP", table._group(os.getpid()).removeprefix(first))
        patch.setattr(processes, "uid_of", lambda _name: os.geteuid())
        yield cli.Flwr(str(superlink_home))
