# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: repeated measurements in short, the machine they come from, results and pictures."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import ssl
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Spread:
    """Repeated measurements in short."""

    median: float
    lower_quartile: float
    upper_quartile: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Describe at least two values."""
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(*(float(f"{value:.4g}") for value in (median, lower, upper)))


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has: where its results go."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the results go")
    return parser


def environment() -> dict[str, str]:
    """Return the environment that tools of this checkout are started with."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_FORCE_COLOR": "false",
        "CONTAINERS_CONF": str(ROOT / "testbed" / "containers.conf"),
    }


def machine(directory: Path) -> dict[str, Any]:
    """Describe the machine by what matters here, and not by its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gigabytes": round(memory / 10**9, 1),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "disk": disk(directory),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        "load_average": round(os.getloadavg()[0], 2),
    }


@contextmanager
def busy_processors() -> Iterator[None]:
    """Have as many processes compute as there are processors, beside all else, until the end."""
    with ExitStack() as others:
        for _processor in range(os.cpu_count() or 1):
            process = others.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            others.callback(process.kill)
        yield


def disk(directory: Path) -> str:
    """Return the file system and the kind of disk, as far as Linux knows them."""
    df = ["df", "--output=fstype", str(directory)]
    filesystem = subprocess.run(df, check=True, capture_output=True, text=True).stdout.split()[-1]
    device = os.stat(directory).st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    if block.name.startswith(("vd", "xvd")):  # whether it rotates, only its host knows
        return f"{filesystem} on a virtual disk"
    for place in (block, block.parent):  # a partition has no queue of its own
        if (place / "queue" / "rotational").is_file():
            rotates = (place / "queue" / "rotational").read_text().strip() == "1"
            return f"{filesystem} on a {'rotating' if rotates else 'solid-state'} disk"
    return f"{filesystem} on a disk of unknown kind"


def memory(key: str, process: int | str = "self", file: str = "status") -> int:
    """Return one of the sizes that Linux tells of a process, in bytes."""
    status = Path(f"/proc/{process}/{file}").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M)[1]) * 1024


def available_memory() -> int:
    """Return how much memory Linux could give away, in bytes."""
    return int(re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)[1]) * 1024


def processor_seconds() -> float:
    """Return the seconds of processor time that everybody has used on this machine so far."""
    user, nice, system, _idle, _iowait, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def quiet_flower(level: int = logging.CRITICAL) -> Iterator[None]:
    """Let Flower log nothing below a level for a while: a line for every round helps nobody here."""
    logger = logging.getLogger("flwr")
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write results, and make their directory where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def subplots(columns: int, **style: Any) -> tuple[Figure, Any]:
    """Return a figure for a file, and its axes; matplotlib is imported where it is needed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt.subplots(1, columns, **{"figsize": (5 * columns, 4), "layout": "constrained", **style})


def save(figure: Figure, path: Path) -> None:
    """Write a figure and let go of it."""
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=120)
    plt.close(figure)


def bars(axes: Any, places: Sequence[float], spreads: Sequence[Spread], **style: Any) -> None:
    """Draw medians as bars, with their quartiles."""
    medians = [spread.median for spread in spreads]
    lower = [spread.median - spread.lower_quartile for spread in spreads]
    upper = [spread.upper_quartile - spread.median for spread in spreads]
    axes.bar(places, medians, yerr=[lower, upper], capsize=4, **style)
