# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference for people: docs/variables.md."""

from __future__ import annotations

from pathlib import Path

from module_utils._config.strategies import STRATEGIES, Strategy, by_malicious_factor
from module_utils._config.table import BY_NAME, GROUPS, VARIABLES
from module_utils._config.variable import Variable

from . import NOTICE, defaults, kind, listed

INTRODUCTION = """\
# Training variables

What to train, in a handful of variables. Each has three spellings that mean the same:

| Where | Spelling |
|---|---|
| Ansible, AWX survey | `fl_num_rounds` |
| OpenNebula context | `FL_NUM_ROUNDS` |
| Flower's run configuration | `num-server-rounds` |

A variable that is missing, empty or `null` has its default. Values may be typed or text: `5`, `"5"` and `5.0` are the
same whole number, `true`, `"yes"` and `YES` the same truth. An unknown `fl_*` variable is an error, and so is a value
that breaks a rule; all of them are listed at once, before any host is touched.

Which task is trained is no training variable but a choice of the app: `app_use_case`, in a context `FL_USE_CASE`
([use-cases.md](use-cases.md)).

An app that is submitted by hand, without the collection, has one default for every strategy: the first one given here.
"""

ARITHMETIC = """\
## How many clients a strategy needs

With *f* the value of `fl_num_malicious` and *n* the number of clients that train in a round:

- NEEDS, also when f is 0. Before submission n is
  `fl_min_available_clients`, whose default of 2 is too small for them; at submission it is also the number of
  SuperNodes online. Flower itself does not check this for Krum, and lets Bulyan skip the round.
- **MultiKrum** averages `fl_num_nodes_to_select` updates; more than n - f of them would include a malicious one.
- **FedTrimmedAvg** leaves out int(beta × n) values at each end: with beta 0.2 that is none below 5 clients (a warning).
- A round asks max(int(online × `fl_fraction_train`), `fl_min_fit_clients`) clients to train, and waits until that many,
  and `fl_min_available_clients`, are online.
"""


def files(root: Path) -> dict[str, str]:
    sections = [f"<!-- {NOTICE} -->\n\n{INTRODUCTION}"]
    sections += [_group(group, title) for group, title in GROUPS.items()]
    sections += [_strategies(), ARITHMETIC.replace("NEEDS", _needs()), _own_defaults(), _identity()]
    return {"docs/variables.md": "\n".join(sections)}


def _group(group: str, title: str) -> str:
    rows = "".join(_row(row) for row in VARIABLES if row.group == group)
    return f"## {title}\n\n| Variable | Value | Default | What it does |\n|---|---|---|---|\n{rows}"


def _row(row: Variable) -> str:
    spellings = f"`{row.ansible}`<br>`{row.context}`<br>`{row.key}`"
    strategies = f"<br>Read by {listed(row.strategies)}." if row.strategies else ""
    return f"| {spellings} | {kind(row)} | {defaults(row)} | {row.help}{strategies} |\n"


def _strategies() -> str:
    rows = "".join(_strategy(strategy) for strategy in STRATEGIES.values())
    return (
        "## Strategies\n\nThe values of `fl_strategy`, with the variables that become parameters of Flower's class.\n\n"
        "| Strategy | What it does | Variables (parameter) | Clients needed |\n|---|---|---|---|\n" + rows
    )


def _strategy(strategy: Strategy) -> str:
    parameters = ", ".join(f"`{BY_NAME[name].ansible}` (`{keyword}`)" for keyword, name in strategy.parameters.items())
    needed = f"{strategy.malicious_factor}f + 3" if strategy.malicious_factor else "1"
    return f"| {strategy.name} | {strategy.summary} | {parameters} | {needed} |\n"


def _needs() -> str:
    parts = (
        f"{' and '.join(f'**{name}**' for name in names)} {'need' if len(names) > 1 else 'needs'} n ≥ {factor}f + 3"
        for factor, names in by_malicious_factor().items()
    )
    return ", ".join(parts)


def _own_defaults() -> str:
    rows = "".join(f"- `{row.ansible}` ({defaults(row)}): {row.own_default}\n" for row in VARIABLES if row.own_default)
    return f"## Defaults that are not Flower's\n\n{rows}"


def _identity() -> str:
    inside = ", ".join(f"`{row.ansible}`" for row in VARIABLES if row.identity)
    outside = "".join(f"| `{row.ansible}` | {row.outside_identity} |\n" for row in VARIABLES if not row.identity)
    return (
        "## What makes it another training\n\n"
        "A checkpoint is resumed by the training of the same name and the same configuration hash. The hash covers\n"
        f"what decides the model's bytes: {inside}.\n"
        "Parameters of other strategies than the chosen one are left out.\n\n"
        "Your code is compared next to it: an app of your own, or the files of `app_overlay`. With other code it is\n"
        "another training, which begins at round 1, unless `fl_code_change` is `continue`: then it goes on with the\n"
        "model, and every round tells the code of now (`code`) and the one that it began with (`code_began`).\n"
        "What the collection brings, the kit, its own app and its use cases, is no part of that, so that an upgrade\n"
        "makes no training another one. Keys of an app that say how long, where to or how often are not, either.\n"
        "A training of which nobody knows the code takes over what it finds, and says so once.\n\n"
        "A new release changes the hash of no training that is under way. A variable that comes with it counts only\n"
        "once it is set to something other than its first default, which means what trainings did before. If a\n"
        "default changes and nothing else tells your training from the one that you began, the playbook stops and\n"
        "names both values: set the old one to go on, or begin a training of another name.\n\n"
        f"These may change within a training:\n\n| Variable | Why |\n|---|---|\n{outside}"
    )
