# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the history of a training: its outcome in one line, and accuracy and loss by round as a picture."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

# The history is read with the collection's own code, which needs no Ansible.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from module_utils._base.jsonable import harmless
from module_utils._training.claims import rounds_in
from module_utils._training.folder import replay

LONGEST_NAME = 80  # characters of a training's name in the picture

Round = Mapping[str, Any]


def read_history(text: str) -> list[Round]:
    """Return the rounds that led to the model, as the collection itself reads them."""
    return replay(rounds_in(text.encode())[0])


def resumed_at(rounds: Sequence[Round]) -> list[int]:
    """Return the rounds with which a new run took over."""
    return [after["round"] for before, after in itertools.pairwise(rounds) if before["run_id"] != after["run_id"]]


def summary(rounds: Sequence[Round]) -> str:
    """Say in one line what the rounds have brought."""
    first, last = rounds[0], rounds[-1]
    figures = [
        f"{key} {_number(first[key], form)} to {_number(last[key], form)}"
        for key, form in (("accuracy", ".1%"), ("loss", ".3f"))
    ]
    seconds = sum(row["seconds"] or 0 for row in rounds)
    return f"{last['round']} of {last['num_rounds']} rounds, {', '.join(figures)}, {seconds:.0f} s in rounds"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def draw(rounds: Sequence[Round], path: Path) -> None:
    """Draw accuracy and loss by round."""
    numbers = [row["round"] for row in rounds]
    figure, (accuracy, loss) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axes, key, color in ((accuracy, "accuracy", "tab:blue"), (loss, "loss", "tab:orange")):
        values = [float("nan") if row[key] is None else row[key] for row in rounds]
        axes.plot(numbers, values, marker="o", color=color)
        axes.set(title=f"{key.capitalize()} by round", xlabel="Round", ylabel=key.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        for number in resumed_at(rounds):
            axes.axvline(number - 0.5, color="gray", linestyle="--", linewidth=1)
            axes.annotate(
                "resumed", (number - 0.5, 0.02), xycoords=("data", "axes fraction"), rotation=90, color="gray"
            )
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_ylim(0, 1.02)
    loss.set_ylim(bottom=0)
    last = rounds[-1]
    name = harmless(str(last["training"]), LONGEST_NAME)
    # Matplotlib would read what stands between two dollars as a formula.
    figure.suptitle(f"Training {name}: {last['round']} of {last['num_rounds']} rounds", parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> int:
    """Print the summary and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", type=Path, help="history.jsonl of a training")
    parser.add_argument("picture", type=Path, help="the .png to write")
    options = parser.parse_args(arguments)
    try:
        rounds = read_history(options.history.read_text(encoding="utf-8"))
    except OSError as error:
        parser.error(f"{options.history} cannot be read: {error.strerror}")
    if not rounds:
        parser.error(f"{options.history} holds no finished round")
    print(f"\nSummary      {summary(rounds)}")
    draw(rounds, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
