# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can die under a training, and how it is made to die on test hosts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import clock
from federation import HOME, Federation

Act = Callable[[Federation], object]

SERVER_APP = f"^{HOME}/releases/[^ ]*/bin/python[^ ]* {HOME}/venv/bin/flwr-serverapp "
# One is a fork of the process that has loaded what it needs, or by itself where that one is not ready yet.
WARM = f"^{HOME}/venv/bin/python[^ ]* -P {HOME}/bin/flower-clientapps warm "
CLIENT_APP = f"^{HOME}/venv/bin/python[^ ]* -P {HOME}/bin/flower-clientapps flwr-clientapp "
TRAINING = "flower-training@recovery-*"
# Packets go nowhere, without a word, as when a cable is cut. What a host says to itself still arrives.
PARTITION = """\
add table inet drill
add chain inet drill in { type filter hook input priority 0; policy drop; }
add chain inet drill out { type filter hook output priority 0; policy drop; }
add rule inet drill in iif lo accept
add rule inet drill out oif lo accept
"""
# A control group for the SuperExec and what it starts. (systemd has MemoryMax= for that, which reaches nothing in a
# container under version 1.) What a process has taken before does not count there, so the ServerApp is started anew.
MEMORY_GROUP = "/sys/fs/cgroup/memory/drill"
CONFINE = f"""\
set -eu
mkdir --parents {MEMORY_GROUP}
systemctl show --property MainPID --value flower-superexec >{MEMORY_GROUP}/cgroup.procs
pkill --signal KILL --full "$1"
"""
# Leaves little room, and takes it. The kernel then kills the one that has most, which must be the ServerApp.
EXHAUST = f"""\
set -eu
serverapp=$(pgrep --full "$1")
echo $(($(cat {MEMORY_GROUP}/memory.usage_in_bytes) + 8000000)) >{MEMORY_GROUP}/memory.limit_in_bytes
python3 - <<'PYTHON'
import os
open("/proc/self/oom_score_adj", "w").write("-1000")
open("{MEMORY_GROUP}/cgroup.procs", "w").write(str(os.getpid()))
taken = b"x" * 40_000_000
PYTHON
for wait in $(seq 100); do
    [ -e /proc/$serverapp/exe ] || break
    sleep 0.1
done
echo -1 >{MEMORY_GROUP}/memory.limit_in_bytes
[ ! -e /proc/$serverapp/exe ] || {{ echo "The kernel has killed somebody else."; exit 1; }}
"""
PARTIAL = ".partial"  # the ending of a file that is being written
# Waits for a file that is being written, and kills who writes it, if it is still there when nobody goes on with it.
KILL_IN_SAVE = """\
import os, signal, subprocess, sys, time
directory, pattern, ending = sys.argv[1:]
writer = int(subprocess.run(["pgrep", "--full", pattern], check=True, capture_output=True, text=True).stdout)
def half_written():
    return any(name.endswith(ending) for name in os.listdir(directory))
end = time.monotonic() + 120
while time.monotonic() < end:
    if half_written():
        os.kill(writer, signal.SIGSTOP)
        if half_written():
            sys.exit(os.kill(writer, signal.SIGKILL))
        os.kill(writer, signal.SIGCONT)
sys.exit("no checkpoint was met while it was written")
"""


@dataclass(frozen=True)
class Drill:
    """One harm to a running training, and what is wanted of it.

    ``seconds`` lie between the harm and its end, where it has one. ``target`` are the seconds that the requirement
    allows from the end of the harm: to the next finished round beyond what the round needed anyway, or, where
    ``counts`` says so, to the next submission or until the SuperNode takes part again.
    """

    name: str
    harm: Act
    end: Act | None = None
    seconds: float = 0.0
    target: float | None = None
    counts: str = "delay"  # or: submitted, online
    watched: str = ""  # the host whose SuperNode is waited for
    slow: bool = False  # takes minutes
    rare: bool = False  # takes so long that it is done only when it is asked for by its name
    prepare: Act | None = None  # before, and afterwards taken back; the training is at peace again in between
    take_back: Act | None = None
    late: bool = False  # waits for its own moment in the round, and counts from there


def kill(host: str, *units: str, whom: str = "main") -> Act:
    """Kill processes of units where they stand."""
    return _signal(host, units, "KILL", whom)


def _signal(host: str, units: tuple[str, ...], signal: str, whom: str) -> Act:
    return lambda it: it.on(host, "systemctl", "kill", f"--kill-whom={whom}", f"--signal={signal}", *units)


def _signal_serverapp(signal: str) -> Act:
    return lambda it: it.on("superlink1", "pkill", "--signal", signal, "--full", SERVER_APP)


def _signal_clientapp(signal: str) -> Act:
    """It lives for seconds, so it is waited for."""
    child = 'pkill --signal "$1" --parent "$(pgrep --delimiter , --full "$3")"'
    wait = f'until pkill --signal "$1" --full "$2" || {child}; do sleep 0.05; done'
    return lambda it: it.on(ONE, "timeout", "120", "sh", "-c", wait, "sh", signal, CLIENT_APP, WARM)


def _kill_in_save(it: Federation) -> None:
    directory = it.asked["fl_checkpoint_path"]
    it.on("superlink1", "python3", "-c", KILL_IN_SAVE, directory, SERVER_APP, PARTIAL)


def _cut_off(host: str) -> Act:
    return lambda it: it.in_network(host, "nft", PARTITION)


def _reconnect(host: str) -> Act:
    return lambda it: it.in_network(host, "nft", "delete table inet drill")


def _everybody(act: Callable[[str], Act]) -> Act:
    return lambda it: [act(host)(it) for host in it.supernodes]


def _systemctl(host: str, *words: str) -> Act:
    return lambda it: it.on(host, "systemctl", *words)


def partition(name: str, host: str, seconds: float, slow: bool = False) -> Drill:
    return Drill(f"partition of {name}, {seconds:g} s", _cut_off(host), _reconnect(host), seconds, slow=slow)


def frozen(name: str, host: str, units: tuple[str, ...], whom: str, seconds: float, slow: bool = False) -> Drill:
    stop, go_on = (_signal(host, units, signal, whom) for signal in ("STOP", "CONT"))
    return Drill(f"SIGSTOP of {name}, {seconds:g} s", stop, go_on, seconds, slow=slow)


def power_cut(name: str, host: str, seconds: float, slow: bool = False, rare: bool = False) -> Drill:
    drill = f"power cut of {name}, {seconds:g} s"
    return Drill(drill, lambda it: it.power_off(host), lambda it: it.power_on(host), seconds, slow=slow, rare=rare)


def stepped(name: str, host: str, units: tuple[str, ...], seconds: int) -> Drill:
    return Drill(
        f"clock of {name} stepped by {seconds:+d} s, for 20 s",
        lambda it: clock.step(it, host, seconds),
        lambda it: clock.step(it, host, 0),
        20,
        prepare=lambda it: clock.make_steppable(it, host, *units),
        take_back=lambda it: clock.give_back(it, host, *units),
    )


def _flap(host: str, times: int) -> Act:
    def flap(it: Federation) -> None:
        for _time in range(times):
            kill(host, NODE)(it)
            time.sleep(5)

    return flap


def _forget(it: Federation) -> None:
    """Take the SuperLink's database away, as a host that was made anew has none."""
    it.on("superlink1", "systemctl", "stop", LINK)
    it.on("superlink1", "sh", "-c", f"rm {HOME}/state/state.db*")
    it.on("superlink1", "systemctl", "start", LINK)


RENEWED = {"certificates_renew_days": 400, "certificates_days": 398}
ONE, ANOTHER = "supernode1", "supernode2"
LINK, EXECUTOR, GATEWAY = "flower-superlink", "flower-superexec", "flower-gateway"
NODE, CLIENTS = "flower-supernode", "flower-clientapps"
SERVER, SITE = (LINK, EXECUTOR, TRAINING, GATEWAY), (NODE, CLIENTS)

DRILLS = (
    # What a restart costs when nothing has died: the limit of what follows.
    Drill("restart of a SuperNode by systemctl", _systemctl(ONE, "restart", NODE), counts="online", watched=ONE),
    Drill("restart of the SuperLink by systemctl", _systemctl("superlink1", "restart", LINK)),
    Drill("restart of the SuperExec by systemctl", _systemctl("superlink1", "restart", EXECUTOR), counts="submitted"),
    Drill("SIGKILL of a SuperNode", kill(ONE, NODE), target=10, counts="online", watched=ONE),
    Drill(
        "SIGKILL of a SuperNode and its ClientApp",
        kill(ONE, *SITE, whom="all"),
        target=10,
        counts="online",
        watched=ONE,
    ),
    Drill("SIGKILL of the SuperLink", kill("superlink1", LINK), target=15),
    Drill("SIGKILL of the SuperExec", kill("superlink1", EXECUTOR), target=10, counts="submitted"),
    Drill("SIGKILL of the ServerApp", _signal_serverapp("KILL"), target=10, counts="submitted"),
    Drill(
        "SIGKILL of the ServerApp in the middle of a checkpoint",
        _kill_in_save,
        target=10,
        counts="submitted",
        late=True,
    ),
    Drill("SIGKILL of a ClientApp", _signal_clientapp("KILL"), late=True),
    Drill("SIGKILL of the supervisor", kill("superlink1", TRAINING)),
    Drill("SIGKILL of the gateway", kill("superlink1", GATEWAY, whom="all")),
    partition("a SuperNode", ANOTHER, 5),
    partition("all SuperNodes", "superlink1", 5),
    frozen("a SuperNode", ANOTHER, SITE, "all", 10),
    frozen("the SuperLink", "superlink1", (LINK,), "all", 10),
    frozen("the SuperExec", "superlink1", (EXECUTOR,), "main", 10),
    frozen("the supervisor", "superlink1", (TRAINING,), "main", 10),
    frozen("the gateway", "superlink1", (GATEWAY,), "all", 10),
    Drill("SIGSTOP of a ClientApp, 10 s", _signal_clientapp("STOP"), _signal_clientapp("CONT"), 10),
    Drill("SIGSTOP of the ServerApp, 10 s", _signal_serverapp("STOP"), _signal_serverapp("CONT"), 10),
    Drill(
        "all SuperNodes stopped, 20 s",
        _everybody(lambda host: _systemctl(host, "stop", NODE)),
        _everybody(lambda host: _systemctl(host, "start", NODE)),
        20,
    ),
    Drill(
        "SuperExec stopped, 20 s: the run is pending",
        _systemctl("superlink1", "stop", EXECUTOR),
        _systemctl("superlink1", "start", EXECUTOR),
        20,
    ),
    Drill(
        "death of the controller in the middle of train, and train again",
        lambda it: it.play_and_die(4, "playbooks/train.yml", variables=it.asked),
        lambda it: it.play("playbooks/train.yml", variables={**it.asked, "training_wait": False}),
    ),
    Drill(
        "other certificates, and a restart of the gateway",
        lambda it: it.play("playbooks/site.yml", variables=RENEWED),
    ),
    Drill(
        "death of the controller in the middle of site, and site again",
        lambda it: it.play_and_die(8, "playbooks/site.yml", variables=RENEWED),
        lambda it: it.play("playbooks/site.yml"),
    ),
    Drill("reboot of the SuperLink host", lambda it: it.reboot("superlink1")),
    power_cut("the SuperLink host", "superlink1", 10),
    partition("a SuperNode", ANOTHER, 60, slow=True),
    partition("all SuperNodes", "superlink1", 60, slow=True),
    frozen("a SuperNode", ANOTHER, SITE, "all", 75, slow=True),
    frozen("the SuperLink", "superlink1", (LINK,), "all", 75, slow=True),
    power_cut("a SuperNode's host", ANOTHER, 120, slow=True),
    partition("a SuperNode", ANOTHER, 300, slow=True),
    partition("all SuperNodes", "superlink1", 300, slow=True),
)  # fmt: skip

# What happens to a host, or to what it knows.
HOST_DRILLS = (
    Drill(
        "ServerApp killed by the kernel for want of memory",
        lambda it: it.on("superlink1", "sh", "-c", EXHAUST, "sh", SERVER_APP),
        target=10,
        counts="submitted",
        prepare=lambda it: it.on("superlink1", "sh", "-c", CONFINE, "sh", SERVER_APP),
    ),
    Drill("a SuperNode that dies every 5 s, for 30 s", _flap(ONE, 6)),
    Drill(
        "other address of a SuperNode's host, and the old one again after 20 s",
        lambda it: it.move(ANOTHER, 99),
        lambda it: it.move(ANOTHER, 12),
        20,
    ),
    stepped("a SuperNode's host", ANOTHER, SITE, 3600),
    stepped("a SuperNode's host", ANOTHER, SITE, -3600),
    stepped("the SuperLink host", "superlink1", SERVER, 3600),
    stepped("the SuperLink host", "superlink1", SERVER, -3600),
    Drill("loss of the SuperLink's database, and site", _forget, lambda it: it.play("playbooks/site.yml")),
    power_cut("the SuperLink host", "superlink1", 3600, rare=True),
)  # fmt: skip

# What a kill at random may hit.
VICTIMS = {
    "a SuperNode": kill(ONE, NODE),
    "another SuperNode": kill(ANOTHER, NODE),
    "the SuperLink": kill("superlink1", LINK),
    "the SuperExec": kill("superlink1", EXECUTOR),
    "the ServerApp": _signal_serverapp("KILL"),
    "the supervisor": kill("superlink1", TRAINING),
    "the gateway": kill("superlink1", GATEWAY, whom="all"),
}
