# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a Flower app on Flower's simulation runtime, with sites that are named and have data of their own.

Its last argument is a file of JSON: ``app``, the folder of the app; ``run_config``, as ``flwr run`` takes it;
``sites``, a list of ``name`` and ``data``; ``environment``, variables for the ServerApp; ``cpus`` and ``gpus`` of a
site at work, and ``all_cpus`` of all of them. The app does not know that it is simulated: only the grid of its
ServerApp is another.

With ``--keep`` before it, it does so in a process of its own, which ends when nobody has looked at it for a while: that
is when ``simulation.followed`` beside the file was last written. ``simulation.status`` then says how it has ended.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
PATIENCE = 120.0  # seconds without a look; one waits thirty, and a connection may take some more
FAREWELL = 20.0  # seconds to end by itself
SEPARATOR = "/"  # in the group of a message on its way: between the site that it is for, and the app's own word


def _set_environment(spec: Spec) -> None:
    """Set what Flower, Ray and the app look for, before any of them is imported."""
    os.environ.update({str(name): str(value) for name, value in spec["environment"].items()})
    for name in ("FLWR_TELEMETRY_ENABLED", "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_UV_RUN_RUNTIME_ENV"):
        os.environ[name] = "0"
    os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
    # Ray listens on this host: nobody else on it is to have code run.
    os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    # A model is to have the same bytes however many sites are at work at a time.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def main(path: str) -> int:
    """Run what the file describes; return 0 when the ServerApp has come to its end."""
    spec: Spec = json.loads(Path(path).read_text("utf-8"))
    _set_environment(spec)
    sys.path.insert(0, spec["app"])
    with (Path(spec["app"]) / "pyproject.toml").open("rb") as stream:
        about = tomllib.load(stream)["tool"]["flwr"]["app"]
    server_app, client_app = (_loaded(about["components"][name]) for name in ("serverapp", "clientapp"))
    flat = _loaded("fedops_kit.knowledge._config.knobs:flat")
    spec["given"] = dict(flat(tomllib.loads(spec["run_config"])))
    spec["config"] = {**dict(flat(about.get("config", {}))), **spec["given"]}

    from flwr.simulation import run_simulation

    resources = {"num_cpus": spec["cpus"], "num_gpus": spec["gpus"]}
    of_all = {"num_cpus": spec["all_cpus"], "logging_level": "ERROR", "_node_ip_address": "127.0.0.1"}
    run_simulation(
        server_app=_server_of(server_app, spec),
        client_app=_client_of(client_app, spec["sites"]),
        num_supernodes=len(spec["sites"]),
        backend_config={"client_resources": resources, "init_args": of_all},
    )
    return 0


def _loaded(place: str) -> Any:
    module, dummy, name = place.partition(":")
    return getattr(import_module(module), name)


def _server_of(inner: Any, spec: Spec) -> Any:
    """Return a ServerApp that gives the real one its run configuration, and nodes with the names of the sites."""
    from flwr.app import Context, Message
    from flwr.serverapp import Grid, ServerApp

    names = sorted(site["name"] for site in spec["sites"])

    class NamedGrid(Grid):
        """Flower's grid, with sites in the place of numbers that are drawn anew each time."""

        def __init__(self, grid: Grid) -> None:
            self._grid = grid
            while len(nodes := sorted(grid.get_node_ids())) < len(
                names
            ):  # Flower starts the ServerApp before its nodes
                time.sleep(0.1)
            self._names = dict(zip(nodes, names, strict=True))

        def get_nodes(self) -> Iterable[Any]:
            nodes = list(self._grid.get_nodes())
            for node in nodes:
                node.name = self._names[node.node_id]
            return nodes

        def get_node_ids(self) -> Iterable[int]:
            return self._names

        def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
            addressed = list(messages)
            for message in addressed:
                site = self._names[message.metadata.dst_node_id]
                message.metadata.group_id = f"{site}{SEPARATOR}{message.metadata.group_id}"
            return self._grid.push_messages(addressed)

        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            return self._grid.pull_messages(message_ids)

        def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
            raise NotImplementedError

        def create_message(self, *arguments: Any, **more: Any) -> Message:
            return self._grid.create_message(*arguments, **more)

        def set_run(self, run: Any) -> None:
            self._grid.set_run(run)

        @property
        def run(self) -> Any:
            run = self._grid.run
            run.override_config = spec["given"]
            run.fab_id, run.fab_version, run.fab_hash = spec["app_id"], spec["app_version"], spec["app_hash"]
            return run

    app = ServerApp()

    @app.main()
    def start(grid: Grid, context: Context) -> None:
        context.run_config = spec["config"]
        inner(NamedGrid(grid), context)

    return app


def _client_of(inner: Any, sites: list[dict[str, str]]) -> Any:
    """Return a ClientApp that is the site which a message is for."""
    from flwr.app import Context, Message
    from flwr.clientapp import ClientApp

    data = {site["name"]: site["data"] for site in sites}

    class SimulatedSite(ClientApp):
        def __call__(self, message: Message, context: Context) -> Message:
            site, dummy, message.metadata.group_id = message.metadata.group_id.partition(SEPARATOR)
            context.node_config.update({"site": site, "data-path": data[site]})  # Flower looks for its own keys again
            return inner(message, context)

    return SimulatedSite()


def keep(path: str, program: str = __file__) -> int:
    """Run what the file describes in a process of its own, for as long as somebody looks at it."""
    folder = Path(path).parent
    with tempfile.TemporaryDirectory(prefix="fedops-") as scratch:
        # Ray's sockets lie there, whose paths must be short.
        environment = {**os.environ, "RAY_TMPDIR": scratch}
        process = subprocess.Popen([sys.executable, program, path], env=environment, start_new_session=True)
        while process.poll() is None:
            if _unseen(folder / "simulation.followed") > PATIENCE:
                print("Nobody looks at this simulation any more, and it ends here.", flush=True)
                _end(process)
            time.sleep(0.2)
    partial = folder / "simulation.status.partial"
    partial.write_text(json.dumps({"status": process.returncode}))
    partial.rename(folder / "simulation.status")
    return 0


def _unseen(followed: Path) -> float:
    """Return for how many seconds nobody has looked."""
    try:
        return time.time() - followed.stat().st_mtime
    except FileNotFoundError:  # somebody has removed all of it
        return PATIENCE + 1


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(FAREWELL)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[2]) if sys.argv[1] == "--keep" else main(sys.argv[1]))
