# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade of a federation needs to know before it begins, and when a host has passed its gate.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass

from .._base.jsonable import Bounds, harmless, harmless_value, without_colours
from .._config.sizing import MEGABYTE
from .._flower.assumptions import ONLINE
from .releases import version_of

MINIMUM = (1, 41)  # the oldest Flower that the units and the launcher of this collection can run
SECONDS_A_LOOK = 2  # at a gate: one second between two of them, and about one for each
SETTLED = 3.0  # seconds that a service has to be active: one that cannot start ends sooner
RELEASE_ROOM, TEMPORARY_ROOM, STATE_ROOM = 1.2, 1.5, 1.1  # of what there is now: wheels, their cache, and some growth
WHY, SAID = 4000, 500  # characters of why a gate was not passed, and of a line that a service has said
PLAN = Bounds(text=WHY, items=10_000, multiline=True)
PURPOSE = "upgrade"  # of the order that all trainings stand still

HostLook = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Federation:
    """How the federation is before the upgrade; C(nodes) is None when the SuperLink does not tell."""

    superlink: str
    health: int
    nodes: t.Sequence[HostLook] | None
    held_since: str | None = None  # the order that all trainings stand still, where there is one
    held_for: str = ""


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what marks a preview."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def version_problem(before: str | None, after: str) -> str | None:
    """Return why Flower cannot be taken from one version to another."""
    new = version_key(after)
    if new[:2] < MINIMUM:
        return f"has Flower {after}, but this collection runs {'.'.join(map(str, MINIMUM))} and newer."
    if before is None:
        return None
    old = version_key(before)
    if new[:1] != old[:1]:
        return f"has Flower {after}, but {before} runs: no way from one major version to another is known."
    if new < old:
        return (
            f"has Flower {after}, but {before} runs, and no older Flower reads the state that a newer one has migrated."
            " docs/upgrade.md tells how to go back."
        )
    return None


def is_due(look: HostLook) -> bool:
    """Tell whether a host is to run another release than it does."""
    wanted, info = look["wanted"], look["info"]
    running = [service["releases"] for service in info["services"]]
    return info["release"] != wanted or any(releases != [wanted] for releases in running)


def plan(
    looks: t.Mapping[str, HostLook], federation: Federation, kept: int, online_timeout: float = 0
) -> dict[str, t.Any]:
    """Return what is to be done, and everything that stands in its way.

    A look at a host has C(unreachable), C(problem) (why its release cannot be made), C(wanted) (the name of its
    release), C(built) (whether that is to be built), C(one_account) (whether an older version of this collection has
    deployed it), C(supernodes) (their names), and C(info), which the module C(release_info) returns.
    C(online_timeout) is how many seconds a SuperNode may take to come back.
    """
    sound = {host: look for host, look in looks.items() if not look["unreachable"] and not look["problem"]}
    # One that was cut short may have left services that do not run. Its gates decide about them.
    unfinished = federation.held_for == PURPOSE or any(
        (look["info"]["point"] or {}).get("token", "") == federation.held_since for look in sound.values()
    )
    problems = [
        *(f"{host} cannot be reached." for host, look in looks.items() if look["unreachable"]),
        *(f"{host}: {look['problem']}" for host, look in looks.items() if look["problem"] and not look["unreachable"]),
        *(problem for host, look in sound.items() for problem in _host_problems(host, look, unfinished)),
    ]
    if kept < 2:
        problems.append(
            f"runtime_releases_kept is {kept} but must be at least 2: the release before is what to go back to."
        )
    if federation.superlink not in looks:
        problems.append(f"{federation.superlink} is not part of this play, but only there can trainings be paused.")
    elif not unfinished:
        problems += _federation_problems(federation, sound)
    due = [host for host, look in sound.items() if look["info"]["services"] and is_due(look)]
    versions = sorted({version_of(look["wanted"]) or "" for look in sound.values()})
    lines = [f"{host}: {sound[host]['info']['release']} -> {sound[host]['wanted']}" for host in due]
    former = [host for host, look in sound.items() if look["one_account"]]
    lines += [f"{host}: one account for everything -> the accounts of today" for host in former]
    needed = bool(due or former) or unfinished
    if unfinished:
        lines.insert(0, "An upgrade before this one has not come to its end. This one brings it there.")
    elif not needed:
        lines = [f"Every host runs Flower {', '.join(versions)} from its lock already. Nothing is changed."]
    planned = {
        "problems": problems,
        "due": due,
        "needed": needed,
        "unfinished": unfinished,
        "versions": versions,
        "patience": math.ceil(online_timeout / SECONDS_A_LOOK),
        "lines": lines,
    }
    return t.cast("dict[str, t.Any]", harmless_value(planned, PLAN))


def gate_problems(services: t.Sequence[HostLook], release: str) -> list[str]:
    """Return what keeps a host from passing: each service runs, stays so, and has loaded this release alone."""
    if not services:
        return ["none of Flower's services is there"]
    found = []
    for service in services:
        unit, loaded = service["unit"], service["releases"]
        if service["state"] != "active":
            found.append(f"{unit} is {service['state']}")
        elif loaded != [release]:
            found.append(f"{unit} runs {' and '.join(loaded) or 'nothing yet'} in place of {release}")
        elif service["seconds"] < SETTLED:
            found.append(f"{unit} has begun only {service['seconds']} s ago")
    return found


def node_problems(
    names: t.Sequence[str], before: t.Sequence[HostLook], now: t.Sequence[HostLook], restarted: bool
) -> list[str]:
    """Return which SuperNodes are not back at the SuperLink, each as the one that it was.

    A SuperNode that was killed stays online to the SuperLink for up to a minute. So one that was C(restarted) has to
    have come online since.
    """
    old, new = ({node["name"]: node for node in nodes} for nodes in (before, now))
    found = []
    for name in names:
        node, was = new.get(name), old.get(name)
        if node is None:
            found.append(f"{name} is not registered")
        elif node["status"] != ONLINE:
            found.append(f"{name} is {node['status']}")
        elif was and node["node_id"] != was["node_id"]:
            found.append(f"{name} has the node id {node['node_id']} but had {was['node_id']}")
        elif restarted and was and node["online_at"] == was["online_at"]:
            found.append(f"{name} has not come back since its restart")
    return found


def reason(host: str, gate: str, why: str, journal: t.Sequence[str]) -> str:
    """Say which gate a host has not passed, and why, with the end of what its services have said."""
    said = (harmless(without_colours(line).rstrip(), SAID) for line in journal)
    head = f"{host}, '{gate}': {harmless(why.strip(), WHY, multiline=True)}"
    return "\n".join([head, *(f"  | {line}" for line in said)])


def _host_problems(host: str, look: HostLook, unfinished: bool) -> list[str]:
    info, wanted = look["info"], look["wanted"]
    if not info["services"]:
        return [
            f"{host} runs nothing of Flower. Deploy it with fedops.flower.site, or leave it out with --limit '!{host}'."
        ]
    version = version_of(wanted)
    if version is None:
        return [f"{host}: the lock does not pin flwr. Add it to what the lock is compiled from."]
    runs = max((version_of(name) or "" for name in _all(info)), key=version_key, default="") or None
    problem = None if unfinished else version_problem(runs, version)
    found = [f"{host}: the lock {problem}"] if problem else []
    if not unfinished:
        states = ((service["unit"], service["state"]) for service in info["services"])
        found += [f"{host}: {unit} is {state}. Have it run first." for unit, state in states if state != "active"]
    return found + _room_problems(host, look)


def _all(info: HostLook) -> set[str]:
    """Return the releases that a host runs, or would after a restart."""
    running = {name for service in info["services"] for name in service["releases"]}
    return running | {info["release"] or ""}


def _room_problems(host: str, look: HostLook) -> list[str]:
    """Hold what is free against what the release and the copy of the state need, where they lie together in sum."""
    sizes = look["info"]["sizes"]
    needs = {"releases": sizes["state"] * STATE_ROOM, "points": sizes["state"] * STATE_ROOM, "temporary files": 0.0}
    if look["built"]:
        needs["releases"] += sizes["release"] * RELEASE_ROOM
        needs["temporary files"] += sizes["release"] * TEMPORARY_ROOM
    found = []
    for device in dict.fromkeys(room["device"] for room in look["info"]["rooms"]):
        rooms = [room for room in look["info"]["rooms"] if room["device"] == device]
        need = sum(needs[room["what"]] for room in rooms)
        if need > rooms[0]["free"]:
            what = " and ".join(room["what"] for room in rooms)
            found.append(
                f"{host} has {rooms[0]['free'] / MEGABYTE:.0f} MB left in {rooms[0]['path']} but needs"
                f" {need / MEGABYTE:.0f} MB there for {what}. Make room."
            )
    return found


def _federation_problems(federation: Federation, looks: t.Mapping[str, HostLook]) -> list[str]:
    host = federation.superlink
    if federation.health != 200 or federation.nodes is None:
        services = "flower-superlink flower-gateway"
        return [f"The SuperLink on {host} does not answer. 'systemctl status {services}' there tells more."]
    states = {node["name"]: node["status"] for node in federation.nodes}
    return [
        f"{name} is {states.get(name, 'not registered')}, so that its gate could not be passed."
        f" Bring it back, or leave its host out with --limit '!{where}'."
        for where, look in looks.items()
        for name in look["supernodes"]
        if states.get(name) != ONLINE
    ]
