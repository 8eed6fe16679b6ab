# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that ask for training variables: an AWX survey, OpenNebula's user inputs, and a service of OneFlow."""

from __future__ import annotations

import json
from pathlib import Path

from module_utils._console.survey import survey_spec
from module_utils._console.user_inputs import service, template, user_inputs

from . import NOTICE, between

PAGE = "docs/opennebula.md"
BEGIN, END = "<!-- begin: generated -->\n", "<!-- end: generated -->\n"


def files(root: Path) -> dict[str, str]:
    page = (root / PAGE).read_text("utf-8")
    appliance = user_inputs("appliance")
    return {
        "docs/awx-survey.json": _json({**survey_spec(every=True), "description": NOTICE}),
        "docs/opennebula-user-inputs.txt": _user_inputs(),
        "docs/opennebula-service.json": _json({**service(appliance), "description": NOTICE}),
        PAGE: between(page, BEGIN, END, f"\n```text\n{template(appliance)}```\n\n", PAGE),
    }


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _user_inputs() -> str:
    return (
        f"# {NOTICE}\n"
        "# For a virtual machine template of OpenNebula: every training variable. docs/opennebula.md has those of the"
        f" appliance.\n\n{template(user_inputs('all'))}"
    )
