# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of endings, and who must follow it."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import endings
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import ENDINGS, REASONS
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import EVENTS

ROOT = Path(__file__).resolve().parents[5]
ENGINE = ROOT / "plugins" / "module_utils" / "_supervisor"
UNIT = ROOT / "roles" / "training" / "templates" / "flower-training@.service.j2"
APP_ALONE = {"failed", "not_saved"}  # what the app says of errors that are its own: the supervisor says APP


def test_every_ending_is_told_from_the_others_by_its_status_and_its_event() -> None:
    assert len({ending.status for ending in ENDINGS.values()}) == len(ENDINGS)
    assert len({ending.event for ending in ENDINGS.values()}) == len(ENDINGS)


def test_statuses_and_words_of_the_present_release_stay() -> None:
    """Units, memories and plays of operators know them."""
    statuses = {"completed": 0, "stopped": 10, "quiesced": 11, "failed": 65, "given_up": 69, "again": 75, "refused": 78}
    assert {kind: ending.status for kind, ending in ENDINGS.items()} == statuses


def by_systemd() -> dict[str, set[int]]:
    """Return the statuses of each setting of the unit."""
    found = re.findall(r"^(\w+ExitStatus)=(.*)$", UNIT.read_text("utf-8"), re.M)
    return {name: set(map(int, numbers.split())) for name, numbers in found}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=lambda ending: ending.kind)
def test_systemd_does_what_the_table_says(ending) -> None:
    good, final = (by_systemd()[name] for name in ("SuccessExitStatus", "RestartPreventExitStatus"))
    starts_again = ending.status not in {0} | good | final  # with Restart=on-failure
    assert starts_again == (ending.goes_on == endings.BY_SYSTEMD)
    assert (ending.status in final) == (ending.is_bad and not starts_again)


def test_a_reason_is_one_row_that_leads_somewhere() -> None:
    assert len({(reason.kind, reason.word) for reason in REASONS}) == len(REASONS)
    assert {reason.kind for reason in REASONS} == {*ENDINGS, endings.WAIT, endings.IDLE}
    assert [reason.word for reason in REASONS if not (reason.meaning and reason.action)] == []
    assert {reason.event for reason in REASONS} - {""} <= set(EVENTS)


def test_every_reason_is_used_and_no_other_code_makes_a_verdict_of_its_own() -> None:
    code = {path.name: path.read_text("utf-8") for path in ENGINE.glob("*.py") if path.name != "endings.py"}
    rows = {name: value for name, value in vars(endings).items() if isinstance(value, endings.Reason)}
    needed = [name for name, reason in rows.items() if not reason.told_by_app]
    assert [name for name in needed if not any(re.search(rf"\b{name}\b", text) for text in code.values())] == []
    # A session that begins and a run that goes on need no reason; one verdict is a remembered one.
    own = r"\bVerdict\((?!BEGIN|GO_ON|ending\[)"
    assert [name for name, text in code.items() if re.search(own, text)] == []


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{reason.kind}-{reason.word}")
def test_a_sentence_is_whole(reason) -> None:
    fields = [name for dummy, name, *rest in string.Formatter().parse(reason.sentence) if name is not None]
    assert all(re.fullmatch(r"\w+", name) for name in fields)
    assert not reason.sentence or reason.sentence.rstrip().endswith((".", "}"))


def test_the_app_and_the_supervisor_know_the_same_reasons() -> None:
    errors = "".join(path.read_text("utf-8") for path in (ROOT / "files" / "fab").glob("fedops_*/*.py"))
    said = set(re.findall(r'^    reason = "(\w+)"', errors, re.M))
    assert said == set(endings.TOLD_BY_APP) | APP_ALONE
    documented = (ROOT / "docs" / "files.md").read_text("utf-8")
    assert [word for word in sorted(APP_ALONE) if f"`{word}`" not in documented] == []


def test_the_documentation_of_run_info_names_every_ending() -> None:
    text = (ROOT / "plugins" / "modules" / "run_info.py").read_text("utf-8")
    states = text.partition("  contains:\n    state:")[2].partition("type: str")[0]
    words = {*endings.AT_WORK, *ENDINGS} - {endings.AGAIN}
    assert [word for word in sorted(words) if f"V({word})" not in states] == []
