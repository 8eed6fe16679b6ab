# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what on a host, and what lies where: accounts, folders, units, ports.

Nobody becomes somebody else: each account owns what its own work needs, and what root acts on belongs to root.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .home import CHECKPOINTS, DATA, HOME


@dataclass(frozen=True)
class Account:
    """A system account; its group has the same name and number."""

    name: str
    number: int
    purpose: str
    home: str = ""  # the folder that is its home; empty means the home of Flower
    groups: tuple[str, ...] = ()  # whose files it may read
    is_group: bool = False  # a group without a user


# The number of Flower's own images: whoever shares volumes with a container finds the checkpoints readable.
APPS = Account("flower", 49999, "runs the ServerApps and owns the checkpoints; its group may read data")
SUPERLINK_ACCOUNT = Account("flower-superlink", 49998, "runs the SuperLink and owns its state", home="state")
CONTROL = Account(
    "flower-control", 49997, "submits and supervises runs; owns what is asked of trainings", "control", ("flower",)
)
GATEWAY_ACCOUNT = Account("flower-gateway", 49996, "runs nginx in front of the SuperLink")
SUPERNODE_ACCOUNT = Account("flower-supernode", 49995, "runs the SuperNodes")
REGISTRY_ACCOUNT = Account("flower-registry", 49993, "runs nginx in front of the packages of models")
WORKER_ACCOUNT = Account("flower-worker", 49992, "fetches, verifies and unpacks packages of models")
# A group alone: each SuperNode's ClientApps run as a user that systemd makes for them, in this group.
CLIENTAPPS = Account("flower-clientapps", 49994, "the group of all ClientApps", is_group=True)

# Each but that of the apps, which an operator may call otherwise, by what it runs.
PARTS: t.Mapping[str, Account] = {
    "superlink": SUPERLINK_ACCOUNT,
    "control": CONTROL,
    "gateway": GATEWAY_ACCOUNT,
    "supernode": SUPERNODE_ACCOUNT,
    "clientapps": CLIENTAPPS,
    "registry": REGISTRY_ACCOUNT,
    "worker": WORKER_ACCOUNT,
}
ACCOUNTS = (APPS, *PARTS.values())

# What a host can be, and the group of an inventory that says so. It may be several.
SUPERLINK_HOST, SUPERNODE_HOST = "superlink", "supernode"
REGISTRY_HOST, WORKER_HOST = "registry", "worker"
INVENTORY_GROUPS: t.Mapping[str, str] = {
    SUPERLINK_HOST: "superlink",
    SUPERNODE_HOST: "supernodes",
    REGISTRY_HOST: "model_registry",
    WORKER_HOST: "model_workers",
}
OF_FLOWER = (SUPERLINK_HOST, SUPERNODE_HOST)  # the others have nothing of Flower
ON: t.Mapping[str, tuple[Account, ...]] = {
    SUPERLINK_HOST: (APPS, SUPERLINK_ACCOUNT, CONTROL, GATEWAY_ACCOUNT),
    SUPERNODE_HOST: (APPS, SUPERNODE_ACCOUNT, CLIENTAPPS),
    REGISTRY_HOST: (REGISTRY_ACCOUNT,),
    WORKER_HOST: (WORKER_ACCOUNT,),
}
_SUPERLINK, _SUPERNODE = (SUPERLINK_HOST,), (SUPERNODE_HOST,)
_REGISTRY, _WORKER = (REGISTRY_HOST,), (WORKER_HOST,)


# What a teardown does with what lies in a folder: it goes with the software, it stays unless a variable of this name
# gives it up, or it stays.
SOFTWARE, STAYS = "", "stays"
MODELS, SITE_DATA, IDENTITY = "teardown_checkpoints", "teardown_data", "teardown_certificates"


@dataclass(frozen=True)
class Folder:
    """A folder below the home, or anywhere where its path is absolute. An owner of None is root.

    C(by) is who makes it where the module C(account) does not.
    """

    path: str
    owner: Account | None
    group: Account | None
    mode: int
    holds: str
    on: tuple[str, ...] = OF_FLOWER
    by: str = ""
    fate: str = SOFTWARE


def _roots(path: str, holds: str, on: tuple[str, ...] = OF_FLOWER, by: str = "", fate: str = SOFTWARE) -> Folder:
    """Return a folder that root alone writes and everybody reads."""
    return Folder(path, None, None, 0o755, holds, on, by, fate)


SYSTEMD = "/etc/systemd/system"
SUPERNODE_STATE = "/var/lib/flower-supernode"
REGISTRY_STATE, WORKER_STATE = "/var/lib/flower-registry", "/var/lib/flower-worker"
POINTS = "/var/backups/flower/upgrades"
ALERTS, ALERT_DELIVERY = "/var/lib/flower-alerts", "/var/lib/flower-alerts-delivery"
GPU_NAMES = "/dev/flower"  # systemd opens nothing to a unit that does not lie in /dev
TRACKED = "/var/lib/private/flower-trackers"  # where systemd keeps what users have that it makes
_STORAGE, _BY_FILES, _BY_SYSTEMD = "role `checkpoints`", "module `files`", "systemd"
# Parents first. What an account does not need to make lies below directories of root.
# fmt: off
FOLDERS: tuple[Folder, ...] = (
    _roots("alerts", "the program that tells an operator when it matters", _SUPERLINK, "role `training`"),
    _roots("app", "the deployed apps and their FABs"),
    _roots("app/.flwr", "FLWR_HOME of the ServerApps: nothing that they can write", _SUPERLINK),
    _roots("app/.flwr/apps", "the apps as Flower installs them", _SUPERLINK),
    _roots("app/of_trainings", "the app of each training, by the hash of its FAB", _SUPERLINK),
    _roots("bin", "launchers"),
    _roots("certificates", "certificates for all, private keys and secrets for root alone", fate=IDENTITY),
    _roots("certificates/supernodes", "keys and secrets of the instances of a host", _SUPERNODE,
           "module `supernode_keys`", IDENTITY),
    Folder(CHECKPOINTS, APPS, APPS, 0o750, "models; they may lie elsewhere", _SUPERLINK, _STORAGE, MODELS),
    Folder("control", None, CONTROL, 0o750, "the home of Flower's command line, which writes nothing there",
           _SUPERLINK),
    Folder("control/.flwr", None, CONTROL, 0o750, "FLWR_HOME of Flower's command line", _SUPERLINK),
    Folder(DATA, None, APPS, 0o750, "data of the site, or of the central evaluation", fate=SITE_DATA),
    Folder("initial", None, APPS, 0o750, "copies of the models that trainings begin with", _SUPERLINK),
    _roots("mirror", "the program of the mirror", _SUPERLINK, _STORAGE),
    Folder("output", APPS, APPS, 0o750, "where ServerApps start: what they write under relative paths", _SUPERLINK,
           fate=MODELS),
    Folder("published", APPS, APPS, 0o750, "what ServerApps tell of their trainings: claims, read as such", _SUPERLINK,
           fate=MODELS),
    _roots("records", "what root acts on: the registry of SuperNodes, the deployed apps", _SUPERLINK),
    _roots("records/apps", "the deployed apps", _SUPERLINK),
    _roots("records/keys", "the keys of SuperNodes, as the gateway looks for them", _SUPERLINK),
    _roots("releases", "virtual environments, one for each release"),
    Folder("state", SUPERLINK_ACCOUNT, SUPERLINK_ACCOUNT, 0o700, "the SuperLink's database", _SUPERLINK),
    _roots("supernodes", "what each SuperNode is told", _SUPERNODE),
    _roots("supervisor", "the program that supervises trainings", _SUPERLINK),
    Folder("trainings", CONTROL, APPS, 0o750, "what is asked of trainings, and what supervisors remember", _SUPERLINK,
           fate=MODELS),
    _roots("trackers", "the program, settings and libraries of what follows trainings for trackers", _SUPERLINK,
           "role `trackers`"),
    _roots(GPU_NAMES, "the names of GPUs that stay", by="`flower-gpus.service`"),
    _roots("/etc/flower", "what the gateway and the fences are told", by=_BY_FILES),
    _roots("/etc/flower/delivery", "key and certificate of a host that hands models on or takes them",
           _REGISTRY + _WORKER, _BY_FILES, IDENTITY),
    _roots("/etc/flower/fence", "the rules of the fences", by=_BY_FILES),
    _roots(f"{SYSTEMD}/flower-superexec.service.d", "where else ServerApps may save", _SUPERLINK, _STORAGE),
    Folder("/run/flower-gateway", GATEWAY_ACCOUNT, GATEWAY_ACCOUNT, 0o755, "its process number", _SUPERLINK,
           _BY_SYSTEMD),
    Folder("/run/flower-registry", REGISTRY_ACCOUNT, REGISTRY_ACCOUNT, 0o755, "its process number", _REGISTRY,
           _BY_SYSTEMD),
    Folder("/var/backups/flower", None, None, 0o700, "a backup on its way to the controller, or from there", _SUPERLINK,
           "`backup`, `restore`", STAYS),
    Folder(POINTS, None, None, 0o700, "what an upgrade can go back to", by="`upgrade`"),
    Folder("/var/cache/flower-gateway", GATEWAY_ACCOUNT, GATEWAY_ACCOUNT, 0o755, "requests on their way",
           _SUPERLINK, _BY_SYSTEMD),
    Folder(ALERTS, CONTROL, CONTROL, 0o750, "what stands, and what an operator is to be told", _SUPERLINK, _BY_SYSTEMD),
    _roots(ALERT_DELIVERY, "a link to the one below `/var/lib/private`", _SUPERLINK, _BY_SYSTEMD),
    Folder("/var/cache/flower-registry", REGISTRY_ACCOUNT, REGISTRY_ACCOUNT, 0o755, "what nginx asks for a place for",
           _REGISTRY, _BY_SYSTEMD),
    _roots("/var/lib/flower-mirror", "a link to the next one", _SUPERLINK, _BY_SYSTEMD),
    _roots("/var/lib/private/flower-alerts-delivery", "what the operator was told", _SUPERLINK, _BY_SYSTEMD),
    _roots("/var/lib/private/flower-mirror", "what the mirror remembers", _SUPERLINK, _BY_SYSTEMD),
    _roots("/var/lib/flower-trackers", "links to the next one", _SUPERLINK, _BY_SYSTEMD),
    _roots(TRACKED, "what trackers without a server have, and how far each is", _SUPERLINK,
           _BY_SYSTEMD, MODELS),
    Folder(REGISTRY_STATE, None, REGISTRY_ACCOUNT, 0o750, "packages of models, and the channels that name one each",
           _REGISTRY, "module `model_promote`", MODELS),
    Folder(WORKER_STATE, WORKER_ACCOUNT, WORKER_ACCOUNT, 0o750, "models that are or were served, and what comes",
           _WORKER, _BY_SYSTEMD),
    _roots("/usr/local/lib/flower-delivery", "the worker's program, and the server that it runs", _WORKER,
           "role `model_worker`"),
    _roots("/usr/local/lib/flower-delivery/app", "the server of models", _WORKER, "role `model_worker`"),
    _roots("/usr/local/lib/flower-delivery/releases", "its virtual environments, one for each lock", _WORKER,
           "module `venv`"),
    Folder(SUPERNODE_STATE, SUPERNODE_ACCOUNT, SUPERNODE_ACCOUNT, 0o700, "what SuperNodes write", _SUPERNODE,
           _BY_SYSTEMD),
)
# fmt: on
# A link to the release that runs. It is named where the folders are.
VENV = "venv"
# Programs and data, which ClientApps see. Of the other folders of the home they see nothing.
SEEN_BY_APPS = ("bin", DATA, "mirror", "releases")
# Apps, models and records, with which neither the SuperLink nor the gateway has any business.
CLOSED_TO_SERVICES = ("app", CHECKPOINTS, "control", DATA, "output", "published", "state", "trainings")


@dataclass(frozen=True)
class HostFile:
    """A file that more than one part of the collection knows; its path is below the home, or absolute."""

    name: str
    path: str
    holds: str
    fate: str = SOFTWARE
    of_release: bool = False  # whether a release of Flower decides what it says


SUPEREXEC_SECRET = "certificates/superexec.secret"
MIRROR_SECRET = "certificates/mirror.secret"
PSEUDONYM_SECRET = "certificates/pseudonyms.secret"
SERVER_KEY = "certificates/server.key"
DATABASE = "state/state.db"
FILES: tuple[HostFile, ...] = (
    HostFile("ca", "certificates/ca.crt", "the certificate authority that the host trusts", IDENTITY),
    HostFile(
        "server_certificate", "certificates/server.crt", "the certificate of the gateway and the SuperLink", IDENTITY
    ),
    HostFile("server_key", SERVER_KEY, "its private key, for root alone", IDENTITY),
    HostFile("server_request", "certificates/server.csr", "the request that it was signed for", IDENTITY),
    HostFile("superexec_secret", SUPEREXEC_SECRET, "what SuperLink and SuperExec know each other by", IDENTITY),
    HostFile("mirror_secret", MIRROR_SECRET, "what checkpoints in the mirror are sealed with", IDENTITY),
    HostFile("pseudonym_secret", PSEUDONYM_SECRET, "what the pseudonyms of sites are made with", IDENTITY),
    HostFile("database", DATABASE, "the SuperLink's state"),
    HostFile("registry", "records/supernodes.json", "the SuperNodes that are registered"),
    HostFile("quiesced", "trainings/quiesced.json", "that all trainings stand still", MODELS),
    HostFile("supervisor", "supervisor/fedops-supervisor.pyz", "the program of the supervisors"),
    HostFile("mirror", "mirror/fedops-mirror.pyz", "the program of the mirror"),
    HostFile("flwr", "bin/flwr", "Flower's command line, as the account that may use it"),
    HostFile(
        "flwr_configuration", "control/.flwr/config.toml", "how the command line finds the SuperLink", of_release=True
    ),
    HostFile("superlink_launcher", "bin/flower-superlink", "what starts the SuperLink", of_release=True),
    HostFile("superexec_launcher", "bin/flower-superexec", "what starts the SuperExec of ServerApps", of_release=True),
    HostFile("supernode_launcher", "bin/flower-supernode", "what starts a SuperNode", of_release=True),
    HostFile(
        "clientapps_launcher", "bin/flower-clientapps", "what starts the ClientApps of a SuperNode", of_release=True
    ),
    HostFile("gpus", "bin/fedops-gpus.pyz", "what names the GPUs of a host when it starts"),
    HostFile("supernode", "supernode.toml", "what the only SuperNode of a host tells its ClientApps", of_release=True),
    HostFile("gateway", "/etc/flower/gateway.conf", "the configuration of the gateway", of_release=True),
    HostFile("apps_user", "/etc/flower/apps-user", "the name of the account of the apps, where it is not `flower`"),
    HostFile(
        "superlink_fence", "/etc/flower/fence/superlink.nft", "who reaches what on a SuperLink host", of_release=True
    ),
    HostFile(
        "supernode_fence", "/etc/flower/fence/supernode.nft", "who reaches what on a SuperNode host", of_release=True
    ),
    HostFile(
        "delivery_ca", "/etc/flower/delivery/ca.crt", "the authority that a host of the delivery trusts", IDENTITY
    ),
    HostFile("delivery_key", "/etc/flower/delivery/host.key", "the key of such a host, for root alone", IDENTITY),
    HostFile("delivery_request", "/etc/flower/delivery/host.csr", "the request for its certificate", IDENTITY),
    HostFile("delivery_certificate", "/etc/flower/delivery/host.crt", "its certificate", IDENTITY),
    HostFile(
        "registry_token", "/etc/flower/delivery/registry.token", "by which a worker may read, for root alone", IDENTITY
    ),
    HostFile("reload_token", "/etc/flower/delivery/reload.token", "by which a worker tells its server", IDENTITY),
    HostFile("worker_configuration", "/etc/flower/worker.json", "what a worker follows, and whom it tells"),
    HostFile("worker", "/usr/local/lib/flower-delivery/fedops-worker.pyz", "the program of a worker"),
    HostFile("registry_configuration", "/etc/flower/registry.conf", "the configuration of the registry's nginx"),
    HostFile("registry_readers", "/etc/flower/registry-readers.conf", "who may read there, for root alone"),
    HostFile("mirror_keys", "/etc/flower-mirror.conf", "the keys of the mirror's bucket, for root alone"),
    HostFile("mirror_ca", "/etc/flower-mirror.crt", "a certificate authority for the mirror's server"),
    HostFile("mirror_state", "/var/lib/flower-mirror/state.json", "what the mirror says of its last pass"),
    HostFile("sealed_backup", "/var/backups/flower/superlink.sealed", "a backup on its way"),
    HostFile(
        "supernodes_to_restart", "/run/flower-supernodes-to-restart", "units that do not run from their files yet"
    ),
)


@dataclass(frozen=True)
class HostUnit:
    """A unit of systemd."""

    name: str
    does: str
    on: tuple[str, ...]
    of_release: bool = False  # whether a release of Flower decides what its file says
    by_another: bool = False  # whether another unit starts it, and systemd by itself does not
    was_apps: bool = False  # whether it ran as the account of the apps, before others had accounts of their own


SUPERLINK_UNIT, GATEWAY_UNIT, SUPEREXEC_UNIT, REGISTRY_UNIT, WORKER_UNIT = (
    f"flower-{name}.service" for name in ("superlink", "gateway", "superexec", "registry", "worker")
)
# With a name after an @ where a host has several SuperNodes.
SUPERNODE_UNIT, CLIENTAPPS_UNIT = "flower-supernode", "flower-clientapps"
GPUS_UNIT = "flower-gpus.service"
FENCE_UNIT, TRAINING_UNIT = "flower-fence@", "flower-training@"
TRACKERS = ("mlflow", "wandb", "tensorboard", "csv")  # what trainings can be followed for
TRACKER_UNIT = "flower-tracker-"
# In the order in which they need each other.
UNITS: tuple[HostUnit, ...] = (
    HostUnit(f"{FENCE_UNIT}.service", "who may reach what on the host", OF_FLOWER, of_release=True),
    HostUnit(SUPERLINK_UNIT, "the SuperLink", _SUPERLINK, of_release=True, was_apps=True),
    HostUnit(GATEWAY_UNIT, "nginx in front of the SuperLink", _SUPERLINK, of_release=True),
    HostUnit(SUPEREXEC_UNIT, "starts the ServerApps", _SUPERLINK, of_release=True, was_apps=True),
    HostUnit(f"{TRAINING_UNIT}.service", "supervises a training", _SUPERLINK, was_apps=True),
    HostUnit(GPUS_UNIT, "names the GPUs of a host when it starts", OF_FLOWER),
    HostUnit(f"{SUPERNODE_UNIT}.service", "the only SuperNode of a host", _SUPERNODE, of_release=True, was_apps=True),
    HostUnit(f"{SUPERNODE_UNIT}@.service", "one of several on a host", _SUPERNODE, of_release=True, was_apps=True),
    HostUnit(f"{CLIENTAPPS_UNIT}.service", "its ClientApps", _SUPERNODE, of_release=True),
    HostUnit(f"{CLIENTAPPS_UNIT}@.service", "its ClientApps", _SUPERNODE, of_release=True),
    HostUnit("flower-alerts.service", "looks at what an operator is to be told", _SUPERLINK, by_another=True),
    HostUnit("flower-alerts.timer", "starts that from time to time", _SUPERLINK),
    HostUnit("flower-alerts-delivery.service", "tells an operator what matters", _SUPERLINK, by_another=True),
    HostUnit("flower-alerts-delivery.path", "starts that with each news", _SUPERLINK),
    HostUnit("flower-alerts-delivery.timer", "starts that from time to time", _SUPERLINK),
    HostUnit(REGISTRY_UNIT, "nginx in front of the packages of models", _REGISTRY),
    HostUnit("flower-model.socket", "where requests to a model wait", _WORKER),
    HostUnit("flower-model.service", "answers them", _WORKER),
    HostUnit(WORKER_UNIT, "follows a channel of a registry", _WORKER),
    HostUnit("flower-worker-switch.service", "restarts or reloads a server of models", _WORKER, by_another=True),
    HostUnit("flower-worker-switch.path", "starts that when a link has moved", _WORKER),
    HostUnit("flower-checkpoints.service", "mounts storage that comes late", _SUPERLINK, by_another=True),
    HostUnit("flower-checkpoints.timer", "looks for it", _SUPERLINK),
    HostUnit("flower-mirror.service", "copies checkpoints to the mirror", _SUPERLINK, by_another=True, was_apps=True),
    HostUnit("flower-mirror.path", "starts that with each checkpoint", _SUPERLINK, was_apps=True),
    HostUnit("flower-mirror.timer", "starts that from time to time", _SUPERLINK, was_apps=True),
    *(HostUnit(f"{TRACKER_UNIT}{name}.service", f"follows trainings for {name}", _SUPERLINK) for name in TRACKERS),
)


@dataclass(frozen=True)
class Port:
    """A port, with the variable that changes it."""

    variable: str
    number: int
    at: str
    on: tuple[str, ...]


PORTS: tuple[Port, ...] = (
    Port("superlink_fleet_port", 9092, "the gateway, for SuperNodes", _SUPERLINK),
    Port("superlink_port", 8000, "the SuperLink, for the gateway and Flower's command line", _SUPERLINK),
    Port("superlink_runtime_port", 8001, "the gateway, for ServerApps", _SUPERLINK),
    Port("model_registry_port", 9443, "the registry of models, for workers", _REGISTRY),
    Port("model_worker_port", 8080, "the server of a model, for whoever asks it", _WORKER),
    Port("supernode_port", 9094, "a SuperNode, for its ClientApps", _SUPERNODE),
)
HIGHEST_PORT = 65535
PORT: t.Mapping[str, int] = {port.variable: port.number for port in PORTS}

# Secrets of 32 random bytes, for root alone: systemd hands them to the units that need them.
SECRETS: t.Mapping[str, tuple[str, ...]] = {
    SUPERLINK_HOST: (SUPEREXEC_SECRET, PSEUDONYM_SECRET),
    SUPERNODE_HOST: (),
    REGISTRY_HOST: (),
    WORKER_HOST: (),
}
_BY_PATH: t.Mapping[str, Folder] = {folder.path: folder for folder in FOLDERS}
_BY_NAME: t.Mapping[str, HostFile] = {file.name: file for file in FILES}


def folder(home: str, path: str) -> str:
    """Return where a folder of the table lies."""
    return os.path.join(home, _BY_PATH[path].path)


def file(home: str, name: str) -> str:
    """Return where a file of the table lies."""
    return os.path.join(home, _BY_NAME[name].path)


def unit_file(name: str) -> str:
    """Return where systemd reads a unit of the table."""
    return os.path.join(SYSTEMD, name)


def places(home: str = "") -> dict[str, t.Any]:
    """Return all places of a host by their names in the tables. An empty home is the usual one."""
    home = home or HOME
    return {
        "home": home,
        "venv": os.path.join(home, VENV),
        "folders": {entry.path: folder(home, entry.path) for entry in FOLDERS},
        "closed": [folder(home, path) for path in CLOSED_TO_SERVICES],
        "files": {entry.name: file(home, entry.name) for entry in FILES},
        "systemd": SYSTEMD,
        "units": {entry.name: unit_file(entry.name) for entry in UNITS},
        "ports": dict(PORT),
        "apps": {"user": APPS.name, "uid": APPS.number, "gid": APPS.number},
        "accounts": {part: account.name for part, account in PARTS.items()},
    }
