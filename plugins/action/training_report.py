# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.beside import beside_inventory
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import SiteNames
from ansible_collections.fedops.flower.plugins.module_utils._report import report
from ansible_collections.fedops.flower.plugins.module_utils._report.page import page
from ansible_collections.fedops.flower.plugins.module_utils._training.sites import REAL
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import arriving, training_asked

FOLDER = "reports"


class ActionModule(ActionBase):
    """Have the story of a training told by its host, and write it as a page and as data on the controller."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        baseline = str(arguments.get("baseline") or "")
        with errors_as(AnsibleActionFail):
            training = training_asked(arguments)
            earlier = _read(baseline) if _is_path(baseline) else None
        if earlier is not None or not baseline:
            arguments.pop("baseline", None)
        # The host has told them before, and needs no copy of what it has told.
        answer = self._execute_module(module_args={**arguments, "checkpoints": []}, task_vars=task_vars)
        if answer.get("failed") or "story" not in answer:
            return answer
        try:
            with (
                errors_as(AnsibleActionFail),
                expecting("The host tells what is no story of a training", ArithmeticError, ValueError),
            ):
                made = _built({**answer, "story": {**answer["story"], "training": training}}, arguments, earlier)
            return self._write(_directory(arguments, task_vars or {}), made)
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename} cannot be written: {error.strerror}.") from error

    def _write(self, directory: str, made: dict[str, Any]) -> dict[str, Any]:
        stem = os.path.join(directory, made["training"])
        texts = {f"{stem}.html": page(made).encode("utf-8", "replace"), f"{stem}.json": report.written(made).encode()}
        changed = [path for path, text in texts.items() if _content(path) != text]
        if changed and not self._task.check_mode:
            os.makedirs(directory, exist_ok=True)
            for path in changed:
                with arriving(path) as stream:
                    stream.write(texts[path])
        return {
            "changed": bool(changed),
            "dest": f"{stem}.html",
            "json": f"{stem}.json",
            "bytes": len(texts[f"{stem}.html"]),
            "anomalies": made["anomalies"],
            "diff": {"before": "", "after": "".join(f"{path}\n" for path in changed)},
        }


def _built(answer: dict[str, Any], arguments: dict[str, Any], earlier: dict[str, Any] | None) -> dict[str, Any]:
    names, real = SiteNames(answer.get("site_names") or []), arguments.get("names") == REAL
    if answer.get("baseline_story"):
        earlier = report.build(answer["baseline_story"], names, real)
    return report.build(answer["story"], names, real, arguments.get("checkpoints") or [], earlier)


def _directory(arguments: dict[str, Any], task_vars: dict[str, Any]) -> str:
    if wanted := arguments.get("dest"):
        return os.path.abspath(os.path.expanduser(str(wanted)))
    sources = task_vars.get("ansible_inventory_sources") or []
    return os.path.abspath(beside_inventory(str(task_vars.get("inventory_dir") or ""), sources, FOLDER) or FOLDER)


def _is_path(baseline: str) -> bool:
    return os.sep in baseline or baseline.endswith(".json")


def _read(baseline: str) -> dict[str, Any]:
    path = os.path.expanduser(baseline)
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(report.REPORT_LIMIT + 1)
    except OSError as error:
        raise AnsibleActionFail(f"{path} cannot be read: {error.strerror}. report_baseline names it.") from error
    if len(text) > report.REPORT_LIMIT:
        raise AnsibleActionFail(f"{path} has more than {report.REPORT_LIMIT} bytes and is no report of ours.")
    return report.read_back(text, path)


def _content(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
