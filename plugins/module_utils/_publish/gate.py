# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a training may be published: only one that has really completed, and that is good enough where that is asked.

It judges the report of a training, whose parts the host tells, and asks nobody.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import is_whole
from .._base.notation import counted, show
from .._delivery.metric_rule import MetricRule
from .._report.figures import Report, value_of
from .._report.svg import short_number
from .._supervisor.endings import FINISHED

_RULE = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


class PublishError(FedopsError):
    """A model cannot be published; the message says why and what to do."""


def _broken(rule: MetricRule, rounds: t.Iterable[Report], number: int) -> str:
    """Say why a round does not keep a rule; empty where it does."""
    row = next((row for row in rounds if row.get("round") == number), {})
    value, must_be = value_of(row, rule.metric), f"which must be {rule.comparison} {rule.bound:g}"
    if rule.allows(value):
        return ""
    if value is None:
        return f"round {number} has no {rule.metric}, {must_be}"
    return f"{rule.metric} of round {number} is {short_number(value)}, {must_be}"


def metric_rules(texts: t.Iterable[t.Any]) -> list[MetricRule]:
    """Return the rules that texts such as C(accuracy >= 0.9) give; PublishError for one that is none."""
    found = []
    for text in texts:
        match = _RULE.fullmatch(str(text))
        if match is None:
            raise PublishError(
                f"A rule is {show(text)} but must be the name of a metric, one of >=, <=, > and <, and a number, such"
                " as accuracy >= 0.9."
            )
        found.append(MetricRule(match[1], match[2], float(match[3])))
    return found


def published_round(report: Report, wanted: str | None) -> int:
    """Return the round that is to be published: the last one, the best one, or one by its number; 0 for none."""
    result = report["result"] or {}
    if wanted in (None, ""):
        number = result.get("rounds")
    elif wanted == "best":
        number = (result.get("early_stopping") or {}).get("best_round")
    else:
        number = int(str(wanted)) if str(wanted).isdecimal() else 0
    return number if is_whole(number) else 0


def withheld(report: Report, number: int, rules: t.Iterable[MetricRule] = ()) -> list[str]:
    """Return why the model of a training must not be published, as ends of sentences; nothing where it may."""
    result, outcome = report["result"], report["outcome"]
    state = outcome["state"]
    if state != FINISHED:
        return [f"it is {str(state).replace('_', ' ')}, and not completed"]
    if not result:
        return ["it has no result"]
    found = []
    if result.get("run_id") not in {run.get("run_id") for run in report["runs"]}:
        found.append("its result is of a run that is none of it")
    asked = (report["asked"] or {}).get("num_rounds") or outcome["num_rounds"]
    rounds = result.get("rounds") or 0
    if is_whole(asked) and rounds < asked and not outcome["stopped_early"]:
        found.append(f"it has {counted(rounds, 'round')} of {asked}")
    if not result.get("sha256"):
        found.append("it has kept no model")
    if not number:
        found.append("there is no such round")
    return found + [problem for rule in rules if (problem := _broken(rule, report["rounds"], number))]
